"""Nomic BERT whose every second layer is a mixture of experts: no part of transformers, so the reference is our own."""

import math

import torch
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from torch import nn
from torch.nn.functional import gelu
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from common import fixture, write_embedder, write_json
from families.bert import tokenizer
from families.roberta import xlm_pieces

LIMIT = 72


# --- The reference ----------------------------------------------------------------------------------------------------


class MixtureConfig(PretrainedConfig):
    model_type = "mixture_reference"


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.base = config.n_head, config.rotary_emb_base
        self.Wqkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.qkv_proj_bias)
        self.out_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.qkv_proj_bias)

    def turned(self, x):
        """Numbers j and j + half of a head are the two sides of an angle that grows with the position."""
        half = x.shape[-1] // 2
        rates = self.base ** (-torch.arange(half, dtype=torch.float64) / half)
        angle = (torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * rates).float()
        left, right = x[..., :half], x[..., half:]
        return torch.cat([left * angle.cos() - right * angle.sin(), right * angle.cos() + left * angle.sin()], -1)

    def forward(self, states, mask):
        rows, length, width = states.shape
        q, k, v = (x.view(rows, length, self.heads, -1).transpose(1, 2) for x in self.Wqkv(states).chunk(3, -1))
        scores = self.turned(q) @ self.turned(k).transpose(-1, -2) / math.sqrt(width / self.heads)
        scores = scores.masked_fill(mask[:, None, None, :] == 0, torch.finfo(scores.dtype).min)
        return self.out_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, length, width))


class Step(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.fc1 = nn.Linear(config.n_embd, config.n_inner, bias=config.mlp_fc1_bias)
        self.fc2 = nn.Linear(config.n_inner, config.n_embd, bias=config.mlp_fc2_bias)

    def forward(self, states):
        return self.fc2(gelu(self.fc1(states)))


class Mixture(nn.Module):
    """Token by token, and of the experts only those that the router chooses."""

    def __init__(self, config):
        super().__init__()
        self.count, self.chosen = config.num_experts, config.moe_top_k
        self.router = nn.Module()
        self.router.layer = nn.Linear(config.n_embd, self.count, bias=False)
        self.experts = nn.Module()
        self.experts.mlp = nn.Module()
        for name in ("w1", "w2"):
            self.experts.mlp.register_parameter(
                name, nn.Parameter(torch.zeros(self.count * config.n_inner, config.n_embd))
            )
        self.experts.bias = nn.Parameter(torch.zeros(config.n_embd))

    def forward(self, states):
        first = self.experts.mlp.w1.view(self.count, -1, states.shape[-1])
        second = self.experts.mlp.w2.view(self.count, -1, states.shape[-1])
        result = torch.zeros_like(states)
        for row in range(states.shape[0]):
            for place in range(states.shape[1]):
                x = states[row, place]
                shares = self.router.layer(x).softmax(-1)
                for expert in shares.argsort(descending=True)[: self.chosen]:
                    result[row, place] += shares[expert] * (gelu(first[expert] @ x) @ second[expert])
        return result + self.experts.bias


class Layer(nn.Module):
    def __init__(self, config, index):
        super().__init__()
        self.attn = Attention(config)
        self.mlp = Mixture(config) if index % config.moe_every_n_layers == 1 else Step(config)
        self.norm1 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.norm2 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)

    def forward(self, states, mask):
        states = self.norm1(states + self.attn(states, mask))
        return self.norm2(states + self.mlp(states))


class MixtureModel(PreTrainedModel):
    config_class = MixtureConfig

    def __init__(self, config):
        super().__init__(config)
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(config.vocab_size, config.n_embd)
        if config.type_vocab_size > 0:
            self.embeddings.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.n_embd)
        self.emb_ln = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(Layer(config, index) for index in range(config.n_layer))
        self.post_init()

    def _init_weights(self, module):
        pass

    def get_input_embeddings(self):
        return self.embeddings.word_embeddings

    def forward(self, input_ids, attention_mask=None, **_):
        states = self.embeddings.word_embeddings(input_ids)
        if self.config.type_vocab_size > 0:
            states = states + self.embeddings.token_type_embeddings.weight[0]
        states = self.emb_ln(states)
        for layer in self.encoder.layers:
            states = layer(states, attention_mask)
        return BaseModelOutput(last_hidden_state=states)


AutoConfig.register("mixture_reference", MixtureConfig)
AutoModel.register(MixtureConfig, MixtureModel)


# --- Fixtures ---------------------------------------------------------------------------------------------------------


def settings(**changes):
    return {
        "activation_function": "gelu",
        "expert_choice_router": False,
        "ffn_div": 1,
        "layer_norm_epsilon": 1e-5,
        "mlp_fc1_bias": True,
        "mlp_fc2_bias": True,
        "moe_every_n_layers": 2,
        "moe_normalize_expert_weights": False,
        "moe_top_k": 2,
        "n_embd": 32,
        "n_head": 2,
        "n_inner": 12,
        "n_layer": 4,
        "n_positions": LIMIT,
        "num_experts": 5,
        "num_shared_experts": 0,
        "prenorm": False,
        "qkv_proj_bias": True,
        "rotary_emb_base": 10_000,
        "rotary_emb_fraction": 1.0,
        "rotary_emb_interleaved": False,
        "rotary_scaling_factor": None,
        "type_vocab_size": 1,
        "vocab_size": 400,
    } | changes


def as_published(**changes):
    config = {"architectures": ["NomicBertModel"], "model_type": "nomic_bert", **settings(**changes)}
    return lambda folder: write_json(folder / "config.json", config)


@fixture(
    "nomic-experts",
    "Five experts in every second layer, two for each token; biases everywhere; mean pooling, Normalize. "
    "The reference is a model of our own.",
    rewrite=as_published(),
)
def experts(folder, seed):
    model = MixtureModel(MixtureConfig(**settings()))
    write_embedder(folder, seed, model, xlm_pieces(), Pooling(32, "mean"), Normalize())


THREE = {"n_layer": 3, "n_embd": 36, "n_head": 3, "num_experts": 3, "moe_top_k": 1, "moe_every_n_layers": 3}
BARE = {"type_vocab_size": 0, "qkv_proj_bias": False, "mlp_fc1_bias": False}


@fixture(
    "nomic-experts-one",
    "Three experts in one layer of three, one for each token; three heads of 12, no token types; "
    "first token. The reference is a model of our own.",
    rewrite=as_published(**THREE, **BARE),
)
def one_expert(folder, seed):
    model = MixtureModel(MixtureConfig(**settings(**THREE, **BARE)))
    write_embedder(folder, seed, model, tokenizer(model_max_length=LIMIT), Pooling(36, "cls"))
