"""LiteLLM's proxy with the configuration of examples/litellm: every entry of it, asked over HTTP, and its health."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from client import CLOSE_AT_END, Client
from compare import equal, raises, ranked, same_bytes, same_vectors
from server import DOCUMENTS, QUERY, TEXTS, Server, Servers

CONFIG = Path(__file__).parents[3] / "examples/litellm/config.yaml"
MASTER_KEY = "sk-a-key-for-this-machine-only"
ENTRIES = re.findall(r"model_name: (\S+)", CONFIG.read_text())

proxy = Client(
    "LiteLLM proxy",
    package="litellm",
    needs=("fastapi-sso",),
    base_url="examples/litellm/config.yaml",
    works="/v1/embeddings, /v1/rerank, /v2/rerank, /health by every provider there; errors",
)


@cache
def start(server: Server) -> Server:
    folder = tempfile.TemporaryDirectory()
    config = Path(folder.name) / "config.yaml"
    config.write_text(CONFIG.read_text().replace("http://127.0.0.1:8000", server.url))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [f"{Path(sys.executable).parent}/litellm", "--config", config, "--host", "127.0.0.1", "--port", port]
    environment = {**os.environ, "EMBEDDINGS_KEY": server.key, "LITELLM_MASTER_KEY": MASTER_KEY}
    process = subprocess.Popen([str(part) for part in command], env=environment, stdout=sys.stderr)
    CLOSE_AT_END.append(lambda: end(process))
    CLOSE_AT_END.append(folder.cleanup)
    started = Server(f"http://127.0.0.1:{port}", MASTER_KEY)
    wait_for(started, process)
    return started


def wait_for(server: Server, process: subprocess.Popen) -> None:
    for _ in range(240):
        try:
            urlopen(f"{server.url}/health/readiness", timeout=5).close()
            return
        except URLError:
            if process.poll() is not None:
                break
            time.sleep(0.25)
    raise RuntimeError("the proxy did not start")


def end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


@proxy.check
def every_entry_is_healthy(servers: Servers) -> None:
    started = start(servers.keyed)
    request = Request(f"{started.url}/health", headers={"authorization": f"Bearer {MASTER_KEY}"})
    with urlopen(request, timeout=60) as response:
        health = json.load(response)
    equal([f"{entry['model']}: {entry.get('error')}" for entry in health["unhealthy_endpoints"]], [])
    equal(health["healthy_count"], len(ENTRIES))


def embeds(entry: str, servers: Servers) -> None:
    answer = start(servers.keyed).post("/v1/embeddings", {"model": entry, "input": TEXTS})
    same_vectors([item["embedding"] for item in answer["data"]], servers.keyed.vectors())
    if entry != "embed-huggingface":
        assert answer["usage"]["prompt_tokens"] > 10, f"usage is {answer['usage']}"


def reranks(entry: str, servers: Servers) -> None:
    for path in ["/v1/rerank", "/v2/rerank", "/rerank"]:
        answer = start(servers.keyed).post(path, {"model": entry, "query": QUERY, "documents": DOCUMENTS})
        found = [(result["index"], result["relevance_score"]) for result in answer["results"]]
        if entry == "rerank-deepinfra":
            found.sort(key=lambda pair: -pair[1])
        ranked(found, servers.keyed.logits() if entry == "rerank-nvidia-nim" else servers.keyed.scores())


def returns_documents(entry: str, servers: Servers) -> None:
    body = {"model": entry, "query": QUERY, "documents": DOCUMENTS, "top_n": 2, "return_documents": True}
    answer = start(servers.keyed).post("/v1/rerank", body)
    texts = [result["document"]["text"] for result in answer["results"]]
    equal(texts, [DOCUMENTS[result["index"]] for result in answer["results"]])
    equal(len(texts), 2)


@proxy.check
def openai_s_library_gets_base64_through_it(servers: Servers) -> None:
    from openai import OpenAI

    started = start(servers.keyed)
    client = OpenAI(base_url=f"{started.url}/v1", api_key=MASTER_KEY, max_retries=0)
    answer = client.embeddings.create(model="embed-openai", input=TEXTS, encoding_format="base64")
    same_bytes([item.embedding for item in answer.data], servers.keyed.vectors())
    answer = client.embeddings.create(model="embed-infinity", input=TEXTS)
    same_vectors([item.embedding for item in answer.data], servers.keyed.vectors())


@proxy.check
def a_mistake_says_what_is_wrong(servers: Servers) -> None:
    asked = {"/v1/embeddings": ("embed-openai", {"input": []}), "/v1/rerank": ("rerank-cohere", {"documents": []})}
    for path, (entry, mistake) in asked.items():
        with raises(RuntimeError, r"400 .*is an empty list"):
            post_or_say(start(servers.keyed), path, {"model": entry, "query": QUERY, **mistake})


def post_or_say(server: Server, path: str, body: dict) -> None:
    try:
        server.post(path, body)
    except HTTPError as error:
        raise RuntimeError(f"{error.code} {error.read().decode()}") from error


for entry in ENTRIES:
    kind = embeds if entry.startswith("embed-") else reranks
    proxy.add(f"{entry}: {kind.__name__}", lambda servers, entry=entry, kind=kind: kind(entry, servers))
    # these two do not say which documents they mean
    if kind is reranks and entry not in ("rerank-scaleway", "rerank-deepinfra"):
        proxy.add(f"{entry}: returns documents", lambda servers, entry=entry: returns_documents(entry, servers))
