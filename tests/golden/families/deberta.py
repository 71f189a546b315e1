"""DeBERTa v2 and v3: attention scores that depend on tokens and distances together."""

from functools import cache, partial

from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import (
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DebertaV2ForSequenceClassification,
    DebertaV2Model,
    DebertaV2Tokenizer,
)

from common import fixture, randomize, unigram, write_embedder, write_plain

HIDDEN = 32
VOCABULARY = 400
LIMIT = 90

# A bias of all keys, or of all distances, cancels in the softmax, unless keys meet distances.
embedder = partial(fixture, unused=r"^$")
without_p2c = partial(fixture, unused=r"key_proj\.bias$|encoder\.LayerNorm\.bias$")
reranker = partial(fixture, kind="rerank", unused=r"^$")

# As released: microsoft/deberta-v3-base.
V3 = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_buckets": 16,
    "position_biased_input": False,
}


@cache
def pieces():
    return unigram(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], ["[MASK]"], VOCABULARY)


def tokenizer(limit=LIMIT, **options):
    return DebertaV2Tokenizer(vocab=pieces(), model_max_length=limit, **options)


def config(**changes):
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": LIMIT,
    }
    return DebertaV2Config(**sizes | changes)


@embedder("deberta-v3-mean-normalize", "v3: 16 buckets of distances, keys shared; mean pooling, then Normalize.")
def v3(folder, seed):
    model = DebertaV2Model(config(**V3))
    write_embedder(folder, seed, model, tokenizer(), Pooling(HIDDEN, "mean"), Normalize())


@fixture(
    "deberta-unshared",
    "Projections of their own for distances, which end at 20 without buckets and are not normalized; heads of 13; "
    "positions, two token types, narrower embeddings, relu.",
    unused=r"pos_key_proj\.bias$",
)
def unshared(folder, seed):
    distances = {"relative_attention": True, "pos_att_type": "c2p|p2c", "max_relative_positions": 20}
    shape = {"hidden_size": 26, "num_attention_heads": 2, "intermediate_size": 50, "embedding_size": 20}
    model = DebertaV2Model(config(**distances, **shape, type_vocab_size=2, hidden_act="relu"))
    write_embedder(folder, seed, model, tokenizer(), Pooling(26, "cls"))


@without_p2c(
    "deberta-c2p-convolution",
    "v2-xlarge: a convolution of three tokens after the first layer, with gelu; only queries meet the distances, in "
    "14 buckets up to 30.",
)
def c2p_convolution(folder, seed):
    changes = {"pos_att_type": ["c2p"], "conv_kernel_size": 3, "conv_act": "gelu", "max_relative_positions": 30}
    model = DebertaV2Model(config(**V3 | changes | {"position_buckets": 14}))
    write_embedder(folder, seed, model, tokenizer(), Pooling(HIDDEN, "mean"))


@embedder(
    "deberta-p2c-convolution",
    "A convolution of five tokens with its default activation, tanh; only keys meet the distances.",
)
def p2c_convolution(folder, seed):
    model = DebertaV2Model(config(**V3 | {"pos_att_type": ["p2c"]}, conv_kernel_size=5))
    write_embedder(folder, seed, model, tokenizer(), Pooling(HIDDEN, "max"))


@without_p2c(
    "deberta-plain-prefixed",
    "A DebertaV2ForMaskedLM checkpoint without modules.json, prefix deberta.: no distances, and positions alone.",
)
def plain_prefixed(folder, seed):
    write_plain(folder, randomize(DebertaV2ForMaskedLM(config()), seed), tokenizer())


@without_p2c(
    "deberta-scaled-only",
    "pos_att_type without relative_attention: it divides the scores, and nothing more.",
)
def scaled_only(folder, seed):
    model = DebertaV2Model(config(pos_att_type=["p2c", "c2p"], num_hidden_layers=1))
    write_embedder(folder, seed, model, tokenizer(), Pooling(HIDDEN, "mean"))


@reranker("deberta-cross-encoder", "v3 with one label: gelu in the pooler, sigmoid; 64 buckets of distances.")
def cross_encoder(folder, seed):
    model = DebertaV2ForSequenceClassification(config(**V3 | {"position_buckets": 64}, num_labels=1))
    write_plain(folder, randomize(model, seed), tokenizer())


@reranker("deberta-cross-encoder-3-labels", "Three labels, tanh in the pooler; model_max_length 30, two token types.")
def cross_encoder_3_labels(folder, seed):
    changes = {"num_labels": 3, "num_hidden_layers": 1, "pooler_hidden_act": "tanh", "type_vocab_size": 2}
    model = DebertaV2ForSequenceClassification(config(**V3, **changes))
    write_plain(folder, randomize(model, seed), tokenizer(limit=30))
