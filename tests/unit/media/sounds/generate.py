"""Sounds, and what Python libraries make of them: `references.json` and the files that it names.

    pip install transformers==5.23.0 torch==2.15.0 scipy soundfile numpy
    python tests/unit/media/sounds/generate.py

All sounds are made here, of whole numbers where a test makes the same ones. soundfile (libsndfile, with mpg123 for MP3) writes
and reads the files, scipy resamples with the filter that the tests are about, transformers extracts the features. Where that
takes a piece of a sound by chance, the choice is made here: see `choose`.
"""

import hashlib
import json
import logging
from pathlib import Path

import numpy as np
import scipy
import scipy.signal
import soundfile
import torch
import transformers
from transformers import ClapFeatureExtractor

HERE = Path(__file__).parent
CLAP = {"feature_size": 64, "sampling_rate": 48000, "hop_length": 480, "fft_window_size": 1024, "max_length_s": 10,
        "frequency_min": 50, "frequency_max": 14000}
SMALL = {"feature_size": 64, "sampling_rate": 8000, "hop_length": 80, "fft_window_size": 256, "max_length_s": 1,
         "frequency_min": 0, "frequency_max": 4000}


def sweep(length, pace):
    """A saw whose pitch rises: whole numbers only, so every language makes the same."""
    n = np.arange(length, dtype=np.int64)
    return ((n * n * pace // 1024 % 65536 - 32768) / 65536).astype(np.float32)


def noise(length, seed):
    """A linear congruential generator (Numerical Recipes)."""
    out, state = np.empty(length, np.float32), seed
    for index in range(length):
        state = (state * 1664525 + 1013904223) % 2**32
        out[index] = (state // 65536 - 32768) / 65536
    return out


SOUNDS = {
    "saw": lambda length: sweep(length, 3),
    "noise": lambda length: noise(length, 7),
    "silence": lambda length: np.zeros(length, np.float32),
    "one": lambda length: np.full(length, 0.5, np.float32),
}


# --- files --------------------------------------------------------------------------------------------------------------


def tones(rate, seconds, channels):
    """What music is made of, and a little noise that hides no error of a decoder."""
    t = np.arange(int(rate * seconds)) / rate
    rng = np.random.default_rng(channels)
    parts = [0.4 * np.sin(2 * np.pi * (440 + 110 * c) * t) + 0.02 * rng.standard_normal(t.size) for c in range(channels)]
    return np.stack(parts, 1)


FILES = [
    # name, subtype, format, rate, channels, seconds
    ("wav-u8.wav", "PCM_U8", "WAV", 8000, 1, 0.25),
    ("wav-16-stereo.wav", "PCM_16", "WAV", 44100, 2, 0.1),
    ("wav-24.wav", "PCM_24", "WAV", 22050, 1, 0.1),
    ("wav-32.wav", "PCM_32", "WAV", 16000, 1, 0.1),
    ("wav-float.wav", "FLOAT", "WAV", 48000, 1, 0.05),
    ("wav-double.wav", "DOUBLE", "WAV", 16000, 2, 0.05),
    ("wav-extensible-24.wav", "PCM_24", "WAVEX", 16000, 5, 0.05),
    ("wav-rf64.wav", "PCM_16", "RF64", 16000, 1, 0.05),
    ("flac-16-stereo.flac", "PCM_16", "FLAC", 44100, 2, 0.25),
    ("flac-24.flac", "PCM_24", "FLAC", 48000, 1, 0.1),
    ("flac-8.flac", "PCM_S8", "FLAC", 8000, 1, 0.5),
    ("flac-odd-rate.flac", "PCM_16", "FLAC", 44101, 1, 0.1),
    ("flac-six-channels.flac", "PCM_16", "FLAC", 48000, 6, 0.05),
    ("flac-silence.flac", "PCM_16", "FLAC", 48000, 1, 12),
    ("flac-alike.flac", "PCM_16", "FLAC", 16000, 2, 0.3),
    ("flac-coarse.flac", "PCM_16", "FLAC", 16000, 1, 0.1),
    ("flac-plain-left.flac", "PCM_16", "FLAC", 16000, 2, 0.1),
    ("flac-plain-right.flac", "PCM_16", "FLAC", 16000, 2, 0.1),
    ("mp3-stereo.mp3", "MPEG_LAYER_III", "MP3", 44100, 2, 1),
    ("mp3-mono-22050.mp3", "MPEG_LAYER_III", "MP3", 22050, 1, 1),
    ("mp3-mono-8000.mp3", "MPEG_LAYER_III", "MP3", 8000, 1, 1),
]


def make_files():
    references = []
    for name, subtype, kind, rate, channels, seconds in FILES:
        samples = tones(rate, seconds, channels)
        if "silence" in name:
            samples *= 0
        if "alike" in name:
            # Alike but for noise of their own: coded as middle and side.
            rng = np.random.default_rng(0)
            samples = samples[:, :1] + 0.01 * rng.standard_normal(samples.shape)
        if "coarse" in name:
            # The lowest bits are 0: left out.
            samples = np.round(samples * 4096) / 4096
        if "plain" in name:
            # A tone, and the same with noise: coded as the tone and what the other adds to it.
            tone = np.round(8192 * np.sin(2 * np.pi * np.arange(len(samples)) / 32))
            rough = tone + np.random.default_rng(0).integers(-8192, 8192, len(samples))
            samples = np.stack([tone, rough] if "left" in name else [rough, tone], 1) / 32768
        soundfile.write(HERE / name, samples, rate, subtype=subtype, format=kind)
        read, read_rate = soundfile.read(HERE / name, dtype="float32", always_2d=True)
        mono = read.astype(np.float64).mean(1).astype(np.float32)
        reference = {"file": name, "rate": read_rate, "samples": len(mono)}
        if name.endswith("mp3"):
            reference["every61st"] = [round(float(x), 6) for x in mono[::61]]
        else:
            reference["sha256"] = hashlib.sha256(mono.tobytes()).hexdigest()
        references.append(reference)
    return references


# --- resampling ---------------------------------------------------------------------------------------------------------

CROSSINGS, ROLLOFF, BETA = 64, 0.9475937167399596, 14.769656459379492


def resample(x, rate, target):
    """scipy's polyphase machinery with the filter of torchaudio's `kaiser_best`, which is sampled where scipy wants it."""
    divisor = np.gcd(rate, target)
    up, down = target // divisor, rate // divisor
    if up == down:
        return x.astype(np.float64)
    pace = min(1, up / down) * ROLLOFF
    reach = int(np.ceil(CROSSINGS / pace)) * up
    t = np.arange(-reach, reach + 1) / up * pace
    window = np.i0(BETA * np.sqrt(np.clip(1 - (t / CROSSINGS) ** 2, 0, None))) / np.i0(BETA)
    window[np.abs(t) >= CROSSINGS] = 0
    return scipy.signal.resample_poly(x.astype(np.float64), up, down, window=pace * np.sinc(t) * window / up)


def make_resampled():
    references = []
    for rate, target, length in [(44100, 48000, 1500), (8000, 48000, 300), (96000, 48000, 3000), (48000, 44100, 1200),
                                 (22050, 16000, 900), (44101, 48000, 800), (8000, 48000, 1)]:
        made = resample(noise(length, 3), rate, target)
        references.append({"rate": rate, "target": target, "length": length, "samples": len(made),
                           "every7th": [round(float(x), 9) for x in made[::7]]})
    return references


# --- features -----------------------------------------------------------------------------------------------------------


PART = 13  # lines of a mean


def choose(extractor, samples):
    """Features of one sound, with the beginning, the middle and the end where chance would choose."""
    picks = iter([lambda r: r[0], lambda r: r[(len(r) - 1) // 2], lambda r: r[-1]])
    kept = np.random.choice, np.random.randint
    np.random.choice = lambda places: next(picks)(places)
    np.random.randint = lambda low, high: 0
    try:
        made = extractor(samples, sampling_rate=extractor.sampling_rate, return_tensors="np")
    finally:
        np.random.choice, np.random.randint = kept
    return np.asarray(made["input_features"], np.float32)[0], bool(made["is_longer"][0][0])


def describe(views, longer, every):
    """Of [views, frames, mels]: some lines as they are, and means of all."""
    lines = views.reshape(-1, views.shape[-1]).astype(np.float64)
    rounded = lambda numbers: [round(float(x), 5) for x in numbers]
    parts = [lines[start : start + PART].mean() for start in range(0, len(lines), PART)]
    return {"longer": longer, "lines": len(lines), "every": every, "values": [rounded(line) for line in lines[::every]],
            "partMeans": rounded(parts), "bandMeans": rounded(lines.mean(0))}


FEATURES = [
    # sound, samples, settings, truncation, padding, every
    ("noise", 12000, CLAP, "rand_trunc", "repeatpad", 199),
    ("saw", 14000, CLAP, "rand_trunc", "pad", 199),
    ("saw", 30000, CLAP, "fusion", "repeat", 499),
    ("silence", 4800, CLAP, "rand_trunc", "repeatpad", 499),
    ("one", 1, CLAP, "rand_trunc", "repeatpad", 499),
    ("one", 1, CLAP, "rand_trunc", "pad", 499),
    ("saw", 480000, CLAP, "rand_trunc", "repeatpad", 199),
    ("saw", 576000, CLAP, "rand_trunc", "repeatpad", 199),
    ("saw", 576000, CLAP, "fusion", "repeatpad", 499),
    ("saw", 480100, CLAP, "fusion", "repeatpad", 499),
    ("noise", 3000, SMALL, "rand_trunc", "repeatpad", 25),
    ("noise", 3000, SMALL, "rand_trunc", "repeat", 25),
    ("noise", 4000, SMALL, "rand_trunc", "repeatpad", 25),
    ("noise", 3000, SMALL, "fusion", "pad", 50),
    # One frame more than a view, two, four and many.
    ("noise", 8080, SMALL, "fusion", "repeatpad", 50),
    ("noise", 8160, SMALL, "fusion", "repeatpad", 50),
    ("noise", 8320, SMALL, "fusion", "repeatpad", 50),
    ("saw", 160000, SMALL, "fusion", "repeatpad", 25),
]


def make_features():
    references = []
    for sound, length, settings, truncation, padding, every in FEATURES:
        extractor = ClapFeatureExtractor(**settings, truncation=truncation, padding=padding)
        views, longer = choose(extractor, SOUNDS[sound](length))
        references.append({"sound": sound, "samples": length, "settings": settings, "truncation": truncation,
                           "padding": padding, **describe(views, longer, every)})
    return references


def make_whole():
    """From a file to features."""
    references = []
    for name in ["flac-16-stereo.flac", "wav-u8.wav", "wav-float.wav", "mp3-stereo.mp3"]:
        read, rate = soundfile.read(HERE / name, dtype="float32", always_2d=True)
        mono = resample(read.astype(np.float64).mean(1).astype(np.float32), rate, 48000).astype(np.float32)
        views, longer = choose(ClapFeatureExtractor(**CLAP, truncation="rand_trunc"), mono)
        references.append({"file": name, **describe(views, longer, 199)})
    return references


def write(name, made):
    versions = {"transformers": transformers.__version__, "torch": torch.__version__, "numpy": np.__version__,
                "scipy": scipy.__version__, "soundfile": soundfile.__version__,
                "libsndfile": soundfile.__libsndfile_version__}
    cases = ",\n".join(json.dumps(case, separators=(",", ":")) for case in made)
    (HERE / name).write_text(f'{{"versions":{json.dumps(versions)},\n"cases":[\n{cases}\n]}}\n')


if __name__ == "__main__":
    logging.getLogger("transformers").setLevel(logging.ERROR)
    write("files.json", make_files())
    write("resampled.json", make_resampled())
    write("features.json", make_features())
    write("whole.json", make_whole())
