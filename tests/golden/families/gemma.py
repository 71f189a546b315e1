"""Gemma and the text part of Gemma 3: scaled words, norms stored less one, windows, four norms a layer."""

from functools import partial

import torch
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import (
    Gemma3TextConfig,
    Gemma3TextForSequenceClassification,
    Gemma3TextModel,
    GemmaConfig,
    GemmaForSequenceClassification,
    GemmaModel,
)

from common import edit_json, fixture, randomize, write_embedder, write_plain
from families.qwen import sizes, tokenizer

reranker = partial(fixture, kind="rerank")


def words():
    return tokenizer(pad="<|im_start|>")


def gemma(**changes):
    return GemmaConfig(**sizes(pad_token_id=1, head_dim=16, num_key_value_heads=1, **changes))


def gemma3(**changes):
    rope = {
        "full_attention": {"rope_type": "default", "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    options = {"rope_parameters": rope, "head_dim": 16, "num_hidden_layers": 3, "query_pre_attn_scalar": 24}
    types = ["sliding_attention", "full_attention", "sliding_attention"]
    return Gemma3TextConfig(**sizes(pad_token_id=1, layer_types=types) | options | changes)


@fixture("gemma-last", "Gemma, last token; the activation under its first, mistaken name.")
def gemma_last(folder, seed):
    write_embedder(folder, seed, GemmaModel(gemma()), words(), Pooling(32, "lasttoken"), Normalize())
    edit_json(folder / "config.json", hidden_act="gelu")


@reranker("gemma-classifier", "Gemma with one label at the last token.")
def gemma_classifier(folder, seed):
    write_plain(folder, randomize(GemmaForSequenceClassification(gemma(num_labels=1)), seed), words())


@fixture("gemma3-bidirectional", "As EmbeddingGemma: windows to both sides, mean pooling, two Dense layers, Normalize.")
def gemma3_bidirectional(folder, seed):
    config = gemma3(use_bidirectional_attention=True, sliding_window=8)
    dense = partial(Dense, bias=False, activation_function=torch.nn.Identity())
    modules = [Pooling(32, "mean"), dense(32, 48), dense(48, 32), Normalize()]
    write_embedder(folder, seed, Gemma3TextModel(config), words(), *modules)


@fixture("gemma3-causal", "Causal with windows of 5; the keys of transformers 4; the layers' kinds by their number; stretched positions.")
def gemma3_causal(folder, seed):
    rope = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e3},
    }
    config = gemma3(sliding_window=5, rope_parameters=rope, layer_types=None, sliding_window_pattern=2)
    write_embedder(folder, seed, Gemma3TextModel(config), words(), Pooling(32, "lasttoken"), Normalize())
    edit_json(
        folder / "config.json",
        rope_parameters=None,
        layer_types=None,
        rope_theta=1e6,
        rope_local_base_freq=1e3,
        rope_scaling={"rope_type": "linear", "factor": 8.0},
        sliding_window_pattern=2,
    )


@reranker("gemma3-classifier", "Gemma 3 with three labels at the last token.")
def gemma3_classifier(folder, seed):
    write_plain(folder, randomize(Gemma3TextForSequenceClassification(gemma3(num_labels=3)), seed), words())
