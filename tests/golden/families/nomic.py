"""Nomic BERT: norms after each step, rotary positions, gated steps; settings and names in two forms."""

from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import NomicBertConfig, NomicBertModel

from common import edit_weights, fixture, write_embedder, write_json
from families.bert import tokenizer

LIMIT = 72


def config(**changes):
    sizes = {
        "vocab_size": 416,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": LIMIT,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0},
    }
    return NomicBertConfig(**sizes | changes)


@fixture("nomic-mean", "As transformers saves it; mean pooling, Normalize.")
def mean(folder, seed):
    words = tokenizer(model_max_length=LIMIT)
    write_embedder(folder, seed, NomicBertModel(config()), words, Pooling(32, "mean"), Normalize())


def in_original_form(folder):
    sizes = {"n_embd": 32, "n_head": 2, "n_inner": 48, "n_layer": 3, "n_positions": LIMIT, "vocab_size": 416}
    rope = {"rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False}
    biases = {"qkv_proj_bias": False, "mlp_fc1_bias": False, "mlp_fc2_bias": False}
    rest = {"activation_function": "swiglu", "layer_norm_epsilon": 1e-12, "type_vocab_size": 2, "prenorm": False}
    kind = {"architectures": ["NomicBertModel"], "model_type": "nomic_bert"}
    write_json(folder / "config.json", kind | sizes | rope | biases | rest)


@fixture("nomic-original", "As the first files of these models: other settings, other names, joined weights.", rewrite=in_original_form)
def original(folder, seed):
    words = tokenizer(model_max_length=LIMIT)
    write_embedder(folder, seed, NomicBertModel(config(num_hidden_layers=3)), words, Pooling(32, "cls"))


def with_new_names(tensors):
    renames = [
        ("emb_ln", "embeddings.LayerNorm"),
        ("encoder.layers", "layers"),
        ("attn.out_proj", "self_attn.o_proj"),
        ("fc11", "up_proj"),
        ("fc12", "gate_proj"),
        ("fc2", "down_proj"),
        ("norm1", "post_attention_layernorm"),
        ("norm2", "post_mlp_layernorm"),
    ]
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in renames:
            name = name.replace(old, new)
        parts = zip("qkv", tensor.chunk(3)) if "Wqkv" in name else [("", tensor)]
        renamed |= {name.replace("attn.Wqkv", f"self_attn.{part}_proj"): rows for part, rows in parts}
    return renamed


@fixture("nomic-renamed", "The names that transformers uses within: each tensor by itself.")
def renamed(folder, seed):
    words = tokenizer(model_max_length=LIMIT)
    write_embedder(folder, seed, NomicBertModel(config()), words, Pooling(32, "max"))
    edit_weights(folder / "model.safetensors", with_new_names)
