"""SPLADE: masked language models whose logits become a weight for each word, as SparseEncoder has them."""

from functools import partial
from tempfile import TemporaryDirectory

import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from sentence_transformers.sparse_encoder.modules import SpladePooling, SparseStaticEmbedding
from transformers import (
    BertForMaskedLM,
    DistilBertForMaskedLM,
    ModernBertForMaskedLM,
    RobertaForMaskedLM,
)

from common import fixture, randomize, write_embedder
from families import bert, distilbert, modernbert, roberta
from families.bert import ONE_LAYER, short

sparse = partial(fixture, kind="sparse", unused=r"\.key\.bias$|\.k_lin\.bias$|\.pooler\.", cases=short())


def write_sparse(folder, seed, model, words, pooling, query=False, **options):
    """A folder as sentence-transformers saves it; with fixed weights for queries where it shall have them."""
    with TemporaryDirectory() as backbone:
        model.save_pretrained(backbone)
        words.save_pretrained(backbone)
        transformer = Transformer(backbone, transformer_task="fill-mask")
        modules = [transformer, pooling]
        if query:
            fixed = SparseStaticEmbedding(transformer.tokenizer)
            modules = [Router.for_query_document([fixed], modules)]
        encoder = SparseEncoder(modules=modules, device="cpu", **options)
        randomize(encoder, seed)
        if query:
            # A word in three has no weight.
            fixed.weight.data.copy_(torch.where(torch.arange(fixed.weight.numel()) % 3 == 0, 0, fixed.weight.abs()))
        encoder.save(str(folder), create_model_card=False)


@sparse("sparse-bert-max", "A BERT with SpladePooling: the greatest logit of each word; the decoder is the embedding table.")
def bert_max(folder, seed):
    write_sparse(folder, seed, BertForMaskedLM(bert.config()), bert.tokenizer(), SpladePooling("max"))


@sparse("sparse-bert-sum", "The sum over all tokens, and the names of older versions: MLMTransformer and its module.")
def bert_sum(folder, seed):
    model = BertForMaskedLM(bert.config(**ONE_LAYER, hidden_act="relu"))
    write_sparse(folder, seed, model, bert.tokenizer(), SpladePooling("sum"))
    path = folder / "modules.json"
    names = path.read_text("utf-8").replace(
        "sentence_transformers.base.modules.transformer.Transformer",
        "sentence_transformers.sparse_encoder.models.MLMTransformer",
    )
    path.write_text(names, "utf-8")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 30, "do_lower_case": false}\n', "utf-8")


@sparse(
    "sparse-bert-untied",
    "A decoder with a matrix of its own, and logarithms taken twice.",
    unused=r"\.key\.bias$|predictions\.bias$",
)
def bert_untied(folder, seed):
    model = BertForMaskedLM(bert.config(**ONE_LAYER, tie_word_embeddings=False))
    pooling = SpladePooling("max", activation_function="log1p_relu")
    write_sparse(folder, seed, model, bert.tokenizer(), pooling)


QUERY = {"task": "query", "special": False}


@sparse(
    "sparse-distilbert-fixed-queries",
    "A Router: documents go through a DistilBERT, and of queries every word has a weight of its own.",
    cases=[
        *short(),
        *(case | {"name": case["name"] + "-document", "task": "document"} for case in short()),
        *(case | {"name": case["name"] + "-query"} | QUERY for case in short()),
        {"name": "repeated-query", "text": "the sea, the sea and the dog"} | QUERY,
    ],
)
def distilbert_fixed_queries(folder, seed):
    model = DistilBertForMaskedLM(distilbert.config(n_layers=1))
    pooling = SpladePooling("max", activation_function="log1p_relu")
    write_sparse(folder, seed, model, distilbert.tokenizer(), pooling, query=True)


@sparse("sparse-roberta", "A RoBERTa's head, behind byte-level BPE.")
def roberta_max(folder, seed):
    model = RobertaForMaskedLM(roberta.RobertaConfig(**roberta.sizes(num_hidden_layers=1)))
    write_sparse(folder, seed, model, roberta.byte_level(), SpladePooling("max"))


@sparse("sparse-modernbert", "A ModernBERT's head, whose norm has no bias.")
def modernbert_max(folder, seed):
    model = ModernBertForMaskedLM(modernbert.config(decoder_bias=True))
    write_sparse(folder, seed, model, modernbert.words(), SpladePooling("max"))


@fixture(
    "bge-m3-words",
    "An XLM-RoBERTa with sparse_linear.pt beside it: a weight for each token, of which a word's greatest counts; the "
    "reference is plain torch after FlagEmbedding's description.",
    kind="words",
    unused=r"\.key\.bias$|\.pooler\.",
    cases=[*short(), {"name": "repeated", "text": "the sea, the sea and the dog"}],
)
def bge_m3_words(folder, seed):
    model = roberta.XLMRobertaModel(roberta.XLMRobertaConfig(**roberta.sizes(num_hidden_layers=1)))
    write_embedder(folder, seed, model, roberta.xlm_pieces(), Pooling(32, "cls"), Normalize())
    generator = torch.Generator().manual_seed(seed)
    head = {"weight": 0.3 * torch.randn(1, 32, generator=generator), "bias": torch.tensor([0.2])}
    torch.save({name: tensor.half() for name, tensor in head.items()}, folder / "sparse_linear.pt")
