"""ALBERT: layers that share weights in groups, behind embeddings of another width."""

from functools import cache, partial
from unicodedata import combining, normalize

from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import (
    AlbertConfig,
    AlbertForPreTraining,
    AlbertForSequenceClassification,
    AlbertModel,
    AlbertTokenizer,
)

from common import PAIR_CASES, TEXT_CASES, fixture, randomize, unigram, write_embedder, write_plain

HIDDEN = 32
LIMIT = 72
VOCABULARY = 400
SPECIAL_TOKENS = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]

MARKED = [{"name": "pads", "text": "<pad><pad> hello <pad> the [MASK] dog ``quoted''"}]

embedder = partial(fixture, unused=r"\.key\.bias$|\.pooler\.", cases=[*TEXT_CASES, *MARKED])
reranker = partial(fixture, kind="rerank", unused=r"\.key\.bias$")


@cache
def pieces():
    def plain(text):
        return "".join(character for character in normalize("NFKD", text.lower()) if not combining(character))

    return unigram(SPECIAL_TOKENS, [], VOCABULARY, plain)


def tokenizer(**options):
    return AlbertTokenizer(vocab=[*pieces()], model_max_length=LIMIT, **options)


def config(**changes):
    sizes = {
        "vocab_size": VOCABULARY,
        "embedding_size": 20,
        "hidden_size": HIDDEN,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": LIMIT,
    }
    return AlbertConfig(**sizes | changes)


@embedder("albert-mean-normalize", "Three times the same layer, gelu_new; mean pooling, then Normalize.")
def mean_normalize(folder, seed):
    write_embedder(folder, seed, AlbertModel(config()), tokenizer(), Pooling(HIDDEN, "mean"), Normalize())


@embedder(
    "albert-groups",
    "Three turns shared by two groups of two layers each; heads of 13, hidden_act gelu, embeddings as wide as the "
    "layers and yet projected; CLS pooling.",
)
def groups(folder, seed):
    shape = {"embedding_size": 26, "hidden_size": 26, "num_attention_heads": 2, "intermediate_size": 50}
    counts = {"num_hidden_layers": 3, "num_hidden_groups": 2, "inner_group_num": 2}
    model = AlbertModel(config(**shape, **counts, hidden_act="gelu", layer_norm_eps=1e-3))
    write_embedder(folder, seed, model, tokenizer(), Pooling(26, "cls"))


@embedder(
    "albert-prefixed",
    "An AlbertForPreTraining checkpoint without modules.json: prefix albert., its heads unread.",
)
def prefixed(folder, seed):
    write_plain(folder, randomize(AlbertForPreTraining(config()), seed), tokenizer())


@reranker("albert-cross-encoder", "One label; the tokenizer gives token types.")
def cross_encoder(folder, seed):
    words = tokenizer(model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    write_plain(folder, randomize(AlbertForSequenceClassification(config(num_labels=1)), seed), words)


@reranker("albert-cross-encoder-3-labels", "Three labels without names.")
def cross_encoder_3_labels(folder, seed):
    words = tokenizer(model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    write_plain(folder, randomize(AlbertForSequenceClassification(config(num_labels=3)), seed), words)
