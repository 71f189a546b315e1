"""JinaBERT v2 and its variant for programming languages: no part of transformers, so the reference is our own."""

import math
from functools import partial

import torch
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput

from common import edit_json, fixture, randomize, write_embedder, write_plain
from families.bert import tokenizer
from families.roberta import three_labels

LIMIT = 72

# What is added to all keys alike cancels in the softmax; embedders do not read the pooler.
embedder = partial(fixture, unused=r"\.key\.bias$|\.pooler\.")
reranker = partial(fixture, kind="rerank", unused=r"\.key\.bias$")


# --- The reference ----------------------------------------------------------------------------------------------------


class AlibiConfig(PretrainedConfig):
    """`form`: "text" or "code"."""

    model_type = "alibi_reference"

    def __init__(self, form="text", **settings):
        self.form = form
        super().__init__(**settings)


def slopes(heads):
    """2^(−8/n) to the powers 1 … n for a power of two n; what is missing are odd powers of half that rate."""
    full = 1
    while 2 * full <= heads:
        full *= 2
    rates = [2 ** (-8 * power / full) for power in range(1, full + 1)]
    return rates + [2 ** (-4 * power / full) for power in range(1, 2 * (heads - full), 2)]


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.normalized = config.form == "code"
        if self.normalized:
            self.layer_norm_q = nn.LayerNorm(width, eps=config.layer_norm_eps)
            self.layer_norm_k = nn.LayerNorm(width, eps=config.layer_norm_eps)

    def forward(self, states, mask):
        query, key = self.query(states), self.key(states)
        if self.normalized:
            query, key = self.layer_norm_q(query), self.layer_norm_k(key)
        rows, length, width = states.shape
        q, k, v = (x.view(rows, length, self.heads, -1).transpose(1, 2) for x in (query, key, self.value(states)))
        scores = q @ k.transpose(-1, -2) / math.sqrt(width / self.heads)
        place = torch.arange(length)
        distance = (place[None, :] - place[:, None]).abs()
        scores = scores - torch.tensor(slopes(self.heads)).view(-1, 1, 1) * distance
        scores = scores.masked_fill(mask[:, None, None, :] == 0, torch.finfo(scores.dtype).min)
        return (scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, length, width)


class Output(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, context, states):
        return self.LayerNorm(states + self.dense(context))


class Attending(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.add_module("self", Attention(config))
        self.output = Output(config)

    def forward(self, states, mask):
        return self.output(self.get_submodule("self")(states, mask), states)


ACTIVATIONS = {"geglu": nn.functional.gelu, "reglu": nn.functional.relu}


class TextStep(nn.Module):
    """The first half of the rows is activated."""

    def __init__(self, config):
        super().__init__()
        self.activation = ACTIVATIONS[config.feed_forward_type]
        self.gated_layers = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.wo = nn.Linear(config.intermediate_size, config.hidden_size)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, states):
        gate, plain = self.gated_layers(states).chunk(2, -1)
        return self.layernorm(states + self.wo(self.activation(gate) * plain))


class CodeStep(nn.Module):
    """The second half of the rows is activated; the norm is the layer's."""

    def __init__(self, config):
        super().__init__()
        self.activation = ACTIVATIONS[config.feed_forward_type]
        self.up_gated_layer = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_layer = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, states):
        plain, gate = self.up_gated_layer(states).chunk(2, -1)
        return self.down_layer(plain * self.activation(gate))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = Attending(config)
        self.is_text = config.form == "text"
        self.mlp = TextStep(config) if self.is_text else CodeStep(config)
        if not self.is_text:
            self.layer_norm_1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
            self.layer_norm_2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, states, mask):
        attended = self.attention(states, mask)
        if self.is_text:
            return self.mlp(attended)
        attended = self.layer_norm_1(states + attended)
        return self.layer_norm_2(attended + self.mlp(attended))


class Embeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


class AlibiPretrained(PreTrainedModel):
    config_class = AlibiConfig
    base_model_prefix = "bert"

    def _init_weights(self, module):
        pass


class AlibiModel(AlibiPretrained):
    def __init__(self, config):
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.pooler = nn.Module()
        self.pooler.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.post_init()

    def get_input_embeddings(self):
        return self.embeddings.word_embeddings

    def forward(self, input_ids, attention_mask=None, token_type_ids=None, **_):
        parts = self.embeddings
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        states = parts.LayerNorm(parts.word_embeddings(input_ids) + parts.token_type_embeddings(types))
        for layer in self.encoder.layer:
            states = layer(states, mask)
        pooled = self.pooler.dense(states[:, 0]).tanh()
        return BaseModelOutputWithPooling(last_hidden_state=states, pooler_output=pooled)


class AlibiForSequenceClassification(AlibiPretrained):
    def __init__(self, config):
        super().__init__(config)
        self.bert = AlibiModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, input_ids, **inputs):
        return SequenceClassifierOutput(logits=self.classifier(self.bert(input_ids, **inputs).pooler_output))


AutoConfig.register("alibi_reference", AlibiConfig)
AutoModel.register(AlibiConfig, AlibiModel)
AutoModelForSequenceClassification.register(AlibiConfig, AlibiForSequenceClassification)


# --- Fixtures ---------------------------------------------------------------------------------------------------------


def config(form="text", **changes):
    sizes = {
        "vocab_size": 400,
        "hidden_size": 36,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "intermediate_size": 40,
        "max_position_embeddings": LIMIT,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "feed_forward_type": "geglu",
        "position_embedding_type": "alibi",
        "pad_token_id": 0,
    }
    return AlibiConfig(form=form, **sizes | changes)


def words():
    return tokenizer(model_max_length=LIMIT)


def as_published(architecture, code="jinaai/jina-bert-implementation"):
    """A rewriting of the folder: it calls itself a BERT, with code of its own that nobody runs."""

    def rewrite(folder):
        path = folder / "config.json"
        auto = {
            "AutoConfig": f"{code}--configuration_bert.JinaBertConfig",
            "AutoModel": f"{code}--modeling_bert.JinaBertModel",
        }
        edit_json(path, architectures=[architecture], auto_map=auto, model_type="bert", form=None)

    return rewrite


OURS = "The reference is a model of our own."


@embedder("jina-bert-mean", f"Six heads of 6; mean pooling, Normalize. {OURS}", rewrite=as_published("JinaBertModel"))
def mean(folder, seed):
    write_embedder(folder, seed, AlibiModel(config()), words(), Pooling(36, "mean"), Normalize())


WIDE = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 24}


@embedder(
    "jina-bert-reglu",
    f"Two heads of 16, feed_forward_type reglu; first token. {OURS}",
    rewrite=as_published("JinaBertForMaskedLM"),
)
def reglu(folder, seed):
    model = AlibiModel(config(**WIDE, feed_forward_type="reglu", layer_norm_eps=1e-6))
    write_embedder(folder, seed, model, words(), Pooling(32, "cls"))


@embedder(
    "jina-code-mean",
    f"The variant for programming languages, three heads of 8; mean pooling. {OURS}",
    unused=r"\.layer_norm_k\.bias$|\.pooler\.",
    rewrite=as_published("JinaBertModel", "jinaai/jina-bert-v2-qk-post-norm"),
)
def code_mean(folder, seed):
    model = AlibiModel(config("code", hidden_size=24, num_attention_heads=3))
    write_embedder(folder, seed, model, words(), Pooling(24, "mean"))


@reranker("jina-bert-cross-encoder", f"One label. {OURS}", rewrite=as_published("JinaBertForSequenceClassification"))
def cross_encoder(folder, seed):
    write_plain(folder, randomize(AlibiForSequenceClassification(config(num_labels=1)), seed), words())


@reranker(
    "jina-code-cross-encoder-3-labels",
    f"The variant for programming languages with three labels. {OURS}",
    unused=r"\.layer_norm_k\.bias$",
    rewrite=as_published("JinaBertForSequenceClassification", "jinaai/jina-bert-v2-qk-post-norm"),
)
def code_labels(folder, seed):
    model = AlibiForSequenceClassification(config("code", **three_labels()))
    write_plain(folder, randomize(model, seed), words())
