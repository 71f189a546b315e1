"""ModernBERT: norms before each step, windows in most layers, two kinds of positions, joined weights."""

from functools import partial

from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import (
    ModernBertConfig,
    ModernBertForMaskedLM,
    ModernBertForSequenceClassification,
    ModernBertModel,
)

from common import edit_json, fixture, randomize, write_embedder, write_plain
from families.bert import tokenizer

LIMIT = 72

reranker = partial(fixture, kind="rerank")


def config(**changes):
    sizes = {
        "vocab_size": 416,
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": LIMIT,
        "local_attention": 10,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "cls_token_id": 2,
        "eos_token_id": 3,
        "sep_token_id": 3,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 160_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
        },
    }
    return ModernBertConfig(**sizes | changes)


def words():
    return tokenizer(model_max_length=LIMIT, model_input_names=["input_ids", "attention_mask"])


@fixture("modernbert-mean", "Mean pooling, Normalize; windows of 5 tokens to each side.")
def mean(folder, seed):
    write_embedder(folder, seed, ModernBertModel(config()), words(), Pooling(32, "mean"), Normalize())


@fixture("modernbert-cls", "First token; biases everywhere; heads of 10; the keys of transformers 4.48.")
def cls(folder, seed):
    biases = {"norm_bias": True, "attention_bias": True, "mlp_bias": True}
    sizes = {"hidden_size": 40, "num_attention_heads": 4, "num_hidden_layers": 3, "hidden_activation": "silu"}
    types = ["full_attention", "sliding_attention", "full_attention"]
    model = ModernBertModel(config(**biases, **sizes, layer_types=types))
    write_embedder(folder, seed, model, words(), Pooling(40, "cls"))
    old = {"global_rope_theta": 160_000.0, "local_rope_theta": 100.0, "global_attn_every_n_layers": 2}
    edit_json(folder / "config.json", rope_parameters=None, layer_types=None, **old)


@fixture("modernbert-masked-language-model", "A whole masked language model without modules.json: prefix `model.`, a head that is not read.")
def masked_language_model(folder, seed):
    write_plain(folder, randomize(ModernBertForMaskedLM(config()), seed), words())


@reranker("modernbert-classifier", "One label, told from the average of all tokens.")
def classifier(folder, seed):
    model = ModernBertForSequenceClassification(config(num_labels=1, classifier_pooling="mean"))
    write_plain(folder, randomize(model, seed), words())


@reranker("modernbert-classifier-first", "Three labels, told from the first token; biases in the head; another activation.")
def classifier_first(folder, seed):
    options = {"classifier_bias": True, "norm_bias": True, "classifier_activation": "relu"}
    model = ModernBertForSequenceClassification(config(num_labels=3, num_hidden_layers=2, **options))
    write_plain(folder, randomize(model, seed), words())
