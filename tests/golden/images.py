"""What the fixtures of pictures see, and how towers are served: pixel values in, vectors of length 1 out."""

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer


PICTURES = ["noise", "ramp", "dark", "spot"]


def pixels(height, width):
    """Prepared pictures of this size, [4, 3, height, width]: none is the same when its axes or channels are swapped."""
    generator = torch.Generator().manual_seed(height * 1000 + width)
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    noise = torch.randn(3, height, width, generator=generator)
    ramp = torch.stack([y, x, y * x]) * 2
    spot = torch.stack([torch.exp(-8 * ((y - place) ** 2 + (x + place / 2) ** 2)) for place in [-0.5, 0.1, 0.6]])
    return torch.stack([noise, ramp + 0.1 * noise, 0.2 * noise - 1.7, 2 * spot - 1])


class ImageEmbedder:
    """A folder as transformers serves it, in fp32 on the CPU: the vectors of pictures, and of texts where it reads them.

    `vector(pixel_values)` and `text_vector(features)`, of [B, …], are for a fixture to give where its model has no
    `get_image_features` and `get_text_features`.
    """

    length = None  # tokens of a text

    def __init__(self, folder, size, vector=None):
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.reads_texts = hasattr(self.model, "get_text_features")
        self.tokenizer = AutoTokenizer.from_pretrained(folder) if self.reads_texts else None
        self.pixels = pixels(*size)
        self.pixels.numpy().astype("<f4").tofile(folder.parent / "pixels.f32")
        self.vector = vector or self.feature
        self.size = size

    @torch.no_grad()
    def feature(self, pixel_values):
        if hasattr(self.model, "get_image_features"):
            return self.model.get_image_features(pixel_values=pixel_values).pooler_output
        return self.model(pixel_values=pixel_values).last_hidden_state[:, 0]

    def header(self):
        return {"dimensions": self.images([{"pixels": 0}]).shape[1], "size": list(self.size)}

    @torch.no_grad()
    def images(self, cases):
        vectors = self.vector(self.pixels[[case["pixels"] for case in cases]])
        return torch.nn.functional.normalize(vectors, dim=-1).numpy()

    def read(self, texts):
        length = self.length or self.tokenizer.model_max_length
        return self.tokenizer(texts, padding=True, truncation=True, max_length=length, return_tensors="pt")

    @torch.no_grad()
    def texts(self, cases):
        vectors = self.model.get_text_features(**self.read([case["text"] for case in cases])).pooler_output
        return torch.nn.functional.normalize(vectors, dim=-1).numpy()

    def answer(self, case):
        if "pixels" in case:
            return {"vector": self.images([case])[0]}
        return {"ids": self.read([case["text"]])["input_ids"][0].tolist(), "vector": self.texts([case])[0]}

    def batch(self, cases):
        """All pictures in one batch, and all texts."""
        vectors = [None] * len(cases)
        for kind, serve in [("pixels", self.images), ("text", self.texts)]:
            indices = [index for index, case in enumerate(cases) if kind in case]
            if indices:
                for index, vector in zip(indices, serve([cases[index] for index in indices])):
                    vectors[index] = vector
        return np.stack(vectors)

    def check_ids(self, folder, cases):
        """The tokenizers library alone, reading tokenizer.json, must give the same ids."""
        texts = [case for case in cases if "text" in case]
        if not texts:
            return
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.length or self.tokenizer.model_max_length)
        for case in texts:
            ids = tokenizer.encode(case["text"]).ids
            assert ids == case["ids"], (case["name"], ids, case["ids"])


IMAGE_CASES = [{"name": name, "pixels": index} for index, name in enumerate(PICTURES)]
