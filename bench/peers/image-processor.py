#!/usr/bin/env python3
"""transformers' CLIP image processors for bench/parts/media.ts: a line asks for so many pictures, the seconds it took go out.

A JPEG in memory in, numbers out, one picture a call: Pillow decodes it, then either the processor that works with
torchvision, which transformers takes unless told, or the one that works with Pillow and NumPy.
"""
import io
import json
import sys
import time

import PIL
import torchvision
import transformers
from PIL import Image
from transformers.models.clip.image_processing_clip import CLIPImageProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

PROCESSORS = {"torchvision": CLIPImageProcessor(), "pillow": CLIPImageProcessorPil()}


def main():
    answer({"transformers": transformers.__version__, "pillow": PIL.__version__, "torchvision": torchvision.__version__})
    for line in sys.stdin:
        ask = json.loads(line)
        with open(ask["file"], "rb") as file:
            data = file.read()
        process = PROCESSORS[ask["processor"]]
        start = time.perf_counter()
        for _ in range(ask["count"]):
            process(Image.open(io.BytesIO(data)).convert("RGB"), return_tensors="np")
        answer({"seconds": time.perf_counter() - start})


def answer(value):
    print(json.dumps(value), flush=True)


main()
