"""GTE: rotary positions, gated steps, joined weights; as transformers has it, and as its first code, `new`, did."""

from functools import partial

import torch
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import GteConfig, GteForMaskedLM, GteForSequenceClassification, GteModel
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from common import edit_weights, fixture, randomize, write_embedder, write_json, write_plain
from families.bert import tokenizer
from families.roberta import three_labels, xlm_pieces

LIMIT = 72

# Embedders do not read the pooler.
embedder = partial(fixture, unused=r"\.pooler\.")
reranker = partial(fixture, kind="rerank")


def ntk_frequencies(config, device=None, seq_len=None, layer_type=None):
    """What the first code does with a factor above 1: no class of transformers knows it."""
    rope = config.rope_parameters
    width = config.hidden_size // config.num_attention_heads
    exponents = torch.arange(0, width, 2, dtype=torch.float64) / width
    larger = (rope["rope_theta"] * rope["factor"]) ** -exponents
    return (larger / rope["factor"] ** (2 / width)).float(), 1.0


ROPE_INIT_FUNCTIONS["ntk"] = ntk_frequencies


def config(**changes):
    sizes = {
        "vocab_size": 400,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": LIMIT,
        "pad_token_id": 0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 20_000.0},
    }
    return GteConfig(**sizes | changes)


def words():
    return tokenizer(model_max_length=LIMIT)


# --- As the first code writes it --------------------------------------------------------------------------------------


def as_new(kind, prefix="", **changes):
    """A rewriting of the folder: model_type `new`, code that nobody runs, the prefix `new.`."""

    def new_name(name):
        return name if name.startswith("classifier.") else prefix + name.removeprefix("gte.")

    def rewrite(folder):
        edit_weights(folder / "model.safetensors", lambda tensors: {new_name(name): tensors[name] for name in tensors})
        sizes = config(**changes)
        shape = ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"]
        rope = sizes.rope_parameters
        scaling = {"type": "ntk", "factor": rope["factor"]} if rope["rope_type"] == "ntk" else None
        labels = {key: changes[key] for key in ("id2label", "label2id") if key in changes}
        if changes.get("num_labels") == 1:
            labels = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        write_json(
            folder / "config.json",
            {
                "architectures": [f"New{kind}"],
                "auto_map": {
                    "AutoConfig": "Alibaba-NLP/new-impl--configuration.NewConfig",
                    f"AutoModel{kind.removeprefix('Model')}": f"Alibaba-NLP/new-impl--modeling.New{kind}",
                },
                "hidden_act": sizes.hidden_act,
                **labels,
                "layer_norm_eps": 1e-12,
                "layer_norm_type": "layer_norm",
                "logn_attention_clip1": False,
                "logn_attention_scale": False,
                "max_position_embeddings": LIMIT,
                "model_type": "new",
                "pack_qkv": True,
                "position_embedding_type": "rope",
                "rope_scaling": scaling,
                "rope_theta": rope["rope_theta"],
                "type_vocab_size": sizes.type_vocab_size,
                "unpad_inputs": False,
                "use_memory_efficient_attention": False,
                **{key: getattr(sizes, key) for key in shape},
            },
        )

    return rewrite


NTK = {"type_vocab_size": 0, "rope_parameters": {"rope_type": "ntk", "rope_theta": 500.0, "factor": 2.0}}


@embedder(
    "gte-new-ntk",
    "model_type new, positions of the NTK kind, no token types; first token. The frequencies are our own, the rest is "
    "transformers' GteModel.",
    rewrite=as_new("Model", **NTK),
)
def new_ntk(folder, seed):
    write_embedder(folder, seed, GteModel(config(**NTK)), words(), Pooling(32, "cls"))


ODD = {"hidden_size": 36, "num_attention_heads": 3, "type_vocab_size": 2, "hidden_act": "gelu_new"}


@embedder(
    "gte-new-types",
    "model_type new, prefix `new.`, three heads of 12, two token types; mean pooling.",
    rewrite=as_new("Model", "new.", **ODD),
)
def new_types(folder, seed):
    write_embedder(folder, seed, GteModel(config(**ODD)), words(), Pooling(36, "mean"), Normalize())


ONE = {"num_labels": 1, "type_vocab_size": 1}


@reranker(
    "gte-new-classifier",
    "model_type new with one label; a Unigram tokenizer.",
    rewrite=as_new("ForSequenceClassification", "new.", **ONE),
)
def new_classifier(folder, seed):
    model = GteForSequenceClassification(config(**ONE))
    write_plain(folder, randomize(model, seed), xlm_pieces())


# --- As transformers has it -------------------------------------------------------------------------------------------


@embedder(
    "gte-masked-language-model", "A masked language model without modules.json: prefix `gte.`, a head that is not read."
)
def masked_language_model(folder, seed):
    write_plain(folder, randomize(GteForMaskedLM(config()), seed), words())


@reranker("gte-classifier-types", "Three labels, two token types.")
def classifier_types(folder, seed):
    model = GteForSequenceClassification(config(type_vocab_size=2, **three_labels()))
    write_plain(folder, randomize(model, seed), words())


@embedder(
    "gte-renamed",
    "The names that the class of transformers has for its tensors.",
    rewrite=lambda folder: edit_weights(folder / "model.safetensors", renamed),
)
def with_new_names(folder, seed):
    write_embedder(folder, seed, GteModel(config()), words(), Pooling(32, "mean"))


def renamed(tensors):
    names = [
        ("encoder.layer.", "layers."),
        ("attention.o_proj", "self_attn.o_proj"),
        ("attn_ln", "post_attention_layernorm"),
    ]
    result = {}
    for name, tensor in tensors.items():
        for old, new in [*names, ("mlp_ln", "post_mlp_layernorm")]:
            name = name.replace(old, new)
        parts = {"attention.qkv_proj": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]}
        parts["mlp.up_gate_proj"] = ["mlp.up_proj", "mlp.gate_proj"]
        joined = next((joined for joined in parts if joined in name), None)
        if joined is None:
            result[name] = tensor
        else:
            for part, values in zip(parts[joined], tensor.chunk(len(parts[joined]))):
                result[name.replace(joined, part)] = values
    return result
