#!/usr/bin/env python3
"""transformers' CLIP tower of pictures for bench/parts/pictures.ts: a line names files, the seconds they took go out.

The folder of the first argument is made where there is none: a tower of the shape of ViT-B/32 with random weights. A JPEG in
memory in, a vector out, so many pictures a batch: Pillow decodes, and the processor works with Pillow and NumPy.
"""
import io
import json
import os
import sys
import time

import PIL
import torch
import transformers
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil


def main():
    folder = sys.argv[1]
    if not os.path.exists(folder):
        make(folder)
    model = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    process = CLIPImageProcessorPil.from_pretrained(folder)
    answer({"transformers": transformers.__version__, "torch": torch.__version__, "pillow": PIL.__version__})
    for line in sys.stdin:
        ask = json.loads(line)
        files = []
        for name in ask["files"]:
            with open(name, "rb") as file:
                files.append(file.read())
        start = time.perf_counter()
        vectors = [embed(model, process, files[at : at + ask["batch"]]) for at in range(0, len(files), ask["batch"])]
        seconds = time.perf_counter() - start
        answer({"seconds": seconds, "first": vectors[0][0].tolist()})


def make(folder):
    torch.manual_seed(1)
    CLIPVisionModelWithProjection(CLIPVisionConfig(projection_dim=512)).save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)


@torch.inference_mode()
def embed(model, process, files):
    pictures = [Image.open(io.BytesIO(file)).convert("RGB") for file in files]
    vectors = model(**process(pictures, return_tensors="pt")).image_embeds
    return torch.nn.functional.normalize(vectors)


def answer(value):
    print(json.dumps(value), flush=True)


main()
