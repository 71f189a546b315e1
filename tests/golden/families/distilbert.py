"""DistilBERT: BERT without token types, under names of its own."""

from functools import partial

from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling
from transformers import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    DistilBertModel,
    DistilBertTokenizer,
)

from common import fixture, randomize, write_embedder, write_json, write_plain
from families import bert

HIDDEN = 32

embedder = partial(fixture, unused=r"\.k_lin\.bias$")
reranker = partial(fixture, kind="rerank", unused=r"\.k_lin\.bias$")


def config(**changes):
    sizes = {
        "vocab_size": bert.VOCABULARY,
        "dim": HIDDEN,
        "n_layers": 2,
        "n_heads": 4,
        "hidden_dim": 64,
        "max_position_embeddings": bert.POSITIONS,
    }
    return DistilBertConfig(**sizes | changes)


def tokenizer():
    return DistilBertTokenizer(vocab=dict(bert.vocabulary(lower_case=True)))


@embedder("distilbert-mean-dense", "Mean pooling, Dense with Tanh, Normalize.")
def mean_dense(folder, seed):
    model = DistilBertModel(config())
    write_embedder(folder, seed, model, tokenizer(), Pooling(HIDDEN, "mean"), Dense(HIDDEN, 20), Normalize())


@embedder("distilbert-odd-heads", "Three layers with heads of 13, activation relu, sinusoidal_pos_embds; CLS pooling.")
def odd_heads(folder, seed):
    shape = {"dim": 26, "n_layers": 3, "n_heads": 2, "hidden_dim": 50}
    model = DistilBertModel(config(**shape, activation="relu", sinusoidal_pos_embds=True))
    write_embedder(folder, seed, model, tokenizer(), Pooling(26, "cls"))


@embedder(
    "distilbert-prefixed",
    "A DistilBertForMaskedLM checkpoint without modules.json, prefix distilbert., and a config.json that uses the "
    "names hidden_size, num_attention_heads and num_hidden_layers.",
)
def prefixed(folder, seed):
    model = DistilBertForMaskedLM(config())
    write_plain(folder, randomize(model, seed), tokenizer())
    names = {"dim": "hidden_size", "n_heads": "num_attention_heads", "n_layers": "num_hidden_layers"}
    settings = model.config.to_diff_dict() | {"architectures": ["DistilBertForMaskedLM"]}
    write_json(folder / "config.json", {names.get(key, key): value for key, value in settings.items()})


@reranker("distilbert-cross-encoder", "One label: sigmoid.")
def cross_encoder(folder, seed):
    model = DistilBertForSequenceClassification(config(num_labels=1))
    write_plain(folder, randomize(model, seed), tokenizer())


@reranker("distilbert-cross-encoder-3-labels", "Three labels without names: scores are probabilities.")
def cross_encoder_3_labels(folder, seed):
    model = DistilBertForSequenceClassification(config(num_labels=3, n_layers=1))
    write_plain(folder, randomize(model, seed), tokenizer())
