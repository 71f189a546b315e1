"""EuroBERT: Llama's layers without the causal mask, and a head that reads one token, their average, or each of them."""

from functools import partial

from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import EuroBertConfig, EuroBertForSequenceClassification, EuroBertModel

from common import fixture, randomize, write_embedder, write_plain
from families.qwen import sizes, tokenizer

reranker = partial(fixture, kind="rerank")


def config(**changes):
    return EuroBertConfig(**sizes(rms_norm_eps=1e-5, pad_token_id=1, **changes))


def words():
    return tokenizer(pad="<|im_start|>")


@fixture("eurobert-mean", "Mean pooling, Normalize; heads of 16, two for one key head.")
def mean(folder, seed):
    write_embedder(folder, seed, EuroBertModel(config(head_dim=16)), words(), Pooling(32, "mean"), Normalize())


@fixture("eurobert-last-biased", "Last token; biases of every linear layer; as many key heads as heads.")
def last_biased(folder, seed):
    options = {"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 4}
    write_embedder(folder, seed, EuroBertModel(config(**options)), words(), Pooling(32, "lasttoken"))


@reranker("eurobert-classifier-late", "Three labels; each token gives logits of its own, which are averaged.")
def classifier_late(folder, seed):
    write_plain(folder, randomize(EuroBertForSequenceClassification(config(num_labels=3)), seed), words())


@reranker("eurobert-classifier-first", "One label at the first token.")
def classifier_first(folder, seed):
    model = EuroBertForSequenceClassification(config(num_labels=1, classifier_pooling="bos"))
    write_plain(folder, randomize(model, seed), words())


@reranker("eurobert-classifier-mean", "One label at the average of all tokens.")
def classifier_mean(folder, seed):
    model = EuroBertForSequenceClassification(config(num_labels=1, classifier_pooling="mean"))
    write_plain(folder, randomize(model, seed), words())
