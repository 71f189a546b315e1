"""MPNet: RoBERTa's positions, and a bias of the attention scores that depends on the distance."""

from functools import cache, partial

from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import MPNetConfig, MPNetForMaskedLM, MPNetForSequenceClassification, MPNetModel, MPNetTokenizer

from common import PAIR_CASES, TEXT_CASES, edit_json, edit_weights, fixture, randomize, write_embedder, write_plain
from families import bert

HIDDEN = 32
SPECIAL_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>"]
# Distances of 91 and more share a bucket.
LIMIT = 120

MARKED = [
    {"name": "marked", "text": "<s> hello </s> the <mask> dog <pad> <unk> end"},
    {"name": "pads", "text": "<pad><pad> hello <pad> the dog <pad>"},
]
MARKED_PAIRS = [{"name": "pads", "query": "<pad> hello <pad>", "document": "the </s> dog <pad> and <pad> end"}]

embedder = partial(fixture, unused=r"\.attn\.k\.bias$|\.pooler\.", cases=[*TEXT_CASES, *MARKED])
reranker = partial(fixture, kind="rerank", unused=r"\.attn\.k\.bias$", cases=[*PAIR_CASES, *MARKED_PAIRS])


@cache
def vocabulary():
    pieces = [token for token in bert.vocabulary(lower_case=True) if token not in bert.SPECIAL_TOKENS]
    return {token: index for index, token in enumerate([*SPECIAL_TOKENS, *pieces])}


def tokenizer(limit=LIMIT):
    return MPNetTokenizer(vocab=dict(vocabulary()), model_max_length=limit)


def config(**changes):
    sizes = {
        "vocab_size": len(vocabulary()),
        "hidden_size": HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": LIMIT + 2,
        "layer_norm_eps": 1e-5,
    }
    return MPNetConfig(**sizes | changes)


@embedder("mpnet-mean-normalize", "Texts long enough for every bucket of distances; mean pooling, then Normalize.")
def mean_normalize(folder, seed):
    model = MPNetModel(config())
    write_embedder(folder, seed, model, tokenizer(), Pooling(HIDDEN, "mean"), Normalize())


@embedder(
    "mpnet-odd-heads",
    "Heads of 13, hidden_act relu; config.json asks for 40 buckets and names another padding token, neither of which "
    "changes anything; CLS pooling.",
)
def odd_heads(folder, seed):
    shape = {"hidden_size": 26, "num_attention_heads": 2, "intermediate_size": 50, "num_hidden_layers": 3}
    model = MPNetModel(config(**shape, hidden_act="relu", relative_attention_num_buckets=40))
    write_embedder(folder, seed, model, tokenizer(), Pooling(26, "cls"))
    edit_json(folder / "config.json", pad_token_id=0)


@embedder("mpnet-prefixed", "An MPNetForMaskedLM checkpoint without modules.json: prefix mpnet., and its head unread.")
def prefixed(folder, seed):
    write_plain(folder, randomize(MPNetForMaskedLM(config()), seed), tokenizer())


@embedder("mpnet-int8", "compressed-tensors int-quantized: int8 rows with one fp32 scale each; fp32 arithmetic.")
def int8(folder, seed):
    write_embedder(folder, seed, MPNetModel(config()), tokenizer(), Pooling(HIDDEN, "mean"))
    edit_weights(folder / "model.safetensors", bert.quantize)
    edit_json(folder / "config.json", quantization_config=bert.QUANTIZATION | {"ignore": []})


@reranker("mpnet-cross-encoder", "One label: sigmoid.")
def cross_encoder(folder, seed):
    write_plain(folder, randomize(MPNetForSequenceClassification(config(num_labels=1)), seed), tokenizer())


@reranker("mpnet-cross-encoder-3-labels", "Three labels without names; model_max_length 30.")
def cross_encoder_3_labels(folder, seed):
    model = MPNetForSequenceClassification(config(num_labels=3, num_hidden_layers=1))
    write_plain(folder, randomize(model, seed), tokenizer(limit=30))
