"""ELECTRA: BERT with embeddings of another width, and a classifier of its own."""

from functools import partial

from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import ElectraConfig, ElectraForPreTraining, ElectraForSequenceClassification, ElectraModel

from common import fixture, randomize, write_embedder, write_plain
from families import bert

HIDDEN = 32

embedder = partial(fixture, unused=r"\.key\.bias$")
reranker = partial(fixture, kind="rerank", unused=r"\.key\.bias$")


def config(**changes):
    sizes = {
        "vocab_size": bert.VOCABULARY,
        "embedding_size": 20,
        "hidden_size": HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": bert.POSITIONS,
    }
    return ElectraConfig(**sizes | changes)


@embedder("electra-mean-normalize", "Embeddings of 20 numbers projected to 32; mean pooling, then Normalize.")
def mean_normalize(folder, seed):
    model = ElectraModel(config())
    write_embedder(folder, seed, model, bert.tokenizer(), Pooling(HIDDEN, "mean"), Normalize())


@embedder(
    "electra-same-width",
    "Embeddings as wide as the layers, so no projection; heads of 13, gelu_new, CLS pooling.",
)
def same_width(folder, seed):
    shape = {"embedding_size": 26, "hidden_size": 26, "num_attention_heads": 2, "intermediate_size": 50}
    model = ElectraModel(config(**shape, hidden_act="gelu_new", layer_norm_eps=1e-3))
    write_embedder(folder, seed, model, bert.tokenizer(), Pooling(26, "cls"))


@embedder(
    "electra-prefixed",
    "An ElectraForPreTraining checkpoint without modules.json: prefix electra., its head unread.",
)
def prefixed(folder, seed):
    write_plain(folder, randomize(ElectraForPreTraining(config()), seed), bert.tokenizer())


@reranker("electra-cross-encoder", "One label: sigmoid.")
def cross_encoder(folder, seed):
    write_plain(folder, randomize(ElectraForSequenceClassification(config(num_labels=1)), seed), bert.tokenizer())


@reranker("electra-cross-encoder-3-labels", "Three labels without names; the layers use relu, the classifier gelu.")
def cross_encoder_3_labels(folder, seed):
    model = ElectraForSequenceClassification(config(num_labels=3, num_hidden_layers=1, hidden_act="relu"))
    write_plain(folder, randomize(model, seed), bert.tokenizer())
