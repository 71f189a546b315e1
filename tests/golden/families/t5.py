"""Encoders of T5, mT5 and UMT5: scores that are not scaled, and learned numbers for distances."""

import json
from functools import cache, partial

from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from torch.nn import Identity
from transformers import (
    MT5Config,
    MT5EncoderModel,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

from common import TEXT_CASES, edit_weights, fixture, randomize, unigram, write_embedder, write_json, write_plain

VOCABULARY = 400
LIMIT = 150
EXTRA_IDS = 3

# Each token beyond the first bucket of all is in use; distances of 91 and more share one.
MARKED = [{"name": "marked", "text": "</s> hello <extra_id_0> the <pad> dog <unk> end"}]
embedder = partial(fixture, cases=[*TEXT_CASES, *MARKED])


@cache
def pieces():
    extra = [f"<extra_id_{index}>" for index in reversed(range(EXTRA_IDS))]
    return unigram(["<pad>", "</s>", "<unk>"], extra, VOCABULARY)


def tokenizer():
    return T5Tokenizer(vocab=pieces(), extra_ids=EXTRA_IDS, model_max_length=LIMIT)


def sizes(**changes):
    return {
        "vocab_size": VOCABULARY,
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 64,
        "num_layers": 2,
        "num_heads": 4,
    } | changes


@embedder("t5-mean-dense-normalize", "sentence-t5: relu; mean, Dense without bias and activation, Normalize.")
def mean_dense_normalize(folder, seed):
    modules = [Pooling(32, "mean"), Dense(32, 24, bias=False, activation_function=Identity()), Normalize()]
    write_embedder(folder, seed, T5EncoderModel(T5Config(**sizes())), tokenizer(), *modules)


@embedder(
    "t5-gated-gelu",
    "T5 1.1: gated-gelu, three heads of 16 that are wider together than the model, 12 buckets for distances up to 20.",
)
def gated_gelu(folder, seed):
    changes = {"d_model": 40, "d_kv": 16, "num_heads": 3, "d_ff": 30}
    distances = {"relative_attention_num_buckets": 12, "relative_attention_max_distance": 20}
    config = T5Config(**sizes(**changes), **distances, feed_forward_proj="gated-gelu", layer_norm_epsilon=1e-3)
    write_embedder(folder, seed, T5EncoderModel(config), tokenizer(), Pooling(40, "mean"))


@embedder(
    "t5-whole-model",
    "A T5ForConditionalGeneration checkpoint without modules.json, feed_forward_proj gelu and heads of 5: decoder and "
    "lm_head are not read.",
)
def whole_model(folder, seed):
    config = T5Config(**sizes(d_kv=5, num_decoder_layers=1), feed_forward_proj="gelu")
    write_plain(folder, randomize(T5ForConditionalGeneration(config), seed), tokenizer())


@embedder(
    "t5-embed-tokens",
    "The word vectors stand under encoder.embed_tokens.weight only; gated-silu.",
)
def embed_tokens(folder, seed):
    model = T5EncoderModel(T5Config(**sizes(num_layers=1), feed_forward_proj="gated-silu"))
    write_embedder(folder, seed, model, tokenizer(), Pooling(32, "mean"))
    edit_weights(folder / "model.safetensors", lambda tensors: {
        name.replace("shared.weight", "encoder.embed_tokens.weight"): tensor for name, tensor in tensors.items()
    })


@embedder("mt5-mean", "mT5, whose config.json names no feed_forward_proj; one head alone.")
def mt5(folder, seed):
    model = MT5EncoderModel(MT5Config(**sizes(num_heads=1, d_kv=24)))
    write_embedder(folder, seed, model, tokenizer(), Pooling(32, "mean"))
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    write_json(folder / "config.json", {key: value for key, value in settings.items() if key != "feed_forward_proj"})


@embedder("umt5-mean", "UMT5: a table of distances in each layer.")
def umt5(folder, seed):
    model = UMT5EncoderModel(UMT5Config(**sizes()))
    write_embedder(folder, seed, model, tokenizer(), Pooling(32, "mean"), Normalize())
