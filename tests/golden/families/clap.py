"""CLAP: texts by RoBERTa, sound by a Swin transformer over a spectrogram, both projected into one space."""

import re
from functools import partial

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import (
    AutoTokenizer,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
)

from common import TEXT_CASES, fixture, randomize, short_floats, write_plain
from families.roberta import LIMIT, byte_level, sizes

UNUSED = r"\.key\.bias$"


class SoundEmbedder:
    """A folder as transformers serves it, in fp32 on the CPU; `model` is the side for texts."""

    def __init__(self, folder):
        self.whole = ClapModel.from_pretrained(folder).eval()
        self.words = AutoTokenizer.from_pretrained(folder)
        self.hearing = ClapFeatureExtractor.from_pretrained(folder)
        sides = {"text_model": self.whole.text_model, "text_projection": self.whole.text_projection}
        self.model = torch.nn.ModuleDict(sides)

    def header(self):
        return {"dimensions": self.whole.projection_dim, "sounds": self.answer_sounds()}

    @torch.no_grad()
    def text_vectors(self, texts):
        rows = self.words(texts, truncation=True, padding=True, return_tensors="pt")
        return self.whole.get_text_features(rows["input_ids"], rows["attention_mask"]).pooler_output.numpy()

    def answer(self, case):
        ids = self.words([case["text"]], truncation=True)["input_ids"][0]
        return {"ids": ids, "vector": self.text_vectors([case["text"]])[0]}

    def batch(self, cases):
        return self.text_vectors([case["text"] for case in cases])

    def check_ids(self, folder, cases):
        words = Tokenizer.from_file(str(folder / "tokenizer.json"))
        words.enable_truncation(LIMIT)
        for case in cases:
            assert words.encode(case["text"]).ids == case["ids"], case["name"]

    # --- Sound ---

    @torch.no_grad()
    def sound_vectors(self, rows):
        features = torch.from_numpy(np.stack([features for features, _ in rows]))
        longer = torch.tensor([[is_longer] for _, is_longer in rows])
        return self.whole.get_audio_features(features, longer).pooler_output.numpy()

    @torch.no_grad()
    def answer_sounds(self):
        rows = [self.hear(samples) for samples in sounds(self.hearing.sampling_rate).values()]
        vectors = np.concatenate([self.sound_vectors([row]) for row in rows])
        assert np.isfinite(vectors).all()
        assert np.abs(vectors - self.sound_vectors(rows)).max() <= 1e-5
        for index, vector in enumerate(vectors):
            assert all(np.abs(vector - other).max() > 1e-3 for other in vectors[:index])
        for side in [self.whole.audio_model, self.whole.audio_projection]:
            for name, parameter in side.named_parameters():
                kept = parameter.clone()
                parameter.fill_(1 if re.search(r"norm\.weight$", name, re.IGNORECASE) else 0)
                change = float(np.abs(self.sound_vectors(rows) - vectors).max())
                parameter.copy_(kept)
                assert (change > 1e-3) != bool(re.search(UNUSED, name)), f"{name} changes the numbers by {change:.3g}"
        return [
            {"name": name, "longer": longer, "features": features.flatten().tolist(), "vector": short_floats(vector)}
            for name, (features, longer), vector in zip(sounds(1), rows, vectors)
        ]

    def hear(self, samples):
        """Features rounded to what is short to write, and whether the sound is longer than a view."""
        longer = len(samples) > self.hearing.nb_max_samples
        if longer and self.hearing.truncation == "fusion":
            heard = self.views(samples)
        else:
            np.random.seed(7)  # where a long sound is cut
            heard = self.hearing(samples, sampling_rate=self.hearing.sampling_rate, return_tensors="np")
            heard = heard["input_features"][0]
        return (np.round(heard * 4) / 4).astype(np.float32), longer

    def views(self, samples):
        """Those of a long sound, as the extractor takes them, which does so for 64 mel bands only and cuts at random."""
        mels = self.hearing._np_extract_fbank_features(samples, self.hearing.mel_filters)
        frames = self.hearing.nb_max_samples // self.hearing.hop_length + 1
        size = [frames, mels.shape[1]]
        whole = torch.nn.functional.interpolate(torch.tensor(mels)[None, None], size, mode="bilinear", align_corners=False)
        parts = [mels[first : first + frames] for first in [0, 60, len(mels) - frames]]
        return np.stack([whole[0, 0].numpy(), *parts])


def sounds(rate):
    """By name; of 0.3, 1 and 2.3 seconds."""
    noise = np.random.default_rng(11)
    time = np.arange(int(2.3 * rate)) / rate
    chirp = np.sin(2 * np.pi * (200 + 700 * time) * time)
    hum = 0.3 * np.sin(2 * np.pi * 330 * time) + 0.02 * noise.standard_normal(len(time))
    return {
        "short": hum[: int(0.3 * rate)],
        "clicks": np.where(np.arange(rate) % max(1, rate // 7) < 40, 0.8, 0.001) * noise.standard_normal(rate),
        "long": chirp * np.exp(-time),
    }


def write(folder, seed, audio, *, frames, **options):
    """8 mel bands and a picture of 32 by 32, so that it takes up to 128 frames."""
    text = sizes(projection_dim=24, attn_implementation="eager")
    picture = {
        "spec_size": 32,
        "num_mel_bins": 8,
        "patch_size": 2,
        "patch_stride": [2, 2],
        "window_size": 4,
        "patch_embeds_hidden_size": 8,
        "mlp_ratio": 2.0,
        "aff_block_r": 2,
    } | audio
    width = picture["patch_embeds_hidden_size"] * 2 ** (len(picture["depths"]) - 1)
    config = ClapConfig(text_config=text, audio_config=picture | {"hidden_size": width}, projection_dim=24)
    model = randomize(ClapModel(config), seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".fusion_model." in name:
                parameter *= 3  # a gate moves little otherwise
    generator = torch.Generator().manual_seed(seed)
    for name, buffer in model.named_buffers():
        noise = torch.randn(buffer.shape, generator=generator)
        if name.endswith("running_mean"):
            buffer.copy_((12 if ".batch_norm." in name else 0.3) * noise - (30 if ".batch_norm." in name else 0))
        elif name.endswith("running_var"):
            buffer.copy_((200 if ".batch_norm." in name else 0.7) * (1.2 + noise.clamp(-1, 1)))
    write_plain(folder, model.eval(), byte_level())
    rate = 64 * (frames - 1)
    ClapFeatureExtractor(
        feature_size=8,
        sampling_rate=rate,
        hop_length=64,
        max_length_s=1,
        fft_window_size=256,
        frequency_min=50,
        frequency_max=rate // 2,
        **options,
    ).save_pretrained(folder)


embedder = partial(fixture, unused=UNUSED, cases=TEXT_CASES, serve=SoundEmbedder)


@embedder("clap-unfused", "Three stages, windows rolled in two of them; 120 frames are stretched to 128.")
def unfused(folder, seed):
    audio = {"depths": [2, 2, 1], "num_attention_heads": [2, 4, 4]}
    write(folder, seed, audio, frames=120, truncation="rand_trunc")


@embedder(
    "clap-unfused-whole",
    "128 frames, which are not stretched; no bias before attention, no norm of patches, other epsilon and activation.",
)
def unfused_whole(folder, seed):
    audio = {
        "depths": [1, 3],
        "num_attention_heads": [2, 2],
        "qkv_bias": False,
        "enable_patch_layer_norm": False,
        "layer_norm_eps": 1e-3,
        "hidden_act": "gelu_new",
    }
    write(folder, seed, audio, frames=128, truncation="rand_trunc")


@embedder("clap-fused", "Four spectrograms, fused where the sound is longer than one of them.")
def fused(folder, seed):
    audio = {"depths": [2, 1, 1], "num_attention_heads": [2, 2, 4], "enable_fusion": True}
    write(folder, seed, audio, frames=120, truncation="fusion")
