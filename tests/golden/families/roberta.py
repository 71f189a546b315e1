"""RoBERTa, XLM-RoBERTa and CamemBERT: positions that skip padding tokens, and three kinds of tokenizers."""

from functools import cache, partial

from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import (
    CamembertConfig,
    CamembertForSequenceClassification,
    CamembertModel,
    CamembertTokenizer,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    RobertaModel,
    RobertaTokenizer,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
    XLMRobertaTokenizer,
)

from common import (
    PAIR_CASES,
    TEXT_CASES,
    byte_level_bpe,
    edit_weights,
    fixture,
    randomize,
    unigram,
    write_embedder,
    write_plain,
)
from families import bert

HIDDEN = 32
LIMIT = 72
VOCABULARY = 400
ONE_LAYER = {"num_hidden_layers": 1}

# Padding tokens that a text holds take the padding token's position, and no token behind them counts them.
MARKED_TEXTS = [
    {"name": "marked", "text": "<s> hello </s> the <mask> dog <pad> <unk> end"},
    {"name": "pads", "text": "<pad><pad> hello <pad> the dog <pad>"},
    {"name": "pads-over-the-limit", "text": "the dog <pad> and " * 40},
]
MARKED_PAIRS = [{"name": "pads", "query": "<pad> hello <pad>", "document": "the </s> dog <pad> and <pad> end"}]
TEXTS = [*TEXT_CASES, *MARKED_TEXTS]
PAIRS = [*PAIR_CASES, *MARKED_PAIRS]

embedder = partial(fixture, unused=r"\.key\.bias$|\.pooler\.", cases=TEXTS)
reranker = partial(fixture, kind="rerank", unused=r"\.key\.bias$", cases=PAIRS)


def sizes(**changes):
    """`pad_token_id` and the rows of the position table go together: LIMIT tokens have rows of their own."""
    pad = changes.get("pad_token_id", 1)
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": LIMIT + pad + 1,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
        "pad_token_id": pad,
    } | changes


@cache
def bytes_and_merges(first):
    return byte_level_bpe(first, ["<mask>"], VOCABULARY)


def byte_level(first=("<s>", "<pad>", "</s>", "<unk>"), **options):
    vocabulary, merges = bytes_and_merges(first)
    return RobertaTokenizer(vocab=dict(vocabulary), merges=[*merges], model_max_length=LIMIT, **options)


def xlm_pieces():
    words = unigram(["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"], VOCABULARY)
    return XLMRobertaTokenizer(vocab=words, model_max_length=LIMIT)


def camembert_pieces():
    first = ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>"]
    return CamembertTokenizer(vocab=unigram(first, ["<mask>"], VOCABULARY), model_max_length=LIMIT)


def three_labels():
    names = ["contradiction", "entailment", "neutral"]
    return {
        "num_labels": 3,
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }


# --- RoBERTa ----------------------------------------------------------------------------------------------------------


@embedder("roberta-mean-normalize", "A byte-level BPE tokenizer; mean pooling, then Normalize.")
def mean_normalize(folder, seed):
    model = RobertaModel(RobertaConfig(**sizes()))
    write_embedder(folder, seed, model, byte_level(), Pooling(HIDDEN, "mean"), Normalize())


@embedder(
    "roberta-odd-heads",
    "Three layers with heads of 13, hidden_act gelu_new, two token types of which only the first is used; CLS pooling.",
)
def odd_heads(folder, seed):
    shape = {"hidden_size": 26, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 50}
    model = RobertaModel(RobertaConfig(**sizes(**shape, hidden_act="gelu_new", type_vocab_size=2)))
    write_embedder(folder, seed, model, byte_level(), Pooling(26, "cls"))


@embedder("roberta-pad-id", "The padding token is token 5: positions start at 6.")
def pad_id(folder, seed):
    words = byte_level(first=("<s>", "</s>", "<unk>", "<extra>", "<other>", "<pad>"))
    model = RobertaModel(RobertaConfig(**sizes(pad_token_id=5, bos_token_id=0, eos_token_id=1, hidden_act="relu")))
    write_embedder(folder, seed, model, words, Pooling(HIDDEN, "mean"))


@embedder(
    "roberta-prefixed",
    "A RobertaForMaskedLM checkpoint without modules.json: prefix roberta., and its head unread.",
)
def prefixed(folder, seed):
    model = RobertaForMaskedLM(RobertaConfig(**sizes()))
    write_plain(folder, randomize(model, seed), byte_level(add_prefix_space=True))


@embedder("roberta-wordpiece", "A BERT tokenizer that gives token types before a table of one row.", cases=TEXT_CASES)
def wordpiece(folder, seed):
    words = bert.tokenizer(model_max_length=LIMIT)
    model = RobertaModel(RobertaConfig(**sizes(pad_token_id=0)))
    write_embedder(folder, seed, model, words, Pooling(HIDDEN, "max"))


@reranker("roberta-cross-encoder", "One label: sigmoid.")
def cross_encoder(folder, seed):
    model = RobertaForSequenceClassification(RobertaConfig(**sizes(num_labels=1)))
    write_plain(folder, randomize(model, seed), byte_level())


@reranker("roberta-cross-encoder-3-labels", "Three named labels: scores are probabilities.")
def cross_encoder_3_labels(folder, seed):
    model = RobertaForSequenceClassification(RobertaConfig(**sizes(**three_labels(), **ONE_LAYER)))
    write_plain(folder, randomize(model, seed), byte_level())


@reranker(
    "roberta-cross-encoder-types",
    "A BERT tokenizer and two token types: the second text of a pair is of type 1.",
    cases=PAIR_CASES,
)
def cross_encoder_types(folder, seed):
    words = bert.tokenizer(model_max_length=LIMIT)
    shape = sizes(num_labels=1, type_vocab_size=2, pad_token_id=0, **ONE_LAYER)
    write_plain(folder, randomize(RobertaForSequenceClassification(RobertaConfig(**shape)), seed), words)


# --- XLM-RoBERTa ------------------------------------------------------------------------------------------------------


@embedder("xlm-roberta-cls-normalize", "A Unigram tokenizer; CLS pooling, then Normalize.")
def xlm_cls_normalize(folder, seed):
    model = XLMRobertaModel(XLMRobertaConfig(**sizes()))
    write_embedder(folder, seed, model, xlm_pieces(), Pooling(HIDDEN, "cls"), Normalize())


@reranker("xlm-roberta-cross-encoder", "A Unigram tokenizer; one label.")
def xlm_cross_encoder(folder, seed):
    model = XLMRobertaForSequenceClassification(XLMRobertaConfig(**sizes(num_labels=1)))
    write_plain(folder, randomize(model, seed), xlm_pieces())


@embedder(
    "xlm-roberta-position-ids",
    "An old checkpoint: prefix roberta., gamma and beta, position_ids among the weights.",
)
def xlm_position_ids(folder, seed):
    model = XLMRobertaForSequenceClassification(XLMRobertaConfig(**sizes(**ONE_LAYER)))
    write_embedder(folder, seed, model.roberta, xlm_pieces(), Pooling(HIDDEN, "mean"))

    def old_names(tensors):
        renamed = {
            "roberta." + name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): tensor
            for name, tensor in tensors.items()
        }
        return renamed | {"roberta.embeddings.position_ids": model.roberta.embeddings.position_ids}

    edit_weights(folder / "model.safetensors", old_names)


# --- CamemBERT --------------------------------------------------------------------------------------------------------


@embedder("camembert-mean", "A Unigram tokenizer whose <s> is token 5 while the padding token is 1; mean pooling.")
def camembert_mean(folder, seed):
    model = CamembertModel(CamembertConfig(**sizes(bos_token_id=5, eos_token_id=6)))
    write_embedder(folder, seed, model, camembert_pieces(), Pooling(HIDDEN, "mean"))


@reranker("camembert-cross-encoder", "One label.")
def camembert_cross_encoder(folder, seed):
    shape = sizes(num_labels=1, bos_token_id=5, eos_token_id=6, **ONE_LAYER)
    model = CamembertForSequenceClassification(CamembertConfig(**shape))
    write_plain(folder, randomize(model, seed), camembert_pieces())
