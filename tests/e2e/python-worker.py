"""A worker on RunPod's own Python package, for the gateway emulator: `plain` or `stream` says what its handler is."""

import asyncio
import sys

import runpod


async def plain(job):
    wanted = job["input"]
    if "fail" in wanted:
        raise ValueError(wanted["fail"])
    if "count" in wanted:
        for done in range(wanted["count"]):
            runpod.serverless.progress_update(job, {"done": done})
            await asyncio.sleep(0.2)
        return {"counted": wanted["count"]}
    return {"echo": wanted["echo"]}


async def stream(job):
    for letter in job["input"]["spell"]:
        yield letter


if __name__ == "__main__":
    config = {"concurrency_modifier": lambda _: 8, "return_aggregate_stream": True}
    runpod.serverless.start({"handler": stream if "stream" in sys.argv else plain, **config})
