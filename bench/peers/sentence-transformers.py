#!/usr/bin/env python3
"""How fast sentence-transformers is on a model folder and texts that gpu:check has made, and whether its vectors agree.

Text in, vectors in host memory out, by SentenceTransformer.encode with its defaults but for dtype and batch size: it sorts
by length, tokenizes, pads each batch to its longest text. Attention is PyTorch's own. Findings are lines of JSON.
"""
import argparse
import json
import os
import statistics
import time

PEER = "sentence-transformers"


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder")
    parser.add_argument("--name", required=True, help="what findings call the model")
    parser.add_argument("--texts", required=True, help="JSON: set name to list of texts")
    parser.add_argument("--sets", required=True, help="names of sets in the order to be timed, separated by commas")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "fp16", "bf16"])
    parser.add_argument("--batch", default="32", help="batch sizes, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--round-seconds", type=float, default=1.0, help="how long a round should take")
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--vectors", help="float32 vectors of the first texts of the set mixed, to compare with")
    parser.add_argument("--findings", type=int, default=1, help="file descriptor")
    return parser.parse_args()


def main():
    a = read_arguments()
    pipe = os.fdopen(a.findings, "w", closefd=False)

    def emit(kind, **finding):
        print(json.dumps(dict(kind=kind, **finding)), file=pipe, flush=True)

    try:
        import numpy
        import sentence_transformers
        import torch
        import transformers
    except ImportError as error:
        emit("problem", outcome="skipped", reason=f"this Python has no {error.name}")
        return
    on_gpu = a.device.startswith("cuda")
    if on_gpu and not torch.cuda.is_available():
        emit("problem", outcome="skipped", reason=f"this PyTorch ({torch.__version__}) sees no GPU")
        return
    dtype = dict(fp32=torch.float32, fp16=torch.float16, bf16=torch.bfloat16)[a.dtype]
    common = dict(peer=PEER, model=a.name, dtype=a.dtype)
    start = time.perf_counter()
    model = sentence_transformers.SentenceTransformer(
        a.model, device=a.device, model_kwargs=dict(dtype=dtype, attn_implementation="sdpa")
    )
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    wait()
    load_ms = (time.perf_counter() - start) * 1000
    emit("about", **common, version=sentence_transformers.__version__, torch=torch.__version__,
         transformers=transformers.__version__, threads=torch.get_num_threads())

    def encode(texts, size):
        start = time.perf_counter()
        vectors = model.encode(texts, batch_size=size, show_progress_bar=False, convert_to_numpy=True)
        wait()
        return vectors, time.perf_counter() - start

    sets = json.load(open(a.texts, encoding="utf-8"))
    if a.vectors and os.path.exists(a.vectors):
        emit("agreement", **common, **compare(encode, sets["mixed"], a.vectors, numpy))
    sizes = [int(size) for size in a.batch.split(",")]
    for name in a.sets.split(","):
        for size in sizes:
            emit("speed", **common, provider=a.device, set=name, batchSize=size,
                 **time_set(encode, model, sets[name], size, a))
    if a.queries:
        emit("query", **common, **time_queries(encode, sets["mixed"], a.queries))
    if on_gpu:
        emit("memory", **common, loadMs=load_ms, peakMib=round(torch.cuda.max_memory_reserved() / 2**20))


def time_set(encode, model, texts, size, a):
    """The first texts that take about a round, all timed `rounds` times after two passes that are not."""
    few = texts[: max(size, len(texts) // 16)]
    encode(few, size)
    seconds = encode(few, size)[1]
    wanted = int(len(few) * a.round_seconds / seconds) // 32 * 32
    texts = texts[: min(len(texts), max(32, wanted))]
    encode(texts, size)
    times = [encode(texts, size)[1] for _ in range(a.rounds)]
    ids = model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)["input_ids"]
    lengths = [len(row) for row in ids]
    middle = statistics.median(times)
    return dict(texts=len(texts), tokens=sum(lengths), seconds=middle, fastest=min(times), slowest=max(times),
                rounds=a.rounds, textsPerSecond=len(texts) / middle, tokensPerSecond=sum(lengths) / middle)


def time_queries(encode, texts, count):
    query = " ".join(" ".join(texts).split()[:10])
    for _ in range(10):
        encode([query], 1)
    times = sorted(encode([query], 1)[1] * 1000 for _ in range(count))
    return dict(count=count, p50=times[count // 2], p99=times[int(count * 0.99)])


def compare(encode, texts, path, numpy):
    width = encode(texts[:1], 1)[0].shape[1]
    theirs = numpy.fromfile(path, dtype="<f4").reshape(-1, width)
    ours = encode(texts[: len(theirs)], 32)[0].astype("float64")
    theirs = theirs.astype("float64")
    norms = numpy.linalg.norm(ours, axis=1) * numpy.linalg.norm(theirs, axis=1)
    cosines = (ours * theirs).sum(axis=1) / norms
    worst = float(cosines.min()) if numpy.isfinite(cosines).all() else -1.0
    return dict(texts=len(theirs), minCosine=worst)


main()
