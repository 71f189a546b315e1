"""SigLIP and SigLIP 2: pictures that a probe looks at, texts that are filled up. Read by siglip.test.ts."""

from functools import partial

import torch
from tokenizers import Tokenizer, normalizers
from torch.nn.functional import normalize, pad
from transformers import (
    AutoModel,
    Siglip2Config,
    Siglip2ImageProcessor,
    Siglip2Model,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    T5Tokenizer,
)

from common import TEXT_CASES, fixture, randomize, unigram
from images import IMAGE_CASES, PICTURES, ImageEmbedder, pixels

VOCABULARY = 400
# Tokens of every text.
LENGTH = 40
PATCH = 8
# What is added to all scores of a query changes nothing; scale and bias of a similarity are no part of a vector.
UNUSED = r"k_proj\.bias$|logit_(scale|bias)$"

media = partial(fixture, kind="media", unused=UNUSED)


def write_words(folder, padding):
    """SigLIP's is a T5 tokenizer whose texts end with `</s>`."""
    pieces = unigram(["<pad>", "</s>", "<unk>"], [], VOCABULARY)
    words = T5Tokenizer(vocab=pieces, extra_ids=0, pad_token=padding, padding_side="right", model_max_length=LENGTH)
    words.save_pretrained(folder)


class FilledEmbedder(ImageEmbedder):
    """Texts are filled up to one length, and nothing tells the model where they end."""

    lower = False

    def __init__(self, folder, size, padding):
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        if self.lower:
            parts = [normalizers.Lowercase(), self.tokenizer.normalizer]
            self.tokenizer.normalizer = normalizers.Sequence([part for part in parts if part])
        self.tokenizer.enable_truncation(LENGTH)
        self.tokenizer.enable_padding(pad_id=self.tokenizer.token_to_id(padding), pad_token=padding, length=LENGTH)
        self.write_pixels(folder, size)
        self.vector = self.feature

    def write_pixels(self, folder, size):
        self.size = size
        self.pixels = pixels(*size)
        self.pixels.numpy().astype("<f4").tofile(folder.parent / "pixels.f32")

    def read(self, texts):
        return {"input_ids": torch.tensor([self.tokenizer.encode(text).ids for text in texts])}

    def check_ids(self, folder, cases):
        """`answer` asks the tokenizers library itself."""


# --- SigLIP -----------------------------------------------------------------------------------------------------------


def sizes(**changes):
    return {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4} | changes


TEXT = sizes(vocab_size=VOCABULARY, max_position_embeddings=LENGTH, projection_size=40)
VISION = sizes(hidden_size=40, num_attention_heads=2, patch_size=PATCH)


@media(
    "siglip",
    "SigLIP: heads of 8 and of 20, a projection to another width; filled up with the token that ends a text.",
    cases=[*IMAGE_CASES, *TEXT_CASES],
    serve=partial(FilledEmbedder, size=(32, 32), padding="</s>"),
)
def siglip(folder, seed):
    config = SiglipConfig(text_config=TEXT, vision_config=VISION | {"image_size": 32})
    randomize(SiglipModel(config), seed).save_pretrained(folder)
    write_words(folder, "</s>")
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


class TowerAlone(ImageEmbedder):
    def feature(self, pixel_values):
        return self.model(pixel_values=pixel_values).pooler_output


@media(
    "siglip-vision",
    "The tower of SigLIP alone, for pictures whose last pixels fill no patch; plain gelu.",
    cases=IMAGE_CASES,
    serve=partial(TowerAlone, size=(30, 30)),
)
def siglip_vision(folder, seed):
    config = SiglipVisionConfig(**VISION | {"image_size": 30, "hidden_act": "gelu", "layer_norm_eps": 1e-5})
    randomize(SiglipVisionModel(config), seed).save_pretrained(folder)
    SiglipImageProcessor(size={"height": 30, "width": 30}).save_pretrained(folder)


# --- SigLIP 2, of pictures of any ratio -------------------------------------------------------------------------------

# Of the grid of 4 × 4 that is learned: itself, coarser, finer, both, and one patch.
RATIOS = [(32, 32), (16, 24), (8, 160), (56, 24), (8, 8)]
MOST = 24


class NaFlexEmbedder(FilledEmbedder):
    lower = True

    def write_pixels(self, folder, size):
        self.pictures = [pixels(*size)[index % len(PICTURES)] for index, size in enumerate(RATIOS)]
        flat = torch.cat([picture.flatten() for picture in self.pictures])
        flat.numpy().astype("<f4").tofile(folder.parent / "pixels.f32")

    def header(self):
        return {"dimensions": self.images([{"pixels": 0}]).shape[1], "sizes": [list(size) for size in RATIOS]}

    @torch.no_grad()
    def images(self, cases):
        """Patches by line and column of the picture, each by line, column and channel; then padding that is not seen."""
        rows, masks, shapes = [], [], []
        for case in cases:
            picture = self.pictures[case["pixels"]]
            _, height, width = picture.shape
            lines, columns = height // PATCH, width // PATCH
            patches = picture.reshape(3, lines, PATCH, columns, PATCH).permute(1, 3, 2, 4, 0).reshape(lines * columns, -1)
            rows.append(pad(patches, (0, 0, 0, MOST - len(patches))))
            masks.append(torch.arange(MOST) < len(patches))
            shapes.append([lines, columns])
        features = self.model.get_image_features(
            pixel_values=torch.stack(rows),
            pixel_attention_mask=torch.stack(masks).int(),
            spatial_shapes=torch.tensor(shapes),
        )
        return normalize(features.pooler_output, dim=-1).numpy()


@media(
    "siglip2",
    "SigLIP 2 with pictures of five shapes in one batch; texts in small letters, filled up with `<pad>`.",
    cases=[*({"name": f"{h}x{w}", "pixels": i} for i, (h, w) in enumerate(RATIOS)), *TEXT_CASES],
    serve=partial(NaFlexEmbedder, size=None, padding="<pad>"),
)
def siglip2(folder, seed):
    config = Siglip2Config(text_config=TEXT, vision_config=VISION | {"num_patches": 16})
    randomize(Siglip2Model(config), seed).save_pretrained(folder)
    write_words(folder, "<pad>")
    Siglip2ImageProcessor(patch_size=PATCH, max_num_patches=MOST).save_pretrained(folder)
