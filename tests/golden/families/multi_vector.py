"""ColBERT: vectors of tokens, in the folders of sentence-transformers, of PyLate and of Stanford; and BGE-M3's."""

import json
import string
from functools import partial
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.sentence_transformer.modules import Normalize as NormalizeTexts
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import BertModel, BertTokenizer, JinaEmbeddingsV3Model, ModernBertModel, Qwen3Model

from common import (
    KIND_CASES,
    TokenComparer,
    edit_json,
    edit_weights,
    fixture,
    randomize,
    write_embedder,
    write_json,
    write_plain,
)
from families import bert, jina_flash, modernbert, qwen, roberta
from families.bert import ONE_LAYER

HIDDEN = 32
WIDTH = 12

multi_vector = partial(fixture, kind="multi_vector", unused=r"\.key\.bias$|\.pooler\.")


def projection(inputs=HIDDEN, outputs=WIDTH, **options):
    identity = {"bias": False, "activation_function": torch.nn.Identity()}
    return Dense(inputs, outputs, **identity | options, module_input_name="token_embeddings")


def normalize():
    return Normalize(module_input_name="token_embeddings")


def write_modules(folder, seed, model, words, *modules, reading=None, **options):
    """A folder as sentence-transformers saves it; `reading`: how its Transformer reads queries and documents."""
    with TemporaryDirectory() as backbone:
        write_plain(backbone, model, words)
        transformer = Transformer(backbone, **reading or {})
        encoder = MultiVectorEncoder(modules=[transformer, *modules], device="cpu", **options)
        randomize(encoder, seed).save(str(folder), create_model_card=False)


# --- sentence-transformers --------------------------------------------------------------------------------------------


@multi_vector(
    "multi-vector-bert",
    "MultiVectorEncoder: queries filled up to 20 tokens that no token attends to, documents cut to 24 without punctuation, "
    "prompts that are plain text.",
)
def native(folder, seed):
    reading = {"document_length": 24, "query_expansion": {"strategy": "fixed", "length": 20}}
    mask = MultiVectorMask(list(string.punctuation))
    prompts = {"query": "[Q] ", "document": "[D] "}
    modules = [projection(), mask, normalize()]
    write_modules(folder, seed, BertModel(bert.config()), bert.tokenizer(), *modules, reading=reading, prompts=prompts)


@multi_vector(
    "multi-vector-attended",
    "Queries filled up to 14 tokens that are attended to and cut at 30, another token than the mask, words left out of queries "
    "too, two Dense modules with a residual, not normalized, the mean over the tokens of a query.",
)
def attended(folder, seed):
    expansion = {"strategy": "min", "length": 14, "attend": True, "token": "[PAD]"}
    reading = {"query_length": 30, "query_expansion": expansion}
    mask = MultiVectorMask([".", "the", "no such word"], skiplist_tasks=["query", "document"])
    residual = {"bias": True, "use_residual": True, "activation_function": torch.nn.Tanh()}
    modules = [projection(outputs=16, **residual), projection(inputs=16), mask]
    model = BertModel(bert.config(**ONE_LAYER))
    write_modules(folder, seed, model, bert.tokenizer(), *modules, reading=reading, similarity_fn_name="meanmaxsim")


@multi_vector(
    "multi-vector-allow-list",
    "Queries cut to 9 tokens and not filled up; of documents the vectors of a few tokens only, or of none.",
)
def allow_list(folder, seed):
    mask = MultiVectorMask(keep_only_token_ids=[5, 6, 20, 30, 40, 50, 60])
    modules = [projection(), mask, normalize()]
    reading = {"query_length": 9}
    write_modules(folder, seed, BertModel(bert.config(**ONE_LAYER)), bert.tokenizer(), *modules, reading=reading)


@multi_vector(
    "multi-vector-qwen3",
    "A causal body, whose queries are filled up with tokens that no token attends to.",
    unused=r"$^",
    cases=[case for case in KIND_CASES if case["text"]],
)
def causal(folder, seed):
    expansion = {"strategy": "fixed", "length": 20, "token": "<|im_start|>"}
    reading = {"document_length": 32, "query_expansion": expansion}
    modules = [projection(), MultiVectorMask(), normalize()]
    words = qwen.tokenizer()
    write_modules(folder, seed, Qwen3Model(qwen.qwen3()), words, *modules, reading=reading)


# --- PyLate -----------------------------------------------------------------------------------------------------------


def as_pylate(folder, **settings):
    """Its modules.json and settings; those of sentence-transformers go."""
    path = folder / "modules.json"
    modules = json.loads(path.read_text("utf-8"))
    for module in modules[1:]:
        module["type"] = "pylate.models.Dense.Dense"
        file = folder / module["path"] / "config.json"
        config = json.loads(file.read_text("utf-8"))
        for key in ["module_input_name", "module_output_name"]:
            config.pop(key, None)
        write_json(file, config)
    modules[0]["type"] = "sentence_transformers.models.Transformer"
    write_json(path, modules)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 31, "do_lower_case": False})
    write_json(folder / "config_sentence_transformers.json", settings)


@multi_vector(
    "multi-vector-pylate",
    "A ModernBERT as PyLate saved it: markers among the added tokens, punctuation left out, queries filled up beyond the "
    "windows of what they hold.",
)
def pylate(folder, seed):
    words = modernbert.words()
    words.add_tokens(["[Q] ", "[D] "])
    write_modules(folder, seed, ModernBertModel(modernbert.config()), words, projection())
    as_pylate(
        folder,
        prompts={"query": None, "document": "passage: "},
        default_prompt_name=None,
        similarity_fn_name="MaxSim",
        query_prefix="[Q] ",
        document_prefix="[D] ",
        query_length=26,
        document_length=30,
        attend_to_expansion_tokens=False,
        skiplist_words=list(string.punctuation),
        do_query_expansion=True,
    )


@multi_vector(
    "multi-vector-pylate-v3",
    "As PyLate saves it, with model_type ColBERT: three Dense modules, one with a residual, queries not filled up, its own "
    "punctuation where the folder names none.",
)
def pylate_v3(folder, seed):
    residual = {"use_residual": True}
    modules = [projection(outputs=20), projection(20, 20, **residual), projection(20)]
    write_modules(folder, seed, BertModel(bert.config(**ONE_LAYER)), bert.tokenizer(), *modules)
    as_pylate(
        folder,
        model_type="ColBERT",
        query_prefix="",
        document_prefix="the ",
        query_length=11,
        document_length=20,
        do_query_expansion=False,
    )


# --- Stanford ---------------------------------------------------------------------------------------------------------


def as_stanford(folder, seed, prefix, **metadata):
    generator = torch.Generator().manual_seed(seed + 1)
    matrix = {"linear.weight": 0.25 * torch.randn(WIDTH, HIDDEN, generator=generator)}
    edit_weights(
        folder / "model.safetensors",
        lambda tensors: {prefix + name: tensor for name, tensor in tensors.items()} | matrix,
    )
    edit_json(folder / "config.json", architectures=["HF_ColBERT"])
    if metadata:
        write_json(folder / "artifact.metadata", metadata)


@multi_vector(
    "multi-vector-stanford",
    "As colbertv2.0: linear.weight beside bert.*, artifact.metadata, the markers [unused0] and [unused1] of its vocabulary.",
)
def stanford(folder, seed):
    vocabulary = dict(bert.vocabulary(True)) | {"[unused0]": 400, "[unused1]": 401}
    words = BertTokenizer(vocab=vocabulary, model_max_length=64)
    write_plain(folder, randomize(BertModel(bert.config(vocab_size=402)), seed), words)
    lengths = {"query_maxlen": 24, "doc_maxlen": 28, "dim": WIDTH}
    markers = {"query_token_id": "[unused0]", "doc_token_id": "[unused1]"}
    flags = {"attend_to_mask_tokens": False, "mask_punctuation": True, "similarity": "cosine"}
    as_stanford(folder, seed, "bert.", **lengths, **markers, **flags)


def as_jina(folder):
    edit_weights(
        folder / "model.safetensors",
        lambda tensors: {
            name if name.startswith("linear.") else f"roberta.{name}": tensor for name, tensor in tensors.items()
        },
    )
    code = {"AutoModel": "jinaai/xlm-roberta-flash-implementation--modeling_xlm_roberta.XLMRobertaModel"}
    positions = {"position_embedding_type": "rotary", "rotary_emb_base": 200.0, "use_flash_attn": True}
    sizes = jina_flash.config(vocab_size=402)
    write_json(folder / "config.json", jina_flash.flash_config("HF_ColBERT", sizes, code, **positions))


@multi_vector(
    "multi-vector-jina",
    "As jina-colbert-v2: Jina's XLM-RoBERTa, markers of its own, queries filled up with tokens that are attended to.",
    unused=r"\.pooler\.",
    rewrite=as_jina,
)
def jina(folder, seed):
    words = roberta.xlm_pieces()
    words.add_tokens(["[QueryMarker]", "[DocumentMarker]"])
    write_plain(folder, randomize(JinaEmbeddingsV3Model(jina_flash.config(vocab_size=402)), seed), words)
    markers = {"query_token_id": "[QueryMarker]", "doc_token_id": "[DocumentMarker]"}
    flags = {"attend_to_mask_tokens": True, "mask_punctuation": False}
    as_stanford(folder, seed, "", query_maxlen=22, **markers, **flags)


# --- BGE-M3 -----------------------------------------------------------------------------------------------------------


@multi_vector(
    "bge-m3-three-heads",
    "An XLM-RoBERTa with sparse_linear.pt and colbert_linear.pt beside it: the vector of a text, the weights of its words and the "
    "vectors of its tokens; the reference is plain torch after FlagEmbedding's description.",
    serve=TokenComparer,
)
def bge_m3(folder, seed):
    model = roberta.XLMRobertaModel(roberta.XLMRobertaConfig(**roberta.sizes(num_hidden_layers=1)))
    write_embedder(folder, seed, model, roberta.xlm_pieces(), Pooling(HIDDEN, "cls"), NormalizeTexts())
    generator = torch.Generator().manual_seed(seed)
    for name, width in [("sparse", 1), ("colbert", WIDTH)]:
        head = {"weight": torch.randn(width, HIDDEN, generator=generator), "bias": torch.randn(width, generator=generator)}
        torch.save({key: 0.3 * tensor.half() for key, tensor in head.items()}, folder / f"{name}_linear.pt")
