"""The machinery that all model families share: the registry, weights, vocabularies, reference numbers, checks."""

import json
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from tokenizers import Tokenizer, normalizers
from transformers.pipelines.text_classification import softmax
from transformers.utils.logging import disable_progress_bar

from texts import PAIRS, TEXTS

torch.set_num_threads(1)
disable_progress_bar()

PACKAGES = ["torch", "transformers", "sentence-transformers", "tokenizers"]
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


# --- Registry ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fixture:
    name: str
    family: str
    kind: str  # "embed" or "rerank"
    about: str
    build: Callable[[Path, int], None]  # writes the model folder; all its weights follow from the seed
    cases: list[dict]  # what golden.json holds, without the answers
    unused: str  # a pattern: parameters whose values change nothing
    tokens: bool  # whether golden.json holds the vectors of tokens too

    @property
    def seed(self):
        return zlib.crc32(self.name.encode())


FIXTURES: dict[str, Fixture] = {}

TEXT_CASES = [{"name": name, "text": text} for name, text in TEXTS.items()]
PAIR_CASES = [{"name": name, "query": query, "document": document} for name, (query, document) in PAIRS.items()]


def fixture(name, about, kind="embed", cases=None, unused=r"$^", tokens=False):
    """Registers the decorated builder; the family is the file that it stands in."""

    def register(build):
        assert name not in FIXTURES, name
        family = build.__module__.rpartition(".")[2]
        default = {"embed": TEXT_CASES, "rerank": PAIR_CASES}[kind]
        FIXTURES[name] = Fixture(name, family, kind, about, build, cases or default, unused, tokens)
        return build

    return register


# --- Making models ----------------------------------------------------------------------------------------------------


@torch.no_grad()
def randomize(model, seed):
    """Gives each parameter values large enough that a wrong one shows: no bias is zero, no norm weight is one.

    Embeddings are small, so that the epsilon of the first norm counts.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            noise = torch.randn(parameter.shape, generator=generator)
            if isinstance(module, torch.nn.Embedding):
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

    def answer(self, case):
        features = self.model.preprocess([case["text"]], prompt=self.prompt(case))
        vector = self.model.encode(case["text"], prompt_name=case.get("prompt_name"), show_progress_bar=False)
        return {"ids": features["input_ids"][0].tolist(), "vector": vector}

    def tokens(self, case):
        """The vectors of its tokens, before pooling."""
        options = {"output_value": "token_embeddings", "prompt_name": case.get("prompt_name")}
        vectors = self.model.encode(case["text"], show_progress_bar=False, **options).numpy()
        return [short_floats(vector) for vector in vectors]

    def batch(self, cases):
        """The vectors of all cases, computed in padded batches of one prompt each."""
        vectors = [None] * len(cases)
        for prompt_name in {case.get("prompt_name"): None for case in cases}:
            indices = [index for index, case in enumerate(cases) if case.get("prompt_name") == prompt_name]
            texts = [cases[index]["text"] for index in indices]
            answers = self.model.encode(texts, prompt_name=prompt_name, batch_size=len(texts), show_progress_bar=False)
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
        return {
            "ids": features["input_ids"][0].tolist(),
            "type_ids": features["token_type_ids"][0].tolist(),
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


SERVED = {"embed": (Embedder, "vector"), "rerank": (Reranker, "logits")}


# --- Checks -----------------------------------------------------------------------------------------------------------


def check_ids(folder, served, cases):
    """The tokenizers library alone, reading tokenizer.json, must give the same ids as the whole pipeline did."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(served.model.max_seq_length, direction=served.model.tokenizer.truncation_side)
    if served.model[0].do_lower_case:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), tokenizer.normalizer])
    for case in cases:
        encoding = tokenizer.encode(*served.texts(case))
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
            assert case["ids"] == cases[other]["ids"] or distance > 2e-5, f"{pair} differ by {distance:.3g}"


@torch.no_grad()
def check_parameters(served, cases, alone, unused):
    """Each parameter must show in the numbers: with its values gone, they change by far more than any tolerance."""
    for name, parameter in served.model.named_parameters():
        kept = parameter.clone()
        parameter.fill_(1 if re.search(r"norm\.weight$", name, re.IGNORECASE) else 0)
        change = float(np.abs(served.batch(cases) - alone).max())
        parameter.copy_(kept)
        counts = change > 1e-3
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
    served = serve(model)
    header = served.header()
    cases = [case | served.answer(case) for case in fixture.cases]
    alone = np.stack([np.atleast_1d(case[numbers]) for case in cases])
    assert alone.shape[1] == (header.get("dimensions") or len(header["labels"]))
    check_ids(model, served, cases)
    check_numbers(cases, alone, served.batch(cases))
    check_parameters(served, cases, alone, fixture.unused)

    if fixture.tokens:
        cases = [case | {"tokens": served.tokens(case)} for case in cases]
    floats = {"vector", "logits", "scores"}
    golden = {
        "about": fixture.about,
        "versions": {name: version(name) for name in PACKAGES},
        "seed": fixture.seed,
        "kind": fixture.kind,
        **header,
        "cases": [{key: short_floats(value) if key in floats else value for key, value in c.items()} for c in cases],
    }
    write_golden(folder / "golden.json", golden)
