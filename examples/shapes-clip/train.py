"""Trains the CLIP of this folder on pictures of coloured shapes that it draws. See README.md."""

import json
from math import cos, pi
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel

FOLDER = Path(__file__).parent
SIZE, PATCH, WIDTH, LAYERS, STEPS, SEED = 32, 4, 64, 3, 1000, 7
COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 160, 50),
    "blue": (40, 70, 220),
    "yellow": (240, 220, 40),
    "orange": (245, 140, 20),
    "purple": (130, 40, 170),
    "pink": (250, 150, 190),
    "cyan": (40, 210, 220),
}
GROUNDS = {"black": (10, 10, 10), "grey": (128, 128, 128), "white": (245, 245, 245)}
SHAPES = ["circle", "square", "triangle", "ring", "cross"]
SIZES = ["small", "large"]
WORDS = ["a", "an", "of", "on", "picture", *SIZES, *SHAPES, *COLOURS, *GROUNDS]
MEAN, STD = [0.5] * 3, [0.25] * 3
PAIRS = [(colour, shape) for colour in COLOURS for shape in SHAPES]


def pick(values, count):
    return [values[i] for i in torch.randint(len(values), (count,))]


def inside(shape, x, y):
    """Whether points belong to the shape, whose radius is 1."""
    if shape == "circle":
        return x**2 + y**2 < 1
    if shape == "square":
        return torch.maximum(x.abs(), y.abs()) < 0.85
    if shape == "triangle":
        return (y < 0.8) & (y > 2 * x.abs() - 1)
    if shape == "ring":
        return (x**2 + y**2 < 1) & (x**2 + y**2 > 0.36)
    return (torch.minimum(x.abs(), y.abs()) < 0.28) & (torch.maximum(x.abs(), y.abs()) < 1)


def draw(pairs, sizes, grounds):
    """Pictures [B, 3, SIZE, SIZE] of 0 to 1, smooth at the edges as drawn at twice the size."""
    steps = (torch.arange(2 * SIZE) + 0.5) / 2
    pictures = []
    for (colour, shape), size, ground in zip(pairs, sizes, grounds):
        radius = 7 + 2 * torch.rand(()) if size == "small" else 10 + 4 * torch.rand(())
        left, top = radius + (SIZE - 2 * radius) * torch.rand(2)
        mask = inside(shape, (steps[None] - left) / radius, (steps[:, None] - top) / radius).float()
        mask = torch.nn.functional.avg_pool2d(mask[None], 2)
        front, back = (torch.tensor(rgb)[:, None, None] / 255 for rgb in (COLOURS[colour], GROUNDS[ground]))
        pictures.append(mask * front + (1 - mask) * back)
    drawn = torch.stack(pictures)
    bright = 1 + 0.05 * torch.randn(len(drawn), 1, 1, 1)
    return (drawn * bright + 0.04 * torch.rand(len(drawn), 1, 1, 1) * torch.randn_like(drawn)).clamp(0, 1)


def caption(pair, size, ground):
    named_size, named_ground = (torch.rand(2) < 0.4).tolist()
    words = [*([size] if named_size else []), *pair]
    article = "an" if words[0] == "orange" else "a"
    start = pick([[], [article], ["a", "picture", "of", article]], 1)[0]
    return " ".join([*start, *words, *(["on", ground] if named_ground else [])])


def make_tokenizer():
    ids = {word: i for i, word in enumerate(["<pad>", "<unk>", *WORDS, "<start>", "<end>"])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    specials = [(name, ids[name]) for name in ("<start>", "<end>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<start> $A <end>", special_tokens=specials)
    tokenizer.add_special_tokens(["<pad>", "<unk>", "<start>", "<end>"])
    return tokenizer, ids


def make_model(ids):
    shared = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_attention_heads": 4, "hidden_act": "gelu"}
    special = {"pad_token_id": ids["<pad>"], "bos_token_id": ids["<start>"], "eos_token_id": ids["<end>"]}
    text = {**shared, **special, "num_hidden_layers": 2, "vocab_size": len(ids), "max_position_embeddings": 16}
    vision = {**shared, "num_hidden_layers": LAYERS, "image_size": SIZE, "patch_size": PATCH}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=32, initializer_factor=1.0))


def batch(tokenizer):
    """A picture and a caption of each colour and shape."""
    sizes, grounds = pick(SIZES, len(PAIRS)), pick(list(GROUNDS), len(PAIRS))
    pixels = (draw(PAIRS, sizes, grounds) - MEAN[0]) / STD[0]
    rows = tokenizer.encode_batch([caption(*row) for row in zip(PAIRS, sizes, grounds)])
    mask = torch.tensor([row.attention_mask for row in rows])
    return {"input_ids": torch.tensor([row.ids for row in rows]), "attention_mask": mask, "pixel_values": pixels}


def train(model, tokenizer):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.02)
    rate = lambda step: min(1, (step + 1) / 50) * (0.5 + 0.5 * cos(pi * step / STEPS))  # noqa: E731
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for step in range(STEPS):
        result = model(**batch(tokenizer), return_loss=True)
        optimizer.zero_grad()
        result.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(step + 1, round(result.loss.item(), 3), flush=True)


@torch.no_grad()
def first_share(model, tokenizer, batches=10):
    """Of captions, whose picture is the nearest of a batch."""
    nearest = [model(**batch(tokenizer)).logits_per_text.argmax(1) for _ in range(batches)]
    return (torch.stack(nearest) == torch.arange(len(PAIRS))).float().mean().item()


def write_json(name, value):
    (FOLDER / name).write_text(json.dumps(value, indent=2) + "\n")


def save(model, tokenizer):
    weights = model.state_dict().items()
    tensors = {name: tensor.half().contiguous() for name, tensor in weights if "position_ids" not in name}
    save_file(tensors, FOLDER / "model.safetensors", metadata={"format": "pt"})
    model.config.architectures = ["CLIPModel"]
    model.config.dtype = torch.float16
    model.config.to_json_file(FOLDER / "config.json")
    tokenizer.no_padding()
    tokenizer.save(str(FOLDER / "tokenizer.json"))
    write_json(
        "preprocessor_config.json",
        {
            "image_processor_type": "CLIPImageProcessor",
            "do_convert_rgb": True,
            "do_resize": True,
            "size": {"shortest_edge": SIZE},
            "resample": 3,
            "do_center_crop": True,
            "crop_size": {"height": SIZE, "width": SIZE},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": MEAN,
            "image_std": STD,
        },
    )


if __name__ == "__main__":
    torch.manual_seed(SEED)
    tokenizer, ids = make_tokenizer()
    tokenizer.enable_padding(pad_id=ids["<pad>"], pad_token="<pad>")
    model = make_model(ids)
    train(model, tokenizer)
    print("captions whose picture came first of 40:", round(first_share(model.eval(), tokenizer), 3))
    save(model, tokenizer)
