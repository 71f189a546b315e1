"""CLIP, ViT and DINOv2: towers that see pictures. Read by vision.test.ts."""

from functools import cache, partial

from tokenizers import Regex, normalizers, pre_tokenizers
from transformers import (
    BitImageProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTokenizer,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
)

from common import CORPUS, TEXT_CASES, fixture, randomize, train_bpe
from images import IMAGE_CASES, ImageEmbedder

LIMIT = 56
VOCABULARY = 560
START, END = "<|startoftext|>", "<|endoftext|>"

ENDING_TEXTS = [
    {"name": "spells-end", "text": f"the dog {END} and the sea"},
    {"name": "spells-later-token", "text": "the <later> dog and the sea"},
]
CLIP_CASES = [*IMAGE_CASES, *TEXT_CASES, *ENDING_TEXTS]
# What is added to all scores of a query, or to none, changes nothing; the scale of a similarity is no part of a vector.
UNUSED = r"k_proj\.bias$|logit_scale$"

def sees(height, width):
    return partial(ImageEmbedder, size=(height, width))


clip_model = partial(fixture, kind="media", cases=CLIP_CASES, unused=UNUSED)
tower = partial(fixture, kind="media", cases=IMAGE_CASES)


@cache
def clip_vocabulary():
    """Bytes, the same at the end of a word, joined pairs, and the two tokens of a text's ends, with their ids; and the merges."""
    normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    pattern = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    splitter = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    # A character that ends a word is another one until the pairs are joined.
    ending = lambda character: chr(ord(character) + 0xE000)
    words = [
        word[:-1] + ending(word[-1])
        for text in CORPUS
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    ]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens, merges, _ = train_bpe(words, [*alphabet, *map(ending, alphabet)], VOCABULARY - 2)
    plain = lambda token: "".join(chr(ord(c) - 0xE000) + "</w>" if ord(c) >= 0xE000 else c for c in token)
    names = [*map(plain, tokens), START, END]
    return {name: index for index, name in enumerate(names)}, [tuple(map(plain, pair)) for pair in merges]


def write_clip(folder, seed, *, end_id=None, later=False, activation="quick_gelu"):
    """`later`: a token is added behind the end token, so that it has the greatest id."""
    vocabulary, merges = clip_vocabulary()
    words = CLIPTokenizer(vocab=dict(vocabulary), merges=list(merges), model_max_length=LIMIT)
    if later:
        words.add_tokens(["<later>"])
    layers = {"num_hidden_layers": 2, "hidden_act": activation}
    text = {"vocab_size": len(words), "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": end_id or words.eos_token_id, "pad_token_id": 1}
    vision = {"hidden_size": 40, "intermediate_size": 56, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
    config = CLIPConfig(
        text_config=text | ends | layers | {"max_position_embeddings": LIMIT},
        vision_config=vision | layers,
        projection_dim=24,
    )
    randomize(CLIPModel(config), seed).save_pretrained(folder)
    words.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)


@clip_model("clip", "CLIP as its authors published it: quick_gelu, an end token that config.json mistakes.", serve=sees(32, 32))
def clip(folder, seed):
    write_clip(folder, seed, end_id=2)


@clip_model("clip-gelu", "CLIP with gelu, and a token added behind the end token.", serve=sees(32, 32))
def clip_gelu(folder, seed):
    write_clip(folder, seed, later=True, activation="gelu")


def sizes(**changes):
    encoder = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    return encoder | {"image_size": 32, "patch_size": 8} | changes


VIT = ViTImageProcessor(size={"height": 32, "width": 32})


def write_tower(folder, seed, model, processor):
    randomize(model, seed).save_pretrained(folder)
    processor.save_pretrained(folder)


@tower("vit", "ViT with a pooler, which takes no part.", unused=r"k_proj\.bias$|pooler\.", serve=sees(32, 32))
def vit(folder, seed):
    write_tower(folder, seed, ViTModel(ViTConfig(**sizes(intermediate_size=48))), VIT)


@tower("vit-unbiased", "ViT without a pooler and biases of queries, keys and values.", unused=r"pooler\.", serve=sees(32, 32))
def vit_unbiased(folder, seed):
    config = ViTConfig(**sizes(intermediate_size=48, qkv_bias=False, layer_norm_eps=1e-6))
    write_tower(folder, seed, ViTModel(config, add_pooling_layer=False), VIT)


def cropped(height, width):
    edge = max(height, width)
    return BitImageProcessor(size={"shortest_edge": edge}, crop_size={"height": height, "width": width})


def write_dino(folder, seed, model, size):
    write_tower(folder, seed, model, cropped(*size))


DINO_UNUSED = r"k_proj\.bias$|mask_token$"


@tower("dinov2", "DINOv2 with pictures of the size that it has positions for.", unused=DINO_UNUSED, serve=sees(32, 32))
def dinov2(folder, seed):
    write_dino(folder, seed, Dinov2Model(Dinov2Config(**sizes(mlp_ratio=2))), (32, 32))


@tower("dinov2-gated-larger", "DINOv2 with gated steps, and pictures larger than it has positions for.", unused=DINO_UNUSED, serve=sees(56, 40))
def dinov2_gated_larger(folder, seed):
    config = Dinov2Config(**sizes(mlp_ratio=3, use_swiglu_ffn=True))
    write_dino(folder, seed, Dinov2Model(config), (56, 40))


@tower("dinov2-smaller", "DINOv2 with pictures smaller than it has positions for.", unused=DINO_UNUSED, serve=sees(24, 24))
def dinov2_smaller(folder, seed):
    write_dino(folder, seed, Dinov2Model(Dinov2Config(**sizes(mlp_ratio=2, image_size=56))), (24, 24))


@tower("dinov2-registers", "DINOv2 with registers, and pictures smaller than it has positions for.", unused=DINO_UNUSED, serve=sees(24, 32))
def dinov2_registers(folder, seed):
    config = Dinov2WithRegistersConfig(**sizes(mlp_ratio=2, image_size=56, num_register_tokens=3))
    write_dino(folder, seed, Dinov2WithRegistersModel(config), (24, 32))


@tower("dinov2-registers-larger", "DINOv2 with registers, and pictures larger than it has positions for.", unused=DINO_UNUSED, serve=sees(48, 40))
def dinov2_registers_larger(folder, seed):
    config = Dinov2WithRegistersConfig(**sizes(mlp_ratio=2, num_register_tokens=2))
    write_dino(folder, seed, Dinov2WithRegistersModel(config), (48, 40))
