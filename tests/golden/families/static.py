"""StaticEmbedding: a table of vectors, averaged over the tokens of a text. Nothing is added to a text, so one may be empty."""

import json
from functools import partial

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer

from common import TEXT_CASES, edit_json, fixture, randomize, write_json
from families import bert

WIDTH = 24
BLANK = {"name": "blank", "text": " \t\n "}

embedder = partial(fixture, unused=r"^$", cases=[*TEXT_CASES, BLANK])


def tokenizer():
    return Tokenizer.from_str(bert.tokenizer()._tokenizer.to_str())


def write_static(folder, seed, *modules, **options):
    table = StaticEmbedding(tokenizer(), embedding_dim=WIDTH)
    model = SentenceTransformer(modules=[table, *modules], device="cpu", **options)
    randomize(model, seed).save(str(folder), create_model_card=False)


def write_model2vec(folder, tensors):
    """What model2vec saves: fewer rows than tokens, and what they are multiplied by."""
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer().save(str(folder / "tokenizer.json"))
    write_json(folder / "config.json", {"model_type": "model2vec", "architectures": ["StaticModel"], "normalize": True})
    names = [("StaticEmbedding", "."), ("Normalize", "1_Normalize")]
    entries = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{name}"}
        for index, (name, path) in enumerate(names)
    ]
    write_json(folder / "modules.json", entries)


@embedder("static-normalize", "A StaticEmbedding alone, then Normalize: no special tokens, an empty text gives zeros.")
def normalize(folder, seed):
    write_static(folder, seed, Normalize())


@embedder(
    "static-truncation-dense",
    "A folder of its own, whose tokenizer.json keeps the last 20 tokens, which here nothing overrides, and pads to 32, "
    "which is not done; a default prompt; Dense with tanh.",
)
def truncation_dense(folder, seed):
    dense = Dense(WIDTH, 10)
    write_static(folder, seed, dense, prompts={"query": "find: "}, default_prompt_name="query")
    place = folder / "0_StaticEmbedding/tokenizer.json"
    place.parent.mkdir()
    for name in ["tokenizer.json", "model.safetensors"]:
        (folder / name).rename(place.parent / name)
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    write_json(folder / "modules.json", [modules[0] | {"path": "0_StaticEmbedding"}, *modules[1:]])
    side = {"direction": "Left", "max_length": 20, "strategy": "LongestFirst", "stride": 0}
    pad = {"pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    edit_json(place, truncation=side, padding={"strategy": {"Fixed": 32}, "direction": "Right", **pad})


def shared_rows(seed, rows):
    generator = torch.Generator().manual_seed(seed)
    return {
        "embeddings": 0.3 * torch.randn(rows, WIDTH, generator=generator),
        "mapping": torch.randint(rows, (bert.VOCABULARY,), generator=generator),
        "weights": 0.1 + torch.rand(bert.VOCABULARY, generator=generator, dtype=torch.float64),
    }


@embedder(
    "static-model2vec",
    "model2vec's embeddings, shared by several tokens each through an int64 mapping, and float64 weights.",
)
def model2vec(folder, seed):
    write_model2vec(folder, shared_rows(seed, 150))


@embedder("static-model2vec-weights", "model2vec's embeddings with float32 weights and no mapping.")
def model2vec_weights(folder, seed):
    tensors = shared_rows(seed, bert.VOCABULARY)
    write_model2vec(folder, {"embeddings": tensors["embeddings"], "weights": tensors["weights"].float()})
