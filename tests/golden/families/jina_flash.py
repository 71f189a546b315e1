"""Jina's XLM-RoBERTa: joined projections; rotary positions, or a table of them; weights with adapters beside them."""

import shutil
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors.torch import load_file
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import (
    JinaEmbeddingsV3Config,
    JinaEmbeddingsV3ForSequenceClassification,
    JinaEmbeddingsV3Model,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from common import (
    TEXT_CASES,
    Embedder,
    check_ids,
    edit_json,
    edit_weights,
    fixture,
    randomize,
    write_embedder,
    write_json,
    write_plain,
)
from families import roberta

LIMIT = 72
RANK = 2
ALPHA = 1
# What stands before a text of each task, whose adapters stand in this order.
INSTRUCTIONS = {
    "retrieval.query": "Represent the query for retrieving evidence documents: ",
    "retrieval.passage": "Represent the document for retrieval: ",
    "separation": "",
    "classification": "",
    "text-matching": "",
}

# Embedders do not read the pooler.
embedder = partial(fixture, unused=r"\.pooler\.")
reranker = partial(fixture, kind="rerank")


def config(**changes):
    sizes = {
        "vocab_size": 400,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": LIMIT,
        "rope_parameters": {"rope_type": "default", "rope_theta": 200.0},
    }
    return JinaEmbeddingsV3Config(**sizes | changes)


def flash_config(architecture, sizes, code, **changes):
    """config.json as Jina writes it."""
    names = [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "pad_token_id",
    ]
    names += ["max_position_embeddings", "type_vocab_size", "layer_norm_eps", "hidden_act"]
    implementation = "jinaai/xlm-roberta-flash-implementation"
    auto = {"AutoConfig": f"{implementation}--configuration_xlm_roberta.XLMRobertaFlashConfig", **code}
    settings = {name: getattr(sizes, name) for name in names}
    return {"architectures": [architecture], "auto_map": auto, "model_type": "xlm-roberta", **settings, **changes}


# --- jina-embeddings-v3 -----------------------------------------------------------------------------------------------


def adapters_of(tensors):
    """For each matrix its lora_A and lora_B, of all tasks; of tables they are the other way round."""
    generator = torch.Generator().manual_seed(1)
    result = {}
    for name, tensor in sorted(tensors.items()):
        if tensor.ndim < 2:
            continue
        rows, columns = tensor.shape
        shapes = [(rows, RANK), (RANK, columns)] if "embeddings" in name else [(RANK, columns), (rows, RANK)]
        result[name] = [0.3 * torch.randn((len(INSTRUCTIONS), *shape), generator=generator) for shape in shapes]
    return result


def as_published(folder):
    """Each weight under a parametrization, with the adapters of five tasks beside it."""

    def adapted(tensors):
        adapters = adapters_of(tensors)
        result = {}
        for name, tensor in tensors.items():
            if name not in adapters:
                result["roberta." + name] = tensor
                continue
            path = "roberta." + name.removesuffix("weight") + "parametrizations.weight."
            result[path + "original"] = tensor
            for letter, values in zip("AB", adapters[name]):
                result[f"{path}0.lora_{letter}"] = values
        return result

    edit_weights(folder / "model.safetensors", adapted)
    lora = {
        "lora_adaptations": [*INSTRUCTIONS],
        "task_instructions": INSTRUCTIONS,
        "lora_alpha": ALPHA,
        "lora_dropout_p": 0.0,
        "lora_rank": RANK,
        "load_trained_adapters": True,
    }
    code = {"AutoModel": "jinaai/xlm-roberta-flash-implementation--modeling_lora.XLMRobertaLoRA"}
    positions = {"position_embedding_type": "rotary", "rotary_emb_base": 200.0, "use_flash_attn": True}
    write_json(folder / "config.json", flash_config("XLMRobertaModel", config(), code, **lora, **positions))


def merged_copy(folder, index, without=None):
    """The folder's model with the products of one task's adapters added to its weights."""

    def merge(tensors):
        result = dict(tensors)
        for name, parts in adapters_of(tensors).items():
            a, b = (part[index] for part in parts)
            product = a @ b if "embeddings" in name else b @ a
            if name != without:
                result[name] = tensors[name] + product * (ALPHA / RANK)
        return result

    with TemporaryDirectory() as parent:
        copy = Path(parent) / "merged"
        shutil.copytree(folder, copy)
        edit_weights(copy / "model.safetensors", merge)
        return Embedder(copy)


def task_of(case):
    return case.get("prompt_name") or case.get("task")


def without_task(case):
    """A model of one task need not be told which one it is."""
    return {key: value for key, value in case.items() if key != "task"}


class TaskEmbedder:
    """The model itself where no task is named; for each task a model of its own."""

    def __init__(self, folder):
        plain = Embedder(folder)
        self.model, self.header = plain.model, plain.header
        self.models = {None: plain, **{task: merged_copy(folder, index) for index, task in enumerate(INSTRUCTIONS)}}

    def texts(self, case):
        return self.models[task_of(case)].texts(case)

    def answer(self, case):
        return self.models[task_of(case)].answer(without_task(case))

    def batch(self, cases):
        vectors = [None] * len(cases)
        for task, served in self.models.items():
            indices = [index for index, case in enumerate(cases) if task_of(case) == task]
            for index, vector in zip(indices, served.batch([without_task(cases[index]) for index in indices])):
                vectors[index] = vector
        return np.stack(vectors)

    def check_ids(self, folder, cases):
        """And that the adapter of each weight shows in the numbers of each task."""
        check_ids(folder, self, cases)
        names = [name for name in adapters_of(load_file(folder / "model.safetensors")) if "pooler" not in name]
        for index, task in enumerate(INSTRUCTIONS):
            some = [without_task(case) for case in cases if task_of(case) == task]
            whole = self.models[task].batch(some)
            for name in names:
                change = float(np.abs(merged_copy(folder, index, without=name).batch(some) - whole).max())
                assert change > 1e-3, f"the adapter of {name} for {task} changes the numbers by {change:.3g}"


TASK_CASES = [
    {"name": f"{case['name']}-{task}", "text": case["text"], "prompt_name" if words else "task": task}
    for task, words in INSTRUCTIONS.items()
    for case in TEXT_CASES
    if case["name"] in ["empty", "sentence", "punctuation", "chinese", "over-the-limit"]
]


@embedder(
    "jina-v3-adapters",
    "As jina-embeddings-v3: weights with adapters of five tasks beside them, of which none or one is chosen; mean pooling, "
    "Normalize. For each task the reference is a model whose weights have the adapters' products added to them.",
    cases=[*TEXT_CASES, *TASK_CASES],
    rewrite=as_published,
    serve=TaskEmbedder,
)
def adapters(folder, seed):
    model = JinaEmbeddingsV3Model(config())
    write_embedder(folder, seed, model, roberta.xlm_pieces(), Pooling(32, "mean"), Normalize())
    edit_json(folder / "config_sentence_transformers.json", prompts=INSTRUCTIONS)


@embedder(
    "jina-v3-renamed",
    "The names that the class of transformers has for its tensors; three heads of 12, first token.",
    rewrite=lambda folder: edit_weights(folder / "model.safetensors", renamed),
)
def with_new_names(folder, seed):
    sizes = {"hidden_size": 36, "num_attention_heads": 3}
    model = JinaEmbeddingsV3Model(config(**sizes))
    write_embedder(folder, seed, model, roberta.xlm_pieces(), Pooling(36, "cls"))


def renamed(tensors):
    names = [("emb_ln", "embeddings.LayerNorm"), ("encoder.layers.", "layers."), ("mixer.out_proj", "self_attn.o_proj")]
    names += [("norm1", "post_attention_layernorm"), ("norm2", "post_mlp_layernorm")]
    result = {}
    for name, tensor in tensors.items():
        for old, new in names:
            name = name.replace(old, new)
        if "mixer.Wqkv" not in name:
            result[name] = tensor
            continue
        for part, values in zip("qkv", tensor.chunk(3)):
            result[name.replace("mixer.Wqkv", f"self_attn.{part}_proj")] = values
    return result


@reranker("jina-v3-classifier", "The class of transformers with three labels.")
def classifier(folder, seed):
    model = JinaEmbeddingsV3ForSequenceClassification(config(hidden_act="gelu_new", **roberta.three_labels()))
    write_plain(folder, randomize(model, seed), roberta.xlm_pieces())


# --- jina-reranker-v2 -------------------------------------------------------------------------------------------------

TABLE = {"num_labels": 1, "layer_norm_eps": 1e-5, "max_position_embeddings": LIMIT + 2}


def as_reranker(folder):
    edit_weights(folder / "model.safetensors", with_joined_projections)
    sizes = XLMRobertaConfig(**roberta.sizes() | TABLE)
    implementation = "jinaai/xlm-roberta-flash-implementation--modeling_xlm_roberta"
    code = {"AutoModelForSequenceClassification": f"{implementation}.XLMRobertaForSequenceClassification"}
    labels = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, "position_embedding_type": "absolute"}
    write_json(folder / "config.json", flash_config("XLMRobertaForSequenceClassification", sizes, code, **labels))
    edit_json(folder / "config.json", num_loras=1, use_flash_attn=False)


def with_joined_projections(tensors):
    names = [
        ("embeddings.LayerNorm", "emb_ln"),
        ("attention.output.LayerNorm", "norm1"),
        ("output.LayerNorm", "norm2"),
        ("attention.output.dense", "mixer.out_proj"),
        ("intermediate.dense", "mlp.fc1"),
        ("output.dense", "mlp.fc2"),
        ("encoder.layer.", "encoder.layers."),
    ]
    result = {}
    for name, tensor in tensors.items():
        if ".self.key." in name or ".self.value." in name:
            continue
        if ".self.query." in name:
            tensor = torch.cat([tensors[name.replace("query", part)] for part in ("query", "key", "value")])
            name = name.replace("attention.self.query", "mixer.Wqkv")
        for old, new in names:
            name = name.replace(old, new)
        result[name] = tensor
    return result


@reranker(
    "jina-reranker-v2",
    "As jina-reranker-v2: a position table, joined projections, one label.",
    unused=r"\.key\.bias$",
    cases=roberta.PAIRS,
    rewrite=as_reranker,
)
def reranker_v2(folder, seed):
    model = XLMRobertaForSequenceClassification(XLMRobertaConfig(**roberta.sizes() | TABLE))
    write_plain(folder, randomize(model, seed), roberta.xlm_pieces())
