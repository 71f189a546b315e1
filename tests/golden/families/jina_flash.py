"""Jina's XLM-RoBERTa: joined projections; rotary positions, or a table of them; weights with adapters beside them."""

import shutil
import warnings
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


# --- jina-embeddings-v3-hf: adapters in folders of their own, as PEFT saves them --------------------------------------

TASK_FOLDERS = {task: task.replace(".", "_").replace("-", "_") for task in INSTRUCTIONS}
TARGETS = ["word_embeddings", "token_type_embeddings", "q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2", "dense"]
# Each task's adapters are of another kind; those of passages leave out some layers, those of classes change some alone.
LORA_SETTINGS = {
    "retrieval.query": {"r": 2, "lora_alpha": 1},
    "retrieval.passage": {"r": 3, "lora_alpha": 2, "use_rslora": True, "target_modules": ["q_proj", "v_proj", "fc1"]},
    "separation": {
        "r": 2,
        "lora_alpha": 3,
        "rank_pattern": {"fc1": 5, "layers.0.self_attn.o_proj": 1},
        "alpha_pattern": {"layers.1.mlp.fc2": 1, "fc1": 4},
    },
    "classification": {
        "r": 4,
        "lora_alpha": 2,
        "fan_in_fan_out": True,
        "target_modules": ["word_embeddings", "k_proj"],
    },
    "text-matching": {"r": 2, "lora_alpha": 1, "target_modules": r".*\.(fc2|o_proj)"},
}


def write_task_folders(folder, seed):
    from peft import LoraConfig, get_peft_model  # these fixtures alone need it

    for index, (task, changes) in enumerate(LORA_SETTINGS.items()):
        settings = {"target_modules": TARGETS} | changes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PEFT says that it does without fan_in_fan_out
            model = get_peft_model(JinaEmbeddingsV3Model(config()), LoraConfig(**settings))
        generator = torch.Generator().manual_seed(seed + index)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
        path = folder / TASK_FOLDERS[task]
        model.save_pretrained(path)
        (path / "README.md").unlink(missing_ok=True)
        # As they were given: PEFT makes a set of the one, and drops the other.
        given = {key: settings.get(key, False) for key in ["target_modules", "fan_in_fan_out"]}
        edit_json(path / "adapter_config.json", **given)


class FolderEmbedder(TaskEmbedder):
    """The model itself where no task is named; for each task the model with that adapter, as transformers loads it."""

    def __init__(self, folder):
        self.models = {None: Embedder(folder)}
        for task, place in TASK_FOLDERS.items():
            served = Embedder(folder)
            served.model[0].auto_model.load_adapter(str(folder / place), adapter_name=place)
            self.models[task] = served
        self.model, self.header = self.models[None].model, self.models[None].header

    def check_ids(self, folder, cases):
        """And that each factor of each adapter shows in the numbers of its task."""
        check_ids(folder, self, cases)
        for task, served in self.models.items():
            some = [without_task(case) for case in cases if task is not None and task_of(case) == task]
            for name, parameter in served.model[0].auto_model.named_parameters():
                if "lora_" not in name or "pooler" in name:
                    continue
                whole = served.batch(some)
                kept = parameter.data.clone()
                parameter.data.zero_()
                change = float(np.abs(served.batch(some) - whole).max())
                parameter.data.copy_(kept)
                assert change > 1e-3, f"{name} for {task} changes the numbers by {change:.3g}"


FOLDERS_ABOUT = (
    "As jina-embeddings-v3-hf: the class of transformers, and in a folder for each of five tasks an adapter as PEFT 0.21.2 "
    "saves it, of which none or one is chosen: ranks and factors of each layer, rank-stabilized factors, some layers alone. "
    "For each task the reference is the model with that adapter, as transformers loads it. "
)


def folders(folder, seed):
    adapters(folder, seed)
    write_task_folders(folder, seed)


@embedder(
    "jina-v3-folders",
    FOLDERS_ABOUT + "The names of tensors that transformers saves.",
    cases=[*TEXT_CASES, *TASK_CASES],
    serve=FolderEmbedder,
)
def with_folders(folder, seed):
    folders(folder, seed)


@embedder(
    "jina-v3-folders-renamed",
    FOLDERS_ABOUT + "The names of tensors that the class has; Jina's own settings.",
    cases=[*TEXT_CASES, *TASK_CASES],
    rewrite=lambda folder: as_hf(folder),
    serve=FolderEmbedder,
)
def with_folders_renamed(folder, seed):
    folders(folder, seed)


def as_hf(folder):
    edit_weights(folder / "model.safetensors", renamed)
    edit_json(folder / "config.json", task_instructions=INSTRUCTIONS, lora_adaptations=[*INSTRUCTIONS], lora_rank=RANK)
    edit_json(folder / "config.json", position_embedding_type="rotary", rotary_emb_base=999.0)
    edit_json(folder / "config_sentence_transformers.json", prompts={})


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
