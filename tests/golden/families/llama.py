"""Llama and Mistral: the plain form of the decoders, and the ways in which Llama 3 stretches its positions."""

from functools import partial

from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import (
    LlamaConfig,
    LlamaForSequenceClassification,
    LlamaModel,
    MistralConfig,
    MistralForSequenceClassification,
    MistralModel,
)

from common import edit_json, fixture, randomize, write_embedder, write_plain
from families.qwen import sizes, tokenizer

reranker = partial(fixture, kind="rerank")


def llama(**changes):
    return LlamaConfig(**sizes(**changes))


@fixture("llama-last", "Llama with one key head for four, last token.")
def llama_last(folder, seed):
    write_embedder(folder, seed, LlamaModel(llama(num_key_value_heads=1)), tokenizer(), Pooling(32, "lasttoken"))


@fixture("llama-bidirectional", "is_causal false, biases everywhere, mean pooling, as llama-nemotron reads it.")
def llama_bidirectional(folder, seed):
    config = llama(is_causal=False, attention_bias=True, mlp_bias=True, num_key_value_heads=4)
    write_embedder(folder, seed, LlamaModel(config), tokenizer(), Pooling(32, "mean"), Normalize())


@fixture("llama-stretched", "Llama 3's stretching of positions, in the keys of transformers 4; heads of 24; three layers.")
def llama_stretched(folder, seed):
    scaling = {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 24,
    }
    config = llama(head_dim=24, num_hidden_layers=3, rope_parameters={**scaling, "rope_theta": 500.0})
    write_embedder(folder, seed, LlamaModel(config), tokenizer(), Pooling(32, "lasttoken"), Normalize())
    edit_json(folder / "config.json", rope_parameters=None, rope_theta=500.0, rope_scaling=scaling)


@fixture("llama-linear", "Positions divided by a factor; the kind of scaling under its oldest key.")
def llama_linear(folder, seed):
    config = llama(rope_parameters={"rope_type": "linear", "factor": 2.5, "rope_theta": 1e4}, num_hidden_layers=1)
    write_embedder(folder, seed, LlamaModel(config), tokenizer(), Pooling(32, "weightedmean"))
    scaling = {"type": "linear", "factor": 2.5}
    edit_json(folder / "config.json", rope_parameters=None, rope_theta=1e4, rope_scaling=scaling)


@reranker("llama-classifier", "One label at the last token.")
def llama_classifier(folder, seed):
    config = llama(num_labels=1, pad_token_id=1)
    write_plain(folder, randomize(LlamaForSequenceClassification(config), seed), tokenizer(pad="<|im_start|>"))


@fixture("mistral-window", "Mistral: every layer sees a window of 6 tokens.")
def mistral_window(folder, seed):
    config = MistralConfig(**sizes(sliding_window=6, head_dim=16))
    write_embedder(folder, seed, MistralModel(config), tokenizer(), Pooling(32, "lasttoken"), Normalize())


@reranker("mistral-classifier", "Three labels at the last token, no window.")
def mistral_classifier(folder, seed):
    config = MistralConfig(**sizes(num_labels=3, sliding_window=None, pad_token_id=1))
    write_plain(folder, randomize(MistralForSequenceClassification(config), seed), tokenizer(pad="<|im_start|>"))
