"""Writes what Pillow and transformers make of small pictures: the numbers that src/media must give, to the last bit.

    pip install pillow==13.0.0 numpy==2.4.6 transformers==5.23.0 torch==2.15.0 torchvision==0.29.2
    python tests/unit/media/pictures/make-pictures.py

Beside this file: the pictures; `decoded.bin`, `resized.bin` (bytes, RGB) and `prepared.bin` (little-endian float32);
`pictures.json`, which says what lies where. Nothing is downloaded, and a second run gives the same bytes.
"""
import hashlib
import json
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL
import transformers
from PIL import Image, ImageCms, ImageOps
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

ROOT = Path(__file__).resolve().parent
WIDTH, HEIGHT = 13, 11
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def paint(width, height, seed):
    """Waves, a patch of one colour with hard edges, and noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x * random.uniform(0.1, 0.9) + y * random.uniform(0.1, 0.9) + c) for c in range(3)]
    pixels = 128 + 90 * np.stack(waves, -1) + random.normal(0, 12, (height, width, 3))
    pixels[height // 3 : height // 2 + 1, width // 4 : width // 2] = random.integers(0, 256, 3)
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def count(width, height):
    """Pixels that the test makes too: the highest byte of x = 1664525 x + 1013904223, starting from 1."""
    values = np.empty(width * height * 3, "uint8")
    x = 1
    for index in range(values.size):
        x = (1664525 * x + 1013904223) % 2**32
        values[index] = x >> 24
    return Image.fromarray(values.reshape(height, width, 3))


def png(depth, color, rows):
    """Pillow writes no RGB of 16 bits."""
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, color, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def write_pictures():
    random = np.random.default_rng(3)
    picture = paint(WIDTH, HEIGHT, 1)
    alpha = paint(WIDTH, HEIGHT, 2).convert("L").point(lambda v: 0 if v < 90 else v)
    with_alpha = picture.copy()
    with_alpha.putalpha(alpha)
    grey, palette = picture.convert("L"), picture.quantize(60)
    save = lambda name, image, **options: image.save(ROOT / name, **options)
    for sampling, name in enumerate(["444", "422", "420"]):
        save(f"{name}.jpg", picture, quality=85, subsampling=sampling)
    save("progressive.jpg", picture, quality=80, progressive=True)
    save("grey.jpg", grey, quality=85)
    save("cmyk.jpg", Image.merge("CMYK", [paint(WIDTH, HEIGHT, s).convert("L") for s in range(4)]), quality=90)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # whoever applies it gets other colours
    swapped = swap_primaries(profile)
    save("profile.jpg", picture, quality=85, icc_profile=swapped)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = turn
        save(f"turned-{turn}.jpg", picture, quality=85, exif=exif)
        if turn == 6:
            save("turned.png", picture, exif=exif)
            save("turned.webp", picture, exif=exif, lossless=True)
            save("turned.tif", picture, exif=exif)
    save("rgb.png", picture)
    save("profile.png", picture, icc_profile=swapped)
    save("rgba.png", with_alpha)
    save("grey.png", grey)
    save("grey-alpha.png", Image.merge("LA", [grey, alpha]))
    save("black-white.png", picture.convert("1"))
    save("palette.png", palette)
    save("palette-alpha.png", palette, transparency=bytes(range(0, 240, 4)))
    save("palette-hidden.png", palette, transparency=3)
    save("rgb-hidden.png", picture, transparency=picture.getpixel((4, 5)))
    (ROOT / "rgb-16.png").write_bytes(png(16, 2, [r.tobytes() for r in random.integers(0, 65536, (HEIGHT, WIDTH, 3)).astype(">u2")]))
    (ROOT / "rgba-16.png").write_bytes(png(16, 6, [r.tobytes() for r in random.integers(0, 65536, (HEIGHT, WIDTH, 4)).astype(">u2")]))
    (ROOT / "grey-2.png").write_bytes(png(2, 0, [r.tobytes() for r in random.integers(0, 256, (HEIGHT, 4)).astype("u1")]))
    (ROOT / "grey-4.png").write_bytes(png(4, 0, [r.tobytes() for r in random.integers(0, 256, (HEIGHT, 7)).astype("u1")]))
    other = paint(WIDTH, HEIGHT, 7)
    save("moving.gif", palette, save_all=True, append_images=[other.quantize(30)], duration=90)
    save("hidden.gif", palette, transparency=5)
    save("moving.webp", picture, save_all=True, append_images=[other], duration=90, lossless=True)
    save("lossy.webp", picture, quality=80)
    save("alpha.webp", with_alpha, lossless=True, exact=True)
    save("lzw.tif", picture, compression="tiff_lzw")
    save("grey.tif", grey)
    save("palette.tif", palette)
    save("alpha.tif", with_alpha)
    save("photo.jpg", paint(61, 47, 5), quality=90)
    save("tall.png", paint(9, 40, 6))


def swap_primaries(profile):
    """Red is green, and green is red."""
    tags = struct.unpack(">I", profile[128:132])[0]
    entries = [bytearray(profile[132 + 12 * n : 144 + 12 * n]) for n in range(tags)]
    names = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    for entry in entries:
        entry[:4] = names.get(bytes(entry[:4]), bytes(entry[:4]))
    return profile[:132] + b"".join(entries) + profile[132 + 12 * tags :]


def decode(name):
    return ImageOps.exif_transpose(Image.open(ROOT / name)).convert("RGB")


def write_decoded():
    cases, data = [], b""
    for path in sorted(ROOT.iterdir()):
        if path.suffix not in (".jpg", ".png", ".gif", ".webp", ".tif") or path.stem in ("photo", "tall"):
            continue
        image = decode(path.name)
        cases.append(dict(file=path.name, width=image.width, height=image.height, offset=len(data)))
        data += image.tobytes()
    (ROOT / "decoded.bin").write_bytes(data)
    return cases


SMALL = [
    ((13, 11), (7, 5)), ((13, 11), (16, 15)), ((13, 11), (13, 6)), ((13, 11), (6, 11)), ((13, 11), (13, 11)),
    ((1, 1), (4, 3)), ((40, 2), (9, 7)), ((2, 40), (7, 9)), ((9, 13), (8, 12)), ((19, 17), (1, 1)), ((11, 31), (12, 10)),
    ((10, 16), (8, 12)), ((10, 17), (8, 12)),
]
LARGE = [((640, 427), (336, 224)), ((427, 640), (224, 336)), ((500, 800), (224, 224)), ((60, 40), (384, 384))]


def write_resized():
    cases, data, hashes = [], b"", []
    for (width, height), size in SMALL + LARGE:
        image = count(width, height)
        for name, number in FILTERS.items():
            pixels = image.resize(size, number).tobytes()
            case = dict(filter=name, input=[width, height], output=list(size))
            if (size, (width, height)) in [(s, i) for i, s in LARGE]:
                hashes.append(dict(**case, sha256=hashlib.sha256(pixels).hexdigest()))
            else:
                cases.append(dict(**case, offset=len(data)))
                data += pixels
    (ROOT / "resized.bin").write_bytes(data)
    return cases, hashes


NORM = dict(image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711])
PROCESSORS = {
    "shortest edge, cropped": ("photo.jpg", CLIPImageProcessorPil(size={"shortest_edge": 17}, crop_size=16)),
    "a tall one": ("tall.png", CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 24, "width": 8})),
    "cropped beyond its edges": ("photo.jpg", CLIPImageProcessorPil(size={"shortest_edge": 11}, crop_size=16, **NORM)),
    "not resized": ("photo.jpg", CLIPImageProcessorPil(do_resize=False, crop_size=16)),
    "exact size": ("photo.jpg", SiglipImageProcessorPil(size={"height": 8, "width": 24}, image_mean=[0.5] * 3, image_std=[0.5] * 3)),
    "not normalized": ("photo.jpg", SiglipImageProcessorPil(size={"height": 16, "width": 16}, do_normalize=False)),
    "patches": ("photo.jpg", Siglip2ImageProcessorPil(patch_size=8, max_num_patches=9)),
    "patches of a tall one": ("tall.png", Siglip2ImageProcessorPil(patch_size=8, max_num_patches=7)),
}


def write_prepared():
    cases, data = [], b""
    for name, (file, processor) in PROCESSORS.items():
        answer = processor(decode(file), return_tensors="np")
        values = answer["pixel_values"][0]
        case = dict(name=name, file=file, offset=len(data) // 4)
        if "spatial_shapes" in answer:
            rows, columns = (int(n) for n in answer["spatial_shapes"][0])
            values = values[: rows * columns]
            # a line is (y, x, channel) there
            values = values.reshape(rows, columns, 8, 8, 3).transpose(4, 0, 2, 1, 3).reshape(3, rows * 8, columns * 8)
        cases.append(dict(**case, height=values.shape[1], width=values.shape[2]))
        data += np.ascontiguousarray(values, "<f4").tobytes()
    (ROOT / "prepared.bin").write_bytes(data)
    return cases


def main():
    warnings.simplefilter("ignore")
    write_pictures()
    decoded = write_decoded()
    resized, hashes = write_resized()
    lines = lambda cases: ",\n".join(f"    {json.dumps(case)}" for case in cases)
    versions = {"pillow": PIL.__version__, "numpy": np.__version__, "transformers": transformers.__version__}
    parts = dict(decoded=decoded, resized=resized, hashes=hashes, prepared=write_prepared())
    body = ",\n".join(f'  "{name}": [\n{lines(cases)}\n  ]' for name, cases in parts.items())
    (ROOT / "pictures.json").write_text(f'{{\n  "versions": {json.dumps(versions)},\n{body}\n}}\n')


main()
