"""The machinery that all model families share: the registry, weights, vocabularies, reference numbers, checks."""

import json
import math
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers
from transformers.pipelines.text_classification import softmax
from transformers.utils.logging import disable_progress_bar

from texts import CORPUS, PAIRS, TEXTS

torch.set_num_threads(1)
disable_progress_bar()

PACKAGES = ["torch", "transformers", "sentence-transformers", "tokenizers"]
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


# --- Registry ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fixture:
    name: str
    family: str
    kind: str  # "embed", "rerank", "sparse", "words", "multi_vector" or "media"
    about: str
    build: Callable[[Path, int], None]  # writes the model folder; all its weights follow from the seed
    cases: list[dict]  # what golden.json holds, without the answers
    unused: str  # a pattern: parameters whose values change nothing
    tokens: bool  # whether golden.json holds the vectors of tokens too
    rewrite: Callable[[Path], None] | None  # gives the folder a form that the libraries do not read, once they have answered
    serve: Callable[[Path], object] | None  # what answers instead of the library that serves its kind

    @property
    def seed(self):
        return zlib.crc32(self.name.encode())


FIXTURES: dict[str, Fixture] = {}

TEXT_CASES = [{"name": name, "text": text} for name, text in TEXTS.items()]
KIND_CASES = [
    {"name": f"{name}-{task}", "text": TEXTS[name], "task": task}
    for task in ["query", "document"]
    for name in ["empty", "sentence", "punctuation", "special-tokens", "over-the-limit"]
]
PAIR_CASES = [{"name": name, "query": query, "document": document} for name, (query, document) in PAIRS.items()]


def fixture(name, about, kind="embed", cases=None, unused=r"$^", tokens=False, rewrite=None, serve=None):
    """Registers the decorated builder; the family is the file that it stands in."""

    def register(build):
        assert name not in FIXTURES, name
        family = build.__module__.rpartition(".")[2]
        default = {"embed": TEXT_CASES, "rerank": PAIR_CASES, "sparse": TEXT_CASES, "words": TEXT_CASES}.get(kind, KIND_CASES)
        FIXTURES[name] = Fixture(name, family, kind, about, build, cases or default, unused, tokens, rewrite, serve)
        return build

    return register


# --- Making models ----------------------------------------------------------------------------------------------------


@torch.no_grad()
def randomize(model, seed):
    """Gives each parameter values large enough that a wrong one shows: no bias is zero, no norm weight is one.

    Embeddings are small, so that the epsilon of the first norm counts; those that are added to scores are not.
    """
    generator = torch.Generator().manual_seed(seed)
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            noise = torch.randn(parameter.shape, generator=generator)
            if path.endswith(("relative_attention_bias", "rel_embeddings")):
                parameter.copy_(noise)
            elif isinstance(module, torch.nn.Embedding):
                parameter.copy_(0.04 * noise)
            elif "Norm" in type(module).__name__ and name == "weight":
                parameter.copy_(1 + 0.15 * noise.clamp(-2, 2))
            else:
                parameter.copy_((0.1 if parameter.ndim == 1 else 0.25) * noise)
    return model


def train_wordpiece(words, size):
    """A vocabulary of special tokens, the characters of all words, and the pieces that merging frequent pairs makes.

    This is what WordPieceTrainer of the tokenizers library does, but that one breaks ties by hash order, so its result
    differs from run to run.
    """
    counts = Counter(words)
    pieces = {word: [word[0], *(f"##{character}" for character in word[1:])] for word in counts}
    tokens = [*SPECIAL_TOKENS, *sorted({piece for split in pieces.values() for piece in split})]
    while len(tokens) < size:
        pairs = Counter()
        for word, split in pieces.items():
            for pair in zip(split, split[1:]):
                pairs[pair] += counts[word]
        first, second = best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merged = first + second.removeprefix("##")
        if merged not in tokens:
            tokens.append(merged)
        for split in pieces.values():
            for index in range(len(split) - 1, 0, -1):
                if (split[index - 1], split[index]) == best:
                    split[index - 1 : index + 1] = [merged]
    assert len(tokens) == size, f"{len(tokens)} characters are more than {size} tokens"
    return {token: index for index, token in enumerate(tokens)}


def train_bpe(words, alphabet, size):
    """As many tokens as asked: the alphabet, then what joining the most frequent pair again and again makes; the joined
    pairs; and how often each token is left in the words. Ties go to the first pair in the order of characters."""
    counts = Counter(words)
    pieces = {word: [*word] for word in counts}
    tokens, merges = [*alphabet], []
    assert set("".join(counts)) <= set(alphabet) and len(alphabet) <= size
    while len(tokens) < size:
        pairs = Counter()
        for word, split in pieces.items():
            for pair in zip(split, split[1:]):
                pairs[pair] += counts[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        if "".join(best) not in tokens:
            tokens.append("".join(best))
        for split in pieces.values():
            for index in range(len(split) - 1, 0, -1):
                if (split[index - 1], split[index]) == best:
                    split[index - 1 : index + 1] = ["".join(best)]
    left = Counter()
    for word, split in pieces.items():
        for piece in split:
            left[piece] += counts[word]
    return tokens, merges, left


def byte_level_bpe(first, last, size):
    """The tokens `first`, all bytes, joined pairs, and the tokens `last`, with their ids; and the merges."""
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = [word for text in CORPUS for word, _ in splitter.pre_tokenize_str(text)]
    tokens, merges, _ = train_bpe(words, sorted(splitter.alphabet()), size - len(first) - len(last))
    return {token: index for index, token in enumerate([*first, *tokens, *last])}, merges


def unigram(first, last, size, normalize=str):
    """Pieces of words with their log probabilities, between the tokens `first` and `last` with 0, as SentencePiece has
    them."""
    words = ["▁" + word for text in CORPUS for word in normalize(text).split()]
    tokens, _, counts = train_bpe(words, sorted(set("".join(words))), size - len(first) - len(last))
    total = counts.total() + len(tokens)
    pieces = [(token, round(math.log((counts[token] + 1) / total), 6)) for token in tokens]
    return [*((token, 0.0) for token in first), *pieces, *((token, 0.0) for token in last)]


def write_embedder(folder, seed, model, words, *modules):
    """A folder as sentence-transformers saves it: an encoder, its tokenizer and the modules after them."""
    with TemporaryDirectory() as backbone:
        write_plain(backbone, model, words)
        pipeline = SentenceTransformer(modules=[Transformer(backbone), *modules], device="cpu")
        randomize(pipeline, seed).save(str(folder), create_model_card=False)


def write_plain(folder, model, words):
    """A folder as transformers saves it: no modules.json."""
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def edit_json(path, **changes):
    write_json(path, json.loads(path.read_text("utf-8")) | changes)


def edit_weights(path, change):
    """Rewrites a safetensors file with what `change` makes of its tensors."""
    tensors = change(load_file(path))
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, path, metadata={"format": "pt"})


# --- Reference numbers ------------------------------------------------------------------------------------------------


def short_floats(values):
    return [float(f"{value:.9g}") for value in np.atleast_1d(values)]


class Embedder:
    """A folder as sentence-transformers serves it, in fp32 on the CPU."""

    def __init__(self, folder):
        self.model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
        self.dimensions = self.model.get_embedding_dimension()

    def header(self):
        return {"dimensions": self.dimensions}

    def prompt(self, case):
        name = case.get("prompt_name") or self.model.default_prompt_name
        return self.model.prompts[name] if name else ""

    def texts(self, case):
        """What the tokenizer reads."""
        return [self.prompt(case) + case["text"]]

    def options(self, case):
        task = {"task": case["task"]} if "task" in case else {}
        return {"prompt_name": case.get("prompt_name"), "show_progress_bar": False, **task}

    def answer(self, case):
        features = self.model.preprocess([case["text"]], prompt=self.prompt(case))
        vector = self.model.encode(case["text"], **self.options(case))
        return {"ids": features["input_ids"].flatten().tolist(), "vector": vector}

    def tokens(self, case):
        """The vectors of its tokens, before pooling."""
        vectors = self.model.encode(case["text"], output_value="token_embeddings", **self.options(case)).numpy()
        return [short_floats(vector) for vector in vectors]

    def batch(self, cases):
        """The vectors of all cases, computed in padded batches of one prompt and task each."""
        vectors = [None] * len(cases)
        kinds = [(case.get("prompt_name"), case.get("task")) for case in cases]
        for kind in dict.fromkeys(kinds):
            indices = [index for index in range(len(cases)) if kinds[index] == kind]
            texts = [cases[index]["text"] for index in indices]
            answers = self.model.encode(texts, batch_size=len(texts), **self.options(cases[indices[0]]))
            for index, vector in zip(indices, answers):
                vectors[index] = vector
        return np.stack(vectors)


class Reranker:
    """A folder as the CrossEncoder of sentence-transformers serves it, in fp32 on the CPU."""

    def __init__(self, folder):
        self.model = CrossEncoder(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})

    def header(self):
        id2label = self.model.config.id2label
        return {"labels": [id2label[index] for index in range(self.model.num_labels)]}

    def texts(self, case):
        return [case["query"], case["document"]]

    def predict(self, inputs, **options):
        return self.model.predict(inputs, show_progress_bar=False, **options)

    def answer(self, case):
        pair = (case["query"], case["document"])
        features = self.model.preprocess([pair])
        types = {"type_ids": features["token_type_ids"][0].tolist()} if "token_type_ids" in features else {}
        return {
            "ids": features["input_ids"][0].tolist(),
            **types,
            "logits": self.predict(pair, activation_fn=torch.nn.Identity()),
            "scores": self.scores(pair),
        }

    def scores(self, pair):
        """CrossEncoder's, but of several labels without an activation of their own those of transformers' pipeline."""
        if self.model.num_labels == 1 or not isinstance(self.model.activation_fn, torch.nn.Identity):
            return self.predict(pair)
        return softmax(self.predict(pair, activation_fn=torch.nn.Identity()))

    def batch(self, cases):
        pairs = [(case["query"], case["document"]) for case in cases]
        scores = self.predict(pairs, activation_fn=torch.nn.Identity(), batch_size=len(pairs))
        return scores.reshape(len(pairs), -1)


class SparseEmbedder(Embedder):
    """A folder as the SparseEncoder of sentence-transformers serves it; its vectors here have their zeros."""

    def __init__(self, folder):
        self.model = SparseEncoder(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
        self.dimensions = self.model.encode("", convert_to_sparse_tensor=False, show_progress_bar=False).numel()

    def options(self, case):
        return super().options(case) | {"convert_to_sparse_tensor": False}

    def answer(self, case):
        task = {"task": case["task"]} if "task" in case else {}
        features = self.model.preprocess([case["text"]], prompt=self.prompt(case), **task)
        vector = self.model.encode(case["text"], **self.options(case)).numpy()
        return {"ids": features["input_ids"][0].tolist(), "vector": vector}


class WordWeigher(Embedder):
    """The weights of words as FlagEmbedding describes BGE-M3's, written anew in plain torch: no library at hand has them."""

    def __init__(self, folder):
        super().__init__(folder)
        self.dimensions = len(self.model.tokenizer)
        head = torch.load(folder / "sparse_linear.pt", weights_only=True)
        self.weight, self.bias = head["weight"].float(), head["bias"].float()

    @torch.no_grad()
    def answer(self, case):
        features = self.model[0](self.model.preprocess([case["text"]]))
        ids = features["input_ids"][0].tolist()
        weights = torch.relu(features["token_embeddings"][0] @ self.weight.T + self.bias)[:, 0].tolist()
        vector = np.zeros(self.dimensions, np.float32)
        names = ["cls_token_id", "eos_token_id", "pad_token_id", "unk_token_id"]
        skipped = {getattr(self.model.tokenizer, name) for name in names}
        for word, weight in zip(ids, weights):
            if word not in skipped:
                vector[word] = max(vector[word], weight)
        return {"ids": ids, "vector": vector}

    def batch(self, cases):
        return np.stack([self.answer(case)["vector"] for case in cases])


class TokenEmbedder(Embedder):
    """A folder as the MultiVectorEncoder of sentence-transformers serves it."""

    most = 72  # tokens of a row

    def __init__(self, folder):
        self.model = MultiVectorEncoder(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
        self.dimensions = self.model.get_embedding_dimension()

    def encode(self, cases, **options):
        """Of cases of one task."""
        encode = {"query": self.model.encode_query, "document": self.model.encode_document}[cases[0]["task"]]
        texts = [case["text"] for case in cases]
        return encode(texts, batch_size=len(texts), show_progress_bar=False, **options)

    def in_one_line(self, tokens):
        """The vectors of a text, padded with zeros."""
        line = np.zeros((self.most, self.dimensions), np.float32)
        line[: len(tokens)] = tokens
        return line.flatten()

    def answer(self, case):
        [raw] = self.encode([case], output_value=None)
        ids = raw["input_ids"].tolist()
        kept = raw["attention_mask"].bool()
        [given] = self.encode([case])
        assert torch.equal(given, raw["token_embeddings"][kept])
        return {"ids": ids, "kept": kept.nonzero().flatten().tolist(), "vector": self.in_one_line(raw["token_embeddings"])}

    def batch(self, cases):
        lines = [None] * len(cases)
        for task in ["query", "document"]:
            indices = [index for index, case in enumerate(cases) if case["task"] == task]
            for index, raw in zip(indices, self.encode([cases[index] for index in indices], output_value=None)):
                alone = self.lengths.get(cases[index]["name"], self.most)
                lines[index] = self.in_one_line(raw["token_embeddings"][:alone])
        return np.stack(lines)

    def split(self, case):
        """The vectors of all its tokens, those that are dropped too."""
        vector = case.pop("vector").reshape(self.most, -1)
        return case | {"tokens": [short_floats(token) for token in vector[: len(case["ids"])]]}

    def pairs(self, cases):
        """The score of each query and each document."""
        queries, documents = ([case for case in cases if case["task"] == task] for task in ["query", "document"])
        scores = self.model.similarity(self.encode(queries), self.encode(documents)).tolist()
        return [
            [query["name"], document["name"], *short_floats(score)]
            for query, row in zip(queries, scores)
            for document, score in zip(documents, row)
        ]

    def check_ids(self, folder, cases):
        self.lengths = {case["name"]: len(case["ids"]) for case in cases}
        tokenizer = Tokenizer.from_file(str(next(folder.rglob("tokenizer.json"))))
        tokenizer.no_padding()
        markers = [value for prompt in self.model.prompts.values() for value in [prompt, *(prompt or "").split()[:1]]]
        for marker in markers:
            if marker and tokenizer.token_to_id(marker) is not None:
                tokenizer.add_special_tokens([AddedToken(marker, normalized=False)])
        module = self.model[0]
        for case in cases:
            expansion = module.query_expansion if case["task"] == "query" else None
            length = module.query_length if case["task"] == "query" else module.document_length
            if expansion and expansion["strategy"] == "fixed":
                length = expansion["length"]
            tokenizer.enable_truncation(length or module.max_seq_length)
            ids = tokenizer.encode((self.model.prompts[case["task"]] or "") + case["text"]).ids
            if expansion:
                token = expansion["token"] or self.model.tokenizer.mask_token
                ids += [tokenizer.token_to_id(token)] * (expansion["length"] - len(ids))
            assert ids == case["ids"], (case["name"], ids, case["ids"])


class TokenComparer(WordWeigher):
    """All that BGE-M3 makes of a text, as FlagEmbedding describes it, written anew in plain torch."""

    most = 72

    def __init__(self, folder):
        super().__init__(folder)
        head = torch.load(folder / "colbert_linear.pt", weights_only=True)
        self.matrix, self.shift = head["weight"].float(), head["bias"].float()
        self.words, self.dimensions = self.dimensions, len(self.shift)

    @torch.no_grad()
    def vectors(self, case):
        features = self.model[0](self.model.preprocess([case["text"]]))
        return torch.nn.functional.normalize(features["token_embeddings"][0] @ self.matrix.T + self.shift, dim=-1)

    def answer(self, case):
        dimensions, self.dimensions = self.dimensions, self.words
        answer = super().answer(case)
        self.dimensions = dimensions
        words = without_zeros({"vector": answer["vector"]})
        dense = self.model.encode(case["text"], show_progress_bar=False)
        vector = TokenEmbedder.in_one_line(self, self.vectors(case))
        kept = [*range(1, len(answer["ids"]))]
        return {"ids": answer["ids"], "kept": kept, "vector": vector, "dense": short_floats(dense), **words}

    split = TokenEmbedder.split

    def pairs(self, cases):
        queries, documents = ([case for case in cases if case["task"] == task] for task in ["query", "document"])
        return [
            [query["name"], document["name"], *short_floats(self.score(query, document))]
            for query in queries
            for document in documents
        ]

    def score(self, query, document):
        return (self.vectors(query)[1:] @ self.vectors(document)[1:].T).max(-1).values.mean().item()


SERVED = {
    "embed": (Embedder, "vector"),
    "rerank": (Reranker, "logits"),
    "sparse": (SparseEmbedder, "vector"),
    "words": (WordWeigher, "vector"),
    "multi_vector": (TokenEmbedder, "vector"),
    # Pictures and sounds, and the texts of the same space: what serves them stands with the fixtures.
    "media": (None, "vector"),
}


def without_zeros(case):
    vector = case.pop("vector")
    return case | {"sparse": [[int(index), *short_floats(vector[index])] for index in np.flatnonzero(vector)]}


# --- Checks -----------------------------------------------------------------------------------------------------------


def check_ids(folder, served, cases):
    """The tokenizers library alone, reading tokenizer.json, must give the same ids as the whole pipeline did."""
    file = next(folder.rglob("tokenizer.json"), None)
    if file is None:
        return
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    static = isinstance(served.model[0], StaticEmbedding)
    if not static:
        tokenizer.enable_truncation(served.model.max_seq_length, direction=served.model.tokenizer.truncation_side)
    if getattr(served.model[0], "do_lower_case", False):
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), tokenizer.normalizer])
    for case in cases:
        encoding = tokenizer.encode(*served.texts(case), add_special_tokens=case.get("special", not static))
        assert encoding.ids == case["ids"], (case["name"], encoding.ids, case["ids"])
        assert encoding.type_ids == case.get("type_ids", encoding.type_ids), case["name"]


def check_numbers(cases, alone, together):
    assert np.isfinite(alone).all()
    difference = float(np.abs(alone - together).max())
    assert difference <= 1e-5, f"alone and in a batch differ by {difference:.3g}"
    for index, case in enumerate(cases):
        for other in range(index):
            distance = float(np.abs(alone[index] - alone[other]).max())
            pair = f"{case['name']} and {cases[other]['name']}"
            same = "ids" in case and case["ids"] == cases[other].get("ids")
            assert same or distance > 2e-5, f"{pair} differ by {distance:.3g}"


@torch.no_grad()
def check_parameters(served, cases, alone, unused):
    """Each parameter must show in the numbers: with its values gone, they change by far more than any tolerance."""
    for name, parameter in served.model.named_parameters():
        kept = parameter.clone()
        parameter.fill_(1 if re.search(r"norm\.weight$", name, re.IGNORECASE) else 0)
        change = float(np.abs(served.batch(cases) - alone).max())
        parameter.copy_(kept)
        counts = not change <= 1e-3  # no number shows too
        assert counts != bool(re.search(unused, name)), f"{name} changes the numbers by {change:.3g}"


# --- Writing ----------------------------------------------------------------------------------------------------------


def write_golden(path, golden):
    """JSON with one case on a line."""
    cases = "[\n" + ",\n".join(json.dumps(case) for case in golden["cases"]) + "\n]"
    lines = [f'"{key}": {cases if key == "cases" else json.dumps(value)}' for key, value in golden.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def tidy(folder):
    """Takes out what a git checkout or another build of torch would make different."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.name == "config_sentence_transformers.json":
            path.write_text(re.sub(r'("pytorch": "[\d.]+)\+\w+', r"\1", path.read_text("utf-8")), "utf-8")
        if path.is_file():
            path.chmod(0o644)


def generate(fixture, folder):
    shutil.rmtree(folder, ignore_errors=True)
    model = folder / "model"
    model.mkdir(parents=True)
    fixture.build(model, fixture.seed)
    tidy(model)

    serve, numbers = SERVED[fixture.kind]
    served = (fixture.serve or serve)(model)
    header = served.header()
    cases = [case | served.answer(case) for case in fixture.cases]
    alone = np.stack([np.atleast_1d(case[numbers]) for case in cases])
    width = header.get("dimensions") or len(header["labels"])
    assert alone.shape[1] == (width * served.most if fixture.kind == "multi_vector" else width)
    getattr(served, "check_ids", partial(check_ids, served=served))(model, cases=cases)
    check_numbers(cases, alone, served.batch(cases))
    check_parameters(served, cases, alone, fixture.unused)

    if fixture.rewrite:
        fixture.rewrite(model)
        tidy(model)
    if fixture.tokens:
        cases = [case | {"tokens": served.tokens(case)} for case in cases]
    if fixture.kind in {"sparse", "words"}:
        cases = [without_zeros(case) for case in cases]
    pairs = {"pairs": served.pairs(cases)} if fixture.kind == "multi_vector" else {}
    if fixture.kind == "multi_vector":
        cases = [served.split(case) for case in cases]
    floats = {"vector", "logits", "scores"}
    golden = {
        "about": fixture.about,
        "versions": {name: version(name) for name in PACKAGES},
        "seed": fixture.seed,
        "kind": "sparse" if fixture.kind == "words" else fixture.kind,
        **header,
        **pairs,
        "cases": [{key: short_floats(value) if key in floats else value for key, value in c.items()} for c in cases],
    }
    write_golden(folder / "golden.json", golden)
