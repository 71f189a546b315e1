"""The servers that clients are pointed at, and their plain answers, which no client has touched."""

import json
from dataclasses import dataclass
from urllib.request import Request, urlopen

EMBEDDER = "Org/MiniLM"
RERANKER = "Org/Reranker"
CLASSIFIER = "Org/Classifier"
DIMENSIONS = 384

TEXTS = ["This is a test document.", "hello world", "👩‍🚀 日本語 naïve"]
QUERY = "what is a panda?"
DOCUMENTS = ["hi", "The giant panda is a bear.", "A river.", "Pandas eat bamboo."]


@dataclass(frozen=True)
class Server:
    url: str
    key: str | None = None

    def post(self, path: str, body: object) -> object:
        headers = {"content-type": "application/json"}
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key}"
        request = Request(self.url + path, json.dumps(body).encode(), headers)
        with urlopen(request, timeout=60) as response:
            return json.load(response)

    def vectors(self, texts: list[str] = TEXTS, **more: object) -> list[list[float]]:
        body = {"model": EMBEDDER, "input": texts, "encoding_format": "float", **more}
        return [item["embedding"] for item in self.post("/v1/embeddings", body)["data"]]

    def scores(self, query: str = QUERY, docs: list[str] = DOCUMENTS, **more: object) -> list[float]:
        """In the order of the documents, by way of a job."""
        job = {"input": {"model": RERANKER, "query": query, "docs": docs, **more}}
        return self.post("/runsync", job)["output"]["scores"]

    def logits(self) -> list[float]:
        """Of DOCUMENTS, before the activation."""
        body = {"model": RERANKER, "query": QUERY, "texts": DOCUMENTS, "raw_scores": True}
        return [item["score"] for item in sorted(self.post("/rerank", body), key=lambda item: item["index"])]


@dataclass(frozen=True)
class Servers:
    # three models, and a key
    keyed: Server
    # the same without a key: some clients send none
    open: Server
    # one model each, for clients that ask the server what it is
    embedder: Server
    reranker: Server
