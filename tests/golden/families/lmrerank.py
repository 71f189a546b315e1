"""Language models that rerank: asked about a query and a document, they are judged by the logit of their yes.

Where sentence-transformers reads a folder, its CrossEncoder is the reference. Folders of the authors' own form are asked as
their code asks, here in plain transformers.
"""

import math
from functools import cache, partial
from tempfile import TemporaryDirectory

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from tokenizers import AddedToken, Tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GemmaConfig,
    GemmaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
)

from common import PAIR_CASES, Reranker, byte_level_bpe, edit_json, fixture, randomize, write_plain
from families.qwen import sizes

LIMIT = 320
VOCABULARY = 420
END = "<|endoftext|>"
SPECIAL = [END, "<|im_start|>", "<|im_end|>", "<bos>"]
ANSWERS = ["yes", "no", "Yes"]

QWEN3_SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer "
    'can only be "yes" or "no".'
)
QWEN3_INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
MXBAI_TASK = (
    "You are a search relevance expert who evaluates how well documents match search queries. For each query-document pair, "
    "carefully analyze the semantic relationship between them, then provide your binary relevance judgment (0 for not "
    "relevant, 1 for relevant).\nRelevance:"
)
GEMMA_TASK = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
    "prediction of either 'Yes' or 'No'."
)

# What the roles of a pair are put into; a system message is the instruction.
FLAT = """{%- set instruction = messages | selectattr("role", "eq", "system") | map(attribute="content") | first | default("Is it so?") -%}
{%- set query = messages | selectattr("role", "eq", "query") | map(attribute="content") | first -%}
<|im_start|>system
Answer yes or no.<|im_end|>
<|im_start|>user
<Instruct>: {{ instruction }}
<Query>: {{ query }}
<Document>: {{ messages | selectattr("role", "eq", "document") | map(attribute="content") | first }}<|im_end|>
<|im_start|>assistant
<think>

</think>


"""
STRUCTURED = """{{ eos_token }}{%- for message in messages -%}
    {{ '<|im_start|>' + message.role + '\\n' }}
    {%- if message['role'] == "document" -%}{{ message.content[0].text | trim }}
    {%- elif message['role'] == "query" or message['role'] == "system" %}{{ message.content[0].text }}{% endif %}
    {{- '<|im_end|>' }}
    {% if not loop.last %}!{% endif %}
{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

asked = partial(fixture, kind="rerank")


@cache
def bytes_and_merges():
    vocabulary, merges = byte_level_bpe(SPECIAL, [], VOCABULARY - len(ANSWERS))
    for word in ANSWERS:
        vocabulary.setdefault(word, len(vocabulary))
    return vocabulary, merges


def tokenizer(template=None):
    vocabulary, merges = bytes_and_merges()
    specials = [AddedToken(token, special=True, normalized=False) for token in SPECIAL]
    words = Qwen2Tokenizer(
        vocab=dict(vocabulary), merges=[*merges], pad_token=END, eos_token=END, bos_token="<bos>", model_max_length=LIMIT
    )
    words.add_tokens(specials, special_tokens=True)
    words.chat_template = template
    return words


def config(of, **changes):
    return of(**sizes(vocab_size=VOCABULARY + 12, max_position_embeddings=512, **changes))


def write_asked(folder, seed, model, words, *modules, task="text-generation", kwargs=None, **options):
    """As CrossEncoder saves it. `kwargs`: what the template is given besides the messages."""
    with TemporaryDirectory() as backbone:
        write_plain(backbone, randomize(model, seed), words)
        given = {"processing_kwargs": {"chat_template": kwargs}} if kwargs else {}
        transformer = Transformer(backbone, transformer_task=task, **given)
        CrossEncoder(modules=[transformer, *modules], device="cpu", **options).save(str(folder), create_model_card=False)


class Asked(Reranker):
    """CrossEncoder, with the folder's own prompt."""

    def answer(self, case):
        pair = (case["query"], case["document"])
        prompt = self.model.prompts.get(self.model.default_prompt_name)
        features = self.model.preprocess([pair], prompt=prompt)
        return {
            "ids": features["input_ids"][0].tolist(),
            "logits": self.predict(pair, activation_fn=torch.nn.Identity()),
            "scores": self.scores(pair),
        }

    def header(self):
        return {"labels": ["LABEL_0"]}

    def check_ids(self, folder, cases):
        """What is not cut is the rendered text, as the tokenizers library alone reads it."""
        words = Tokenizer.from_file(str(next(folder.rglob("tokenizer.json"))))
        words.no_padding()
        words.no_truncation()
        for case in cases:
            text = self.render(case)
            ids = words.encode(text, add_special_tokens=False).ids
            assert ids[:LIMIT] == case["ids"] or len(ids) > LIMIT == len(case["ids"]), case["name"]

    def render(self, case):
        module = self.model[0]
        messages = module.input_formatter.pair_to_messages((case["query"], case["document"]))
        if prompt := self.model.prompts.get(self.model.default_prompt_name):
            [messages] = module.input_formatter.prepend_prompt_to_messages([messages], prompt)
        kwargs = module.processing_kwargs.get("chat_template", {})
        return self.model.tokenizer.apply_chat_template(messages, tokenize=False, **kwargs)


class Authors:
    """A folder as its authors' code asks and reads it."""

    def __init__(self, folder, pieces, yes, no=None, divisor=1.0, share=0.75):
        self.words = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.pieces, self.divisor, self.share = pieces, divisor, share
        self.yes, self.no = (token and self.words.convert_tokens_to_ids(token) for token in (yes, no))

    def header(self):
        return {"labels": ["LABEL_0"]}

    def encode(self, text):
        return self.words(text, add_special_tokens=False)["input_ids"]

    def ids(self, case):
        """What the model reads; a piece is a text, or what becomes of a query and a document."""
        pieces = self.pieces(case["query"], case["document"])
        if isinstance(pieces, tuple):  # before the document, the document, after it
            before, document, after = ([token for text in part for token in self.encode(text)] for part in pieces)
            return [*before, *document][: LIMIT - len(after)] + after
        start, query, between, document, end = ([t for text in part for t in self.encode(text)] for part in pieces)
        room = LIMIT - len(start) - len(between) - len(end)
        query = query[: math.floor(self.share * room)]
        return [*start, *query, *between, *document[: room - len(query)], *end]

    @torch.no_grad()
    def batch(self, cases):
        rows = [self.ids(case) for case in cases]
        width = max(map(len, rows))
        # Left of a row stand tokens that the others do not see.
        ids = torch.tensor([[0] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        places = (mask.cumsum(1) - 1).clamp(min=0)
        logits = self.model(ids, attention_mask=mask, position_ids=places).logits[:, -1]
        scores = logits[:, self.yes] - (logits[:, self.no] if self.no is not None else 0)
        return (scores / self.divisor).unsqueeze(1).numpy()

    def answer(self, case):
        logits = self.batch([case])[0]
        return {"ids": self.ids(case), "logits": logits, "scores": 1 / (1 + np.exp(-logits))}

    def check_ids(self, folder, cases):
        assert all(len(case["ids"]) <= LIMIT for case in cases)
        assert any(len(case["ids"]) == LIMIT for case in cases)


class AuthorsClassifier(Authors):
    """The same prompt before a classifier's one label."""

    def __init__(self, folder, pieces):
        self.words = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
        self.pieces, self.share = pieces, 0.75

    @torch.no_grad()
    def batch(self, cases):
        return np.stack([self.model(torch.tensor([self.ids(case)])).logits[0].numpy() for case in cases])


def qwen3_prompt(query, document):
    start = f"<|im_start|>system\n{QWEN3_SYSTEM}<|im_end|>\n<|im_start|>user\n"
    middle = f"<Instruct>: {QWEN3_INSTRUCTION}\n<Query>: {query}\n<Document>: {document}"
    return [start], [middle], ["<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"]


def zerank_prompt(query, document):
    middle = f"<|im_start|>system\n{query.strip()}<|im_end|>\n<|im_start|>user\n{document.strip()}"
    return [], [middle], ["<|im_end|>\n<|im_start|>assistant\n"]


def mxbai_prompt(query, document):
    system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    start = f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n"
    end = ["\n", MXBAI_TASK, "<|im_end|>\n<|im_start|>assistant\n"]
    return [[start], [f"query: {query}"], ["\n"], [f"document: {document}"], end]


def gemma_prompt(query, document):
    return [["<bos>"], [f"A: {query}"], ["\n"], [f"B: {document}"], ["\n", GEMMA_TASK]]


def named(name):
    """The folder says what it was made from."""
    return lambda folder: edit_json(folder / "config.json", _name_or_path=name)


@asked("asked-logit-score", "LogitScore of yes and no, a chat template with the roles of a pair, words that serve for the output matrix.", serve=Asked)
def asked_logit_score(folder, seed):
    model = Qwen3ForCausalLM(config(Qwen3Config, head_dim=16, tie_word_embeddings=True))
    words = tokenizer(FLAT)
    ids = words.convert_tokens_to_ids(["yes", "no"])
    write_asked(folder, seed, model, words, LogitScore(*ids))


@asked("asked-one-token", "LogitScore of one token, an output matrix of its own, no activation, a prompt as system message, contents in parts.", serve=Asked)
def asked_one_token(folder, seed):
    model = Qwen2ForCausalLM(config(Qwen2Config, tie_word_embeddings=False))
    words = tokenizer(STRUCTURED)
    write_asked(
        folder,
        seed,
        model,
        words,
        LogitScore(words.convert_tokens_to_ids("Yes")),
        kwargs={"add_generation_prompt": True},
        prompts={"ask": "Does it fit?"},
        default_prompt_name="ask",
        activation_fn=torch.nn.Identity(),
    )


@asked("asked-classifier", "A classifier that is asked by a chat template.", serve=Asked)
def asked_classifier(folder, seed):
    model = Qwen3ForSequenceClassification(config(Qwen3Config, head_dim=16, num_labels=1, pad_token_id=0))
    write_asked(folder, seed, model, tokenizer(FLAT), task="sequence-classification")


@asked("asked-without-modules", "No modules.json: a chat template with the roles of a pair says that it reranks.", serve=Asked)
def asked_without_modules(folder, seed):
    model = Qwen3ForCausalLM(config(Qwen3Config, head_dim=16, tie_word_embeddings=False))
    write_plain(folder, randomize(model, seed), tokenizer(FLAT))


@asked(
    "qwen3-reranker",
    "Qwen3-Reranker as its authors ask it, in plain transformers.",
    serve=partial(Authors, pieces=qwen3_prompt, yes="yes", no="no"),
    rewrite=named("Qwen/Qwen3-Reranker-0.6B"),
)
def qwen3_reranker(folder, seed):
    model = Qwen3ForCausalLM(config(Qwen3Config, head_dim=16, tie_word_embeddings=True))
    write_plain(folder, randomize(model, seed), tokenizer())


@asked(
    "qwen3-reranker-classifier",
    "Qwen3-Reranker made into a classifier: the same prompt, in plain transformers.",
    serve=partial(AuthorsClassifier, pieces=qwen3_prompt),
    rewrite=named("tomaarsen/Qwen3-Reranker-0.6B-seq-cls"),
)
def qwen3_reranker_classifier(folder, seed):
    model = Qwen3ForSequenceClassification(config(Qwen3Config, head_dim=16, num_labels=1, pad_token_id=0))
    write_plain(folder, randomize(model, seed), tokenizer())


@asked(
    "zerank",
    "zerank as its authors ask it, in plain transformers: one token, a fifth of its logit.",
    serve=partial(Authors, pieces=zerank_prompt, yes="Yes", divisor=5.0),
    rewrite=named("zeroentropy/zerank-1-small"),
)
def zerank(folder, seed):
    model = Qwen3ForCausalLM(config(Qwen3Config, head_dim=16, tie_word_embeddings=True))
    write_plain(folder, randomize(model, seed), tokenizer())


@asked(
    "mxbai-rerank",
    "mxbai-rerank-v2 as its authors ask it, in plain transformers: pieces, each tokenized by itself.",
    serve=partial(Authors, pieces=mxbai_prompt, yes="1", no="0"),
    rewrite=named("mixedbread-ai/mxbai-rerank-base-v2"),
)
def mxbai_rerank(folder, seed):
    model = Qwen2ForCausalLM(config(Qwen2Config, tie_word_embeddings=False))
    write_plain(folder, randomize(model, seed), tokenizer())


@asked(
    "bge-reranker-gemma",
    "bge-reranker-v2-gemma as its authors ask it, in plain transformers: pieces, one token.",
    serve=partial(Authors, pieces=gemma_prompt, yes="Yes"),
    rewrite=named("BAAI/bge-reranker-v2-gemma"),
)
def bge_reranker_gemma(folder, seed):
    model = GemmaForCausalLM(config(GemmaConfig, head_dim=16, num_key_value_heads=1, tie_word_embeddings=True))
    write_plain(folder, randomize(model, seed), tokenizer())
