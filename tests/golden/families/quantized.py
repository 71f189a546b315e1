"""Codes of 8 bits with scales: fp8 as compressed-tensors and transformers write it, and one scale for a whole matrix.

The numbers are those of the dequantized model in fp32. Scales have 8 bits, so that a code times its scale is exact in fp32,
and the codes can be told from the numbers again."""

import torch
from sentence_transformers.sentence_transformer.modules import Normalize
from transformers import Qwen3Model

from common import edit_json, edit_weights, fixture
from families import bert, qwen
from families.bert import embedder

WEIGHTS = "model.safetensors"
FP8 = torch.finfo(torch.float8_e4m3fn).max
LINEAR = ("query", "key", "value", "dense", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def is_linear(name, tensor):
    return tensor.ndim == 2 and name.split(".")[-2] in LINEAR


def spread(scale, block, shape):
    """Each number's scale."""
    for axis, size in enumerate(block):
        scale = scale.repeat_interleave(size, axis)
    return scale[: shape[0], : shape[1]]


def split(tensor, block, most):
    """Codes and scales of a matrix, by blocks of rows and columns; a block of zero rows or columns has them all."""
    rows, columns = tensor.shape
    height, width = block[0] or rows, block[1] or columns
    below, beside = -(-rows // height), -(-columns // width)
    padded = torch.nn.functional.pad(tensor, (0, beside * width - columns, 0, below * height - rows))
    greatest = padded.abs().reshape(below, height, beside, width).amax((1, 3))
    scale = (greatest / most).to(torch.bfloat16).float()
    scales = spread(scale, (height, width), tensor.shape)
    codes = (tensor / scales).clamp(-most, most)
    codes = codes.round().to(torch.int8) if most == 127 else codes.to(torch.float8_e4m3fn)
    return codes, scale, codes.float() * scales


def rounded(folder, block, most):
    """Gives the matrices numbers that codes can hold."""

    def change(tensors):
        for name, tensor in tensors.items():
            if is_linear(name, tensor):
                # The greatest code must be in use, or the scale could not be told again.
                tensors[name] = split(split(tensor, block, most)[2], block, most)[2]
        return tensors

    edit_weights(folder / WEIGHTS, change)


def coded(block, most, config, scale_name="weight_scale", scale_form=lambda scale: scale, extra=()):
    """Rewrites a folder of such numbers with codes and scales."""

    def change(tensors):
        stored = {}
        for name, tensor in tensors.items():
            stored[name] = tensor
            if is_linear(name, tensor):
                codes, scale, numbers = split(tensor, block, most)
                assert torch.equal(numbers, tensor), name
                stored[name] = codes
                stored[name.replace("weight", scale_name)] = scale_form(scale)
                for other in extra:
                    stored[name.replace("weight", other)] = torch.tensor([0.5])
        return stored

    def rewrite(folder):
        edit_weights(folder / WEIGHTS, change)
        edit_json(folder / "config.json", quantization_config=config)

    return rewrite


def compressed(form, kind, strategy, activations=None, **weights):
    """The settings of compressed-tensors."""
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "quantization_status": "compressed",
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {"num_bits": 8, "type": kind, "symmetric": True, "strategy": strategy, "dynamic": False} | weights,
                "input_activations": activations,
                "output_activations": None,
            }
        },
        "ignore": ["lm_head"],
        "kv_cache_scheme": None,
    }


def activations(strategy, dynamic):
    return {"num_bits": 8, "type": "float", "symmetric": True, "strategy": strategy, "dynamic": dynamic}


@embedder(
    "bert-fp8-channel",
    "compressed-tensors float-quantized: a bf16 scale a row; activations would be rounded, and are not.",
    rewrite=coded(
        (1, 0),
        FP8,
        compressed("float-quantized", "float", "channel", activations("token", True)),
        scale_form=lambda scale: scale.to(torch.bfloat16),
    ),
)
def fp8_channel(folder, seed):
    bert.write_pipeline(folder, seed, bert.mean(), Normalize())
    rounded(folder, (1, 0), FP8)


@embedder(
    "bert-fp8-tensor",
    "compressed-tensors float-quantized: one scale a matrix; scales of activations beside them.",
    rewrite=coded(
        (0, 0),
        FP8,
        compressed("float-quantized", "float", "tensor", activations("tensor", False)),
        scale_form=lambda scale: scale.reshape(1),
        extra=["input_scale"],
    ),
)
def fp8_tensor(folder, seed):
    bert.write_pipeline(folder, seed, bert.mean(), Normalize())
    rounded(folder, (0, 0), FP8)


@embedder(
    "bert-int8-tensor",
    "compressed-tensors int-quantized: one scale without dimensions a matrix.",
    rewrite=coded(
        (0, 0), 127, compressed("int-quantized", "int", "tensor"), scale_form=lambda scale: scale.reshape(())
    ),
)
def int8_tensor(folder, seed):
    bert.write_pipeline(folder, seed, bert.mean(), Normalize())
    rounded(folder, (0, 0), 127)


@embedder(
    "bert-int8-group",
    "compressed-tensors int-quantized: a scale for each 12 numbers of a row.",
    rewrite=coded((1, 12), 127, compressed("int-quantized", "int", "group", group_size=12)),
)
def int8_group(folder, seed):
    bert.write_pipeline(folder, seed, bert.mean(), Normalize())
    rounded(folder, (1, 12), 127)


@fixture(
    "qwen3-fp8-blocks",
    "transformers' FineGrainedFP8, as Qwen publishes it: blocks of 20 rows and 12 columns, the last ones cut short.",
    cases=qwen.NOT_EMPTY,
    rewrite=coded(
        (20, 12),
        FP8,
        {"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3", "weight_block_size": [20, 12]},
        scale_name="weight_scale_inv",
    ),
)
def fp8_blocks(folder, seed):
    qwen.write_embedder(folder, seed, Qwen3Model(qwen.qwen3()), qwen.tokenizer(), qwen.last(), Normalize())
    rounded(folder, (20, 12), FP8)
