"""jina-clip: pictures by EVA-02, written anew in plain torch; texts by jina-embeddings-v3 with an adapter, or by JinaBERT. Read by siglip.test.ts."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.functional import layer_norm, linear, normalize, scaled_dot_product_attention, silu
from transformers import AutoTokenizer, JinaEmbeddingsV3Model

from common import TEXT_CASES, fixture, randomize, write_json
from families import bert, roberta
from families.jina import AlibiConfig, AlibiModel
from families.jina_flash import LIMIT, config as text_config
from images import IMAGE_CASES, ImageEmbedder, pixels

PATCH = 8
VISION = {
    "embed_dim": 32,
    "fused_layer_norm": False,
    "head_width": 16,
    "image_size": 36,  # the last pixels fill no patch
    "intp_freq": True,
    "layers": 2,
    "ls_init_value": None,
    "mlp_ratio": 2.6667,
    "model_type": "jina_clip_vision",
    "naive_swiglu": True,
    "patch_dropout": 0.1,
    "patch_size": PATCH,
    "post_norm": False,
    "proj_type": None,
    "pt_hw_seq_len": 3,
    "qkv_bias": True,
    "rope_embeddings": True,
    "subln": True,
    "width": 32,
    "x_attention": True,
}
TASK = "retrieval.query"
INSTRUCTION = "Represent the query for retrieving evidence documents: "
RANK, ALPHA = 2, 3
# In place of what jina-embeddings-v3's own config.json says: the sizes of this one.
SIZES = ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings"]
BODY = "text_model.transformer.roberta."
CASES = [*IMAGE_CASES, *(case for case in TEXT_CASES if "<pad>" not in case["text"])]


# --- Pictures ---------------------------------------------------------------------------------------------------------


def turned(x, grid, trained):
    """Pairs of neighbours, the first half of them by the line of a patch and the second by its column; x is [B, N, patches, D]."""
    width = x.shape[-1]
    rates = 10_000 ** (-torch.arange(0, width // 2, 2).double() / (width // 2))
    places = torch.arange(grid).double() / grid * trained
    lines, columns = torch.meshgrid(places, places, indexing="ij")
    angles = torch.cat([lines.flatten()[:, None] * rates, columns.flatten()[:, None] * rates], dim=-1)
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2).float()


class Norm(nn.LayerNorm):
    def __init__(self, width):
        super().__init__(width, eps=1e-6)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.q_bias, self.v_bias = (nn.Parameter(torch.zeros(width)) for _ in range(2))
        self.inner_attn_ln = Norm(width)
        self.proj = nn.Linear(width, width)

    def forward(self, x, grid, trained):
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q = split(linear(x, self.q_proj.weight, self.q_bias))
        k = split(self.k_proj(x))
        v = split(linear(x, self.v_proj.weight, self.v_bias))
        q, k = (torch.cat([y[:, :, :1], turned(y[:, :, 1:], grid, trained)], dim=2) for y in (q, k))
        context = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.proj(self.inner_attn_ln(context))


class Steps(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.w1, self.w2 = nn.Linear(width, inner), nn.Linear(width, inner)
        self.ffn_ln = Norm(inner)
        self.w3 = nn.Linear(inner, width)

    def forward(self, x):
        return self.w3(self.ffn_ln(silu(self.w1(x)) * self.w2(x)))


class Block(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.norm1, self.attn = Norm(width), Attention(width, heads)
        self.norm2, self.mlp = Norm(width), Steps(width, inner)

    def forward(self, x, grid, trained):
        x = x + self.attn(self.norm1(x), grid, trained)
        return x + self.mlp(self.norm2(x))


class Tower(nn.Module):
    def __init__(self, settings):
        super().__init__()
        width, patch = settings["width"], settings["patch_size"]
        self.grid, self.trained = settings["image_size"] // patch, settings["pt_hw_seq_len"]
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid**2, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        inner = int(width * settings["mlp_ratio"])
        heads = width // settings["head_width"]
        self.blocks = nn.ModuleList(Block(width, heads, inner) for _ in range(settings["layers"]))
        self.norm = Norm(width)

    def forward(self, pixel_values):
        x = self.patch_embed["proj"](pixel_values).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x, self.grid, self.trained)
        return self.norm(x)[:, 0]


# --- Texts ------------------------------------------------------------------------------------------------------------


def with_adapters(tensors):
    """Each matrix under a parametrization, with the adapter of one task beside it; of tables A and B are the other way round."""
    generator = torch.Generator().manual_seed(2)
    result = {}
    for name, tensor in sorted(tensors.items()):
        if tensor.ndim < 2:
            result[BODY + name] = tensor
            continue
        rows, columns = tensor.shape
        shapes = [(rows, RANK), (RANK, columns)] if "embeddings" in name else [(RANK, columns), (rows, RANK)]
        path = BODY + name.removesuffix("weight") + "parametrizations.weight."
        result[path + "original"] = tensor
        for letter, shape in zip("AB", shapes):
            result[f"{path}0.lora_{letter}"] = 0.2 * torch.randn((1, *shape), generator=generator)
    return result


def merged(tensors, without=None):
    """The body's weights with the products of their adapters added."""
    result = {}
    for path, tensor in tensors.items():
        name = path.removeprefix(BODY)
        if path == name or ".lora_" in name:
            continue
        if not name.endswith(".original"):
            result[name] = tensor
            continue
        stem = path.removesuffix("original")
        a, b = (tensors[f"{stem}0.lora_{letter}"][0] for letter in "AB")
        product = a @ b if "embeddings" in name else b @ a
        name = name.replace("parametrizations.weight.original", "weight")
        result[name] = tensor if name == without else tensor + product * (ALPHA / RANK)
    return result


def body_of(tensors):
    with TemporaryDirectory() as folder:
        text_config().save_pretrained(folder)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, Path(folder) / "model.safetensors", metadata={"format": "pt"})
        return JinaEmbeddingsV3Model.from_pretrained(folder, add_pooling_layer=False, dtype=torch.float32).eval()


class JinaClip(ImageEmbedder):
    length = LIMIT

    def __init__(self, folder, settings):
        self.tensors = load_file(folder / "model.safetensors")
        self.model = nn.ModuleDict({"vision": Tower(settings), "text": self.body()}).eval()
        vision = {name.removeprefix("vision_model."): tensor for name, tensor in self.tensors.items() if name.startswith("vision_model.")}
        self.model["vision"].load_state_dict(vision, strict=True)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.size = (settings["image_size"], settings["image_size"])
        self.pixels = pixels(*self.size)
        self.pixels.numpy().astype("<f4").tofile(folder.parent / "pixels.f32")
        self.vector = self.model["vision"]

    def body(self):
        return body_of(merged(self.tensors))

    @torch.no_grad()
    def texts(self, cases):
        features = self.read([case["text"] for case in cases])
        mask = features["attention_mask"]
        states = self.model["text"](input_ids=features["input_ids"], attention_mask=mask).last_hidden_state
        return normalize((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), dim=-1).numpy()

    def check_ids(self, folder, cases):
        """And that each adapter shows in the numbers."""
        super().check_ids(folder, cases)
        some = [case for case in cases if "text" in case]
        kept, whole = self.model["text"], self.batch(some)
        for name, tensor in merged(self.tensors).items():
            if tensor.ndim == 2:
                self.model["text"] = body_of(merged(self.tensors, without=name))
                change = float(np.abs(self.batch(some) - whole).max())
                assert change > 1e-3, f"the adapter of {name} changes the numbers by {change:.3g}"
        self.model["text"] = kept


class JinaClipBert(JinaClip):
    """JinaBERT v2 under the names that its later code has."""

    def body(self):
        body = AlibiModel(bert_config())
        body.load_state_dict({name.removeprefix(BERT_BODY): tensor for name, tensor in with_bert_names(self.tensors).items()}, strict=False)
        return body.eval()

    def check_ids(self, folder, cases):
        ImageEmbedder.check_ids(self, folder, cases)


BERT_BODY = "text_model.transformer."
NAMES = [
    ("embeddings.LayerNorm", "emb_ln"),
    ("attention.output.LayerNorm", "norm1"),
    ("mlp.layernorm", "norm2"),
    ("attention.output.dense", "mixer.out_proj"),
    ("encoder.layer.", "encoder.layers."),
]
PARTS = ["query", "key", "value"]


def bert_config():
    sizes = {"vocab_size": 400, "hidden_size": 36, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48}
    return AlibiConfig(**sizes, type_vocab_size=2, layer_norm_eps=1e-12, feed_forward_type="geglu")


def with_flash_names(tensors):
    result = {}
    for name, tensor in tensors.items():
        if name.startswith("pooler.") or ".self.key." in name or ".self.value." in name:
            continue
        if ".self.query." in name:
            tensor = torch.cat([tensors[name.replace("query", part)] for part in PARTS])
            name = name.replace("attention.self.query", "mixer.Wqkv")
        for old, new in NAMES:
            name = name.replace(old, new)
        result[BERT_BODY + name] = tensor
    return result


def with_bert_names(tensors):
    result = {}
    for name, tensor in tensors.items():
        if not name.startswith(BERT_BODY):
            continue
        for old, new in NAMES:
            name = name.replace(new, old)
        if "mixer.Wqkv" not in name:
            result[name] = tensor
            continue
        for part, values in zip(PARTS, tensor.chunk(3)):
            result[name.replace("mixer.Wqkv", f"attention.self.{part}")] = values
    return result


def write_clip(folder, seed, *, texts, text_config, settings):
    """`texts`: the tensors of that side; `text_config`: its section of config.json."""
    vision = {f"vision_model.{name}": tensor for name, tensor in randomize(Tower(settings), seed).state_dict().items()}
    tensors = texts | vision | {"logit_scale": torch.tensor(2.6592)}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    implementation = "jinaai/jina-clip-implementation"
    text = {"model_type": "jina_clip_text", "pooler_type": "mean_pooler", "proj_bias": False, "proj_type": None}
    config = {
        "add_projections": False,
        "architectures": ["JinaCLIPModel"],
        "auto_map": {"AutoModel": f"{implementation}--modeling_clip.JinaCLIPModel"},
        "logit_scale_init_value": 2.6592,
        "model_type": "jina_clip",
        "projection_dim": settings["embed_dim"],
        "text_config": text | text_config,
        "vision_config": settings,
    }
    write_json(folder / "config.json", config)
    processor = {
        "auto_map": {"AutoImageProcessor": f"{implementation}--processing_clip.JinaCLIPImageProcessor"},
        "fill_color": 0,
        "image_processor_type": "JinaCLIPImageProcessor",
        "interpolation": "bicubic",
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "processor_class": "JinaCLIPProcessor",
        "resize_mode": "shortest",
        "size": settings["image_size"],
        "std": [0.26862954, 0.26130258, 0.27577711],
    }
    write_json(folder / "preprocessor_config.json", processor)


V1_VISION = VISION | {"embed_dim": 36, "width": 36, "head_width": 12, "image_size": 32, "intp_freq": False, "pt_hw_seq_len": 4}


@fixture(
    "jina-clip-v1",
    "As jina-clip-v1: EVA-02 on its own grid; texts by JinaBERT v2 with joined projections. Own reference.",
    kind="media",
    cases=CASES,
    unused=r"\.key\.bias$|\.pooler\.",
    serve=partial(JinaClipBert, settings=V1_VISION),
)
def jina_clip_v1(folder, seed):
    tensors = with_flash_names(randomize(AlibiModel(bert_config()), seed).state_dict())
    bert.tokenizer(model_max_length=LIMIT).save_pretrained(folder)
    sizes = {name: getattr(bert_config(), name) for name in SIZES if name != "max_position_embeddings"}
    text = {
        "embed_dim": 36,
        "hf_model_config_kwargs": {"use_flash_attn": False} | sizes,
        "hf_model_name_or_path": "jinaai/jina-bert-flash-implementation",
    }
    write_clip(folder, seed, texts=tensors, text_config=text, settings=V1_VISION)


@fixture(
    "jina-clip-v2",
    "As jina-clip-v2: EVA-02 on a grid stretched to another; texts through the one adapter whatever they are for. Own reference.",
    kind="media",
    cases=CASES,
    serve=partial(JinaClip, settings=VISION),
)
def jina_clip_v2(folder, seed):
    with TemporaryDirectory() as parent:
        body = randomize(JinaEmbeddingsV3Model(text_config(), add_pooling_layer=False), seed)
        body.save_pretrained(parent)
        tensors = with_adapters(load_file(Path(parent) / "model.safetensors"))
    roberta.xlm_pieces().save_pretrained(folder)
    adapters = {
        "load_trained_adapters": False,
        "lora_adaptations": [TASK],
        "lora_alpha": ALPHA,
        "lora_dropout_p": 0.0,
        "lora_main_params_trainable": False,
        "lora_rank": RANK,
        "task_instructions": {TASK: INSTRUCTION},
        "use_flash_attn": True,
    }
    sizes = {name: getattr(text_config(), name) for name in SIZES} | {"rotary_emb_base": 200.0}
    text = {
        "default_instruction_task": None,
        "default_lora_task": TASK,
        "embed_dim": 32,
        "hf_model_config_kwargs": adapters | sizes,
        "hf_model_name_or_path": "jinaai/jina-embeddings-v3",
    }
    write_clip(folder, seed, texts=tensors, text_config=text, settings=VISION)
