"""Repositories as older ones are: checkpoints of torch.save, vocabularies without tokenizer.json, token types or none."""

import json
from functools import partial

import torch
from safetensors.torch import load_file
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import (
    AlbertForSequenceClassification,
    BertForSequenceClassification,
    BertModel,
    MPNetModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from common import PAIR_CASES, TEXT_CASES, edit_json, fixture, randomize, write_embedder, write_json, write_plain
from families import albert, bert, mpnet, roberta

HIDDEN = 32
ONE_LAYER = {"num_hidden_layers": 1}

# Tokens that are added to a vocabulary, and one that takes the blank before it.
ADDED_TEXTS = [
    {"name": "added", "text": "the new1 NEW1 new2 dog, <x>hello <X> new1new2"},
    {"name": "masks", "text": "the [MASK] dog  [MASK]hello[MASK] [mask]"},
]

embedder = partial(fixture, unused=r"\.key\.bias$|\.pooler\.")
reranker = partial(fixture, kind="rerank", unused=r"\.key\.bias$", cases=PAIR_CASES)


# --- Weights ----------------------------------------------------------------------------------------------------------


def in_one_storage(tensors):
    """All tensors as views of one storage, each behind the one before it."""
    flat = torch.cat([tensor.flatten() for tensor in tensors.values()])
    parts = flat.split([tensor.numel() for tensor in tensors.values()])
    return {name: part.view(tensor.shape) for part, (name, tensor) in zip(parts, tensors.items())}


def laid_otherwise(tensors):
    """The same numbers: matrices stored by columns, vectors with others between theirs, the words as every second row."""
    moved = {}
    for name, tensor in tensors.items():
        if tensor.dim() == 1:
            moved[name] = torch.stack([tensor, -tensor], 1).flatten()[::2]
        elif "word" in name:
            moved[name] = torch.stack([-tensor, tensor], 1).flatten(0, 1)[1::2]
        else:
            moved[name] = tensor.T.contiguous().T
        assert torch.equal(moved[name], tensor) and not moved[name].is_contiguous()
    # as tied weights are saved: another name for the same storage
    return moved | {f"tied.{name}": tensor for name, tensor in moved.items() if "word" in name}


def save_checkpoint(folder, change=dict):
    """pytorch_model.bin in place of model.safetensors."""
    path = folder / "model.safetensors"
    torch.save(change(load_file(path)), folder / "pytorch_model.bin")
    path.unlink()


def save_shards(folder, count):
    """As many files as asked, named by an index."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    names = list(tensors)
    weight_map = {}
    for index in range(count):
        file = f"pytorch_model-{index + 1:05}-of-{count:05}.bin"
        some = names[index::count]
        torch.save({name: tensors[name] for name in some}, folder / file)
        weight_map |= dict.fromkeys(some, file)
    write_json(folder / "pytorch_model.bin.index.json", {"metadata": {}, "weight_map": weight_map})
    path.unlink()


# --- Tokenizers -------------------------------------------------------------------------------------------------------


def keep_vocabulary(folder, **config):
    """vocab.txt, or vocab.json and merges.txt, in place of tokenizer.json; `config` is all that stays of its settings."""
    path = folder / "tokenizer.json"
    model = json.loads(path.read_text("utf-8"))["model"]
    if model["type"] == "WordPiece":
        tokens = sorted(model["vocab"], key=model["vocab"].get)
        (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")
    else:
        (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False), "utf-8")
        merges = "".join(f"{first} {second}\n" for first, second in model["merges"])
        (folder / "merges.txt").write_text("#version: 0.2\n" + merges, "utf-8")
    path.unlink()
    (folder / "tokenizer_config.json").unlink()
    if config:
        write_json(folder / "tokenizer_config.json", config)


# --- Fixtures ---------------------------------------------------------------------------------------------------------


@embedder(
    "torch-checkpoint",
    "pytorch_model.bin and vocab.txt alone: views of one storage, an integer buffer, a Dense module of the same kind.",
)
def torch_checkpoint(folder, seed):
    bert.write_pipeline(folder, seed, Pooling(HIDDEN, "mean"), Dense(HIDDEN, 20), Normalize())
    keep_vocabulary(folder)

    def change(tensors):
        ids = {"embeddings.position_ids": torch.arange(bert.POSITIONS)[None]}
        return in_one_storage({f"bert.{name}": tensor for name, tensor in tensors.items()}) | ids

    save_checkpoint(folder, change)
    save_checkpoint(next(folder.glob("2_*")))


@embedder(
    "torch-strides",
    "pytorch_model.bin whose tensors are not stored row by row, some of F16; tied ones; a Dense module of the same kind.",
)
def torch_strides(folder, seed):
    bert.write_pipeline(folder, seed, Pooling(HIDDEN, "mean"), Dense(HIDDEN, 20), Normalize())

    def change(tensors):
        halves = {name: tensor.half() for name, tensor in tensors.items() if "layer.0" in name}
        return laid_otherwise(tensors | halves)

    save_checkpoint(folder, change)
    save_checkpoint(next(folder.glob("2_*")), laid_otherwise)


@fixture(
    "torch-shards-f16",
    "Shards of pytorch_model.bin in half precision, vocab.json and merges.txt, no modules.json.",
    cases=roberta.TEXTS,
    unused=r"\.key\.bias$|\.pooler\.|lm_head",
)
def torch_shards(folder, seed):
    model = randomize(RobertaForMaskedLM(RobertaConfig(**roberta.sizes())), seed).half()
    write_plain(folder, model, roberta.byte_level())
    keep_vocabulary(folder, model_max_length=roberta.LIMIT)
    save_shards(folder, 3)


@embedder(
    "vocabulary-cased",
    "vocab.txt, cased, accents and Chinese left as they are; special_tokens_map.json and added_tokens.json.",
    cases=[*TEXT_CASES, *ADDED_TEXTS],
)
def vocabulary_cased(folder, seed):
    words = bert.tokenizer(lower_case=False)
    bert.write_pipeline(folder, seed, Pooling(HIDDEN, "cls"), words=words, vocab_size=403, **ONE_LAYER)
    keep_vocabulary(
        folder, do_lower_case=False, tokenize_chinese_chars=False, model_max_length=64, tokenizer_class="BertTokenizer"
    )
    mask = {"content": "[MASK]", "lstrip": True, "normalized": False, "rstrip": False, "single_word": False}
    names = {f"{name}_token": f"[{name.upper()}]" for name in ["unk", "sep", "pad", "cls"]}
    write_json(folder / "special_tokens_map.json", names | {"mask_token": mask, "additional_special_tokens": ["<x>"]})
    write_json(folder / "added_tokens.json", {"new2": 401, "new1": 400})


@embedder(
    "vocabulary-mpnet", "vocab.txt of an MPNet: its own names of special tokens.", unused=r"\.attn\.k\.bias$|\.pooler\."
)
def vocabulary_mpnet(folder, seed):
    model = MPNetModel(mpnet.config(**ONE_LAYER))
    write_embedder(folder, seed, model, mpnet.tokenizer(), Pooling(HIDDEN, "mean"))
    keep_vocabulary(folder, model_max_length=64)


@reranker("cross-encoder-untyped", "PreTrainedTokenizerFast: pairs have no token types, though the template has them.")
def cross_encoder_untyped(folder, seed):
    model = BertForSequenceClassification(bert.config(num_labels=1))
    bert.write_backbone(folder, randomize(model, seed))
    edit_json(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")


@reranker("cross-encoder-typed", "PreTrainedTokenizerFast whose model_input_names ask for token types.")
def cross_encoder_typed(folder, seed):
    model = BertForSequenceClassification(bert.config(num_labels=1))
    bert.write_backbone(folder, randomize(model, seed))
    names = ["input_ids", "token_type_ids", "attention_mask"]
    edit_json(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast", model_input_names=names)


@reranker("cross-encoder-albert", "AlbertTokenizer, which gives no token types by itself.")
def cross_encoder_albert(folder, seed):
    model = AlbertForSequenceClassification(albert.config(num_labels=1))
    write_plain(folder, randomize(model, seed), albert.tokenizer())
