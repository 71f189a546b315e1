"""Runs the clients that this interpreter has; prints a JSON line for each check.

python run.py --list
python run.py --keyed URL --key KEY --open URL --embedder URL --reranker URL [--only WORD]
"""

import argparse
import json
import os
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec

# what clients would fetch or tell of, set before they are imported
os.environ.update(
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    LITELLM_LOG="CRITICAL",
    LITELLM_TELEMETRY="False",
    HAYSTACK_TELEMETRY_ENABLED="False",
    ANONYMIZED_TELEMETRY="False",
    LANGCHAIN_TRACING_V2="false",
    NVIDIA_TELEMETRY_ENABLED="false",
)
# cl100k's ranks, which tiktoken would fetch: LlamaIndex has them in its package
llama_index = find_spec("llama_index")
for folder in llama_index.submodule_search_locations if llama_index else []:
    os.environ["TIKTOKEN_CACHE_DIR"] = os.path.join(folder, "core/_static/tiktoken_cache")


def refuse_all_but_loopback(event: str, args: tuple) -> None:
    """HF_HUB_OFFLINE would do the same for the hub, but refuses our own address as well."""
    if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in ("127.0.0.1", "::1"):
        raise ConnectionError(f"a client wanted to reach {args[1][0]}")
    if event == "socket.getaddrinfo" and args[0] not in ("127.0.0.1", "localhost", b"127.0.0.1", None, ""):
        raise ConnectionError(f"a client wanted to reach {args[0]}")


sys.addaudithook(refuse_all_but_loopback)

from client import CLIENTS, CLOSE_AT_END, Client  # noqa: E402
from server import Server, Servers  # noqa: E402

FAMILIES = [
    "openai_clients",
    "cohere_clients",
    "tei_clients",
    "infinity_clients",
    "vendor_clients",
    "nvidia_clients",
    "langchain_clients",
    "llama_index_clients",
    "haystack_clients",
    "runpod_clients",
    "litellm_sdk",
    "litellm_proxy",
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    for name in ["keyed", "key", "open", "embedder", "reranker"]:
        parser.add_argument(f"--{name}")
    parser.add_argument("--only", default="", help="part of a client's name")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for family in FAMILIES:
        import_module(family)
    clients = [client for client in CLIENTS if given.only in client.name]
    if given.list:
        for client in clients:
            write(describe(client))
        return
    servers = Servers(
        keyed=Server(given.keyed, given.key),
        open=Server(given.open),
        embedder=Server(given.embedder),
        reranker=Server(given.reranker),
    )
    for client in clients:
        if client.version() is None or client.skip is not None:
            continue
        for check, ok, detail in client.run(servers):
            write({**describe(client), "check": check, "ok": ok, "detail": detail})


def describe(client: Client) -> dict[str, str | None]:
    return {
        "client": client.name,
        "package": client.package,
        "version": client.version(),
        "base_url": client.base_url,
        "works": client.works,
        "skip": client.skip,
    }


def write(line: object) -> None:
    # clients print as well: what they say goes to standard error
    sys.__stdout__.write(json.dumps(line) + "\n")
    sys.__stdout__.flush()


if __name__ == "__main__":
    sys.stdout = sys.stderr
    try:
        main()
    finally:
        for close in CLOSE_AT_END:
            close()
    # clients leave threads behind that would hold the process
    sys.__stdout__.flush()
    os._exit(0)
