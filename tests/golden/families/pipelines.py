"""Modules after the Transformer that few models have, on a BERT of one or two layers."""

from functools import partial
from tempfile import TemporaryDirectory

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Router, Transformer
from sentence_transformers.sentence_transformer.modules import LayerNorm, Normalize, Pooling, WeightedLayerPooling
from transformers import BertModel, ModernBertModel

from common import edit_json, fixture, randomize, write_plain
from families import modernbert
from families.bert import HIDDEN, ONE_LAYER, config, short, write_backbone, write_pipeline

embedder = partial(fixture, unused=r"\.key\.bias$|\.pooler\.", cases=short())


def chain(*names):
    """Dense modules of changing widths, one for each class of torch."""
    widths = [HIDDEN, *(20 + 3 * index for index in range(len(names)))]
    pairs = zip(widths, widths[1:])
    return [Dense(*pair, activation_function=getattr(torch.nn, name)()) for pair, name in zip(pairs, names)]


@embedder("dense-activations", "Dense modules with SiLU, GELU, LeakyReLU, ELU and Mish, one after the other.")
def dense_activations(folder, seed):
    dense = chain("SiLU", "GELU", "LeakyReLU", "ELU", "Mish")
    write_pipeline(folder, seed, Pooling(HIDDEN, "mean"), *dense, **ONE_LAYER)


@embedder("dense-activations-more", "Dense modules with Softplus, SELU, Sigmoid, ReLU and Identity, then LayerNorm.")
def dense_activations_more(folder, seed):
    dense = chain("Softplus", "SELU", "Sigmoid", "ReLU", "Identity")
    write_pipeline(folder, seed, Pooling(HIDDEN, "mean"), *dense, LayerNorm(32), **ONE_LAYER)


@embedder("dense-untrusted-activation", "A Dense module whose activation is code of somebody else: Tanh stands for it.")
def dense_untrusted_activation(folder, seed):
    write_pipeline(folder, seed, Pooling(HIDDEN, "mean"), Dense(HIDDEN, 20), **ONE_LAYER)
    edit_json(folder / "2_Dense/config.json", activation_function="somebody.modules.Swish")


@embedder("dense-residual", "Dense modules that add their input: as it is, and through a matrix of its own.")
def dense_residual(folder, seed):
    same = Dense(HIDDEN, HIDDEN, activation_function=torch.nn.GELU(), use_residual=True)
    wider = Dense(HIDDEN, 40, bias=False, use_residual=True)
    write_pipeline(folder, seed, Pooling(HIDDEN, "mean"), same, wider, Normalize(), **ONE_LAYER)


@embedder(
    "dense-tokens",
    "A Dense module and a Normalize of every token before pooling, which the vectors of tokens show.",
    tokens=True,
)
def dense_tokens(folder, seed):
    dense = Dense(HIDDEN, 24, module_input_name="token_embeddings", use_residual=True)
    unit = Normalize(module_input_name="token_embeddings")
    write_pipeline(folder, seed, dense, unit, Pooling(24, ["max", "mean"]), Normalize(), **ONE_LAYER)


def write_layers(folder, seed, pooling, visible):
    """A BERT of three layers that shows what each of them makes, or does not."""
    with TemporaryDirectory() as backbone:
        write_backbone(backbone, BertModel(config(num_hidden_layers=3)))
        bert = Transformer(backbone, config_kwargs={"output_hidden_states": visible})
        model = SentenceTransformer(modules=[bert, pooling, Pooling(HIDDEN, "mean")], device="cpu")
        randomize(model, seed)
        # Weights of a mean: their sum must not be small.
        pooling.layer_weights.data.add_(1)
        model.save(str(folder), create_model_card=False)


@embedder("layers-weighted", "WeightedLayerPooling of the embeddings and all three layers.")
def layers_weighted(folder, seed):
    write_layers(folder, seed, WeightedLayerPooling(HIDDEN, num_hidden_layers=3, layer_start=0), True)


@embedder("layers-weighted-last", "WeightedLayerPooling of the last two of three layers.")
def layers_weighted_last(folder, seed):
    write_layers(folder, seed, WeightedLayerPooling(HIDDEN, num_hidden_layers=3, layer_start=2), True)


@embedder(
    "layers-unseen",
    "WeightedLayerPooling of layers that config.json does not show: nothing is changed.",
    unused=r"\.key\.bias$|\.pooler\.|layer_weights",
)
def layers_unseen(folder, seed):
    write_layers(folder, seed, WeightedLayerPooling(HIDDEN, num_hidden_layers=3, layer_start=2), False)


TASK_CASES = [
    *short(),
    *(case | {"name": f"{case['name']}-{task}", "task": task} for task in ("query", "document") for case in short()),
]


def write_router(folder, seed, before, routes, after, **options):
    """A BERT, modules of all texts, a Router, and modules of all texts again."""
    with TemporaryDirectory() as backbone:
        write_backbone(backbone, BertModel(config(**ONE_LAYER)))
        bert = Transformer(backbone)
        shared = [bert, *before]
        if before:
            modules = [*shared, Router(routes, **options), *after]
        else:
            modules = [Router({task: [bert, *steps] for task, steps in routes.items()}, **options), *after]
        randomize(SentenceTransformer(modules=modules, device="cpu"), seed).save(str(folder), create_model_card=False)


@embedder(
    "router-dense",
    "A Router behind Pooling: a Dense module of queries and one of documents, which is the default, then Normalize.",
    cases=TASK_CASES,
)
def router_dense(folder, seed):
    routes = {"query": [Dense(HIDDEN, 20)], "document": [Dense(HIDDEN, 20, bias=False)]}
    write_router(folder, seed, [Pooling(HIDDEN, "mean")], routes, [Normalize()], default_route="document")


@embedder(
    "router-mappings",
    "A Router in the first place, whose routes share a BERT: names are found through route_mappings, and no default is "
    "named, so that the first route is it.",
    cases=TASK_CASES,
)
def router_mappings(folder, seed):
    routes = {"short": [Pooling(HIDDEN, "cls")], "long": [Pooling(HIDDEN, "mean"), Dense(HIDDEN, HIDDEN)]}
    mappings = {("query", "text"): "short", ("document", None): "long"}
    write_router(folder, seed, [], routes, [], route_mappings=mappings)


@embedder(
    "router-legacy",
    "The same module as older versions saved it: Asym, with a config.json.",
    cases=TASK_CASES,
)
def router_legacy(folder, seed):
    routes = {"query": [Dense(HIDDEN, 20)], "document": [Dense(HIDDEN, 20)]}
    write_router(folder, seed, [Pooling(HIDDEN, "mean")], routes, [])
    (folder / "2_Router/router_config.json").rename(folder / "2_Router/config.json")
    edit_json(folder / "2_Router/config.json", parameters={"allow_empty_key": True})
    modules = (folder / "modules.json").read_text("utf-8")
    legacy = modules.replace("sentence_transformers.base.modules.router.Router", "sentence_transformers.models.Asym")
    (folder / "modules.json").write_text(legacy, "utf-8")


@embedder(
    "layers-weighted-pre-norm",
    "WeightedLayerPooling of a ModernBERT: sums before their norm, but of the last layer what the final norm makes.",
    unused=r"$^",
)
def layers_weighted_pre_norm(folder, seed):
    pooling = WeightedLayerPooling(modernbert.config().hidden_size, num_hidden_layers=3, layer_start=0)
    with TemporaryDirectory() as backbone:
        shape = modernbert.config(num_hidden_layers=3, output_hidden_states=True)
        write_plain(backbone, ModernBertModel(shape), modernbert.words())
        modules = [Transformer(backbone), pooling, Pooling(shape.hidden_size, "mean")]
        model = randomize(SentenceTransformer(modules=modules, device="cpu"), seed)
        pooling.layer_weights.data.add_(1)
        model.save(str(folder), create_model_card=False)
