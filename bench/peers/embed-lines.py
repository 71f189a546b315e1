#!/usr/bin/env python3
"""sentence-transformers for bench/servers/library.ts: a list of texts a line comes in, the seconds it took go out.

Text in, vectors in host memory out, by SentenceTransformer.encode with its defaults on the CPU in fp32: it sorts by length,
tokenizes, and pads each batch of 32 to its longest text.
"""
import json
import sys
import time

import sentence_transformers
import torch
import transformers

BATCH_SIZE = 32


def main():
    model = sentence_transformers.SentenceTransformer(
        sys.argv[1], device="cpu", model_kwargs=dict(dtype=torch.float32)
    )
    answer({"sentence-transformers": sentence_transformers.__version__, "torch": torch.__version__,
            "transformers": transformers.__version__, "threads": str(torch.get_num_threads())})
    for line in sys.stdin:
        ask = json.loads(line)
        texts = ask["texts"]
        calls = [[text] for text in texts] if ask["oneByOne"] else [texts]
        seconds, vectors = [], None
        for call in calls:
            start = time.perf_counter()
            vectors = model.encode(call, batch_size=BATCH_SIZE, show_progress_bar=False)
            seconds.append(time.perf_counter() - start)
        answer({"seconds": seconds, "vectors": vectors.tolist()} if ask["wantsVectors"] else {"seconds": seconds})


def answer(value):
    print(json.dumps(value), flush=True)


main()
