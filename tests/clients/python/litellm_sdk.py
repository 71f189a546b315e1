"""LiteLLM as a library: every provider whose address can be set."""

import asyncio
from dataclasses import dataclass, field

from client import Client
from compare import equal, raises, ranked, same_bytes, same_vectors
from server import DOCUMENTS, EMBEDDER, QUERY, RERANKER, TEXTS, Server, Servers


@dataclass(frozen=True)
class Provider:
    name: str
    # path of api_base
    path: str
    model: str
    # what users have to give besides
    more: dict = field(default_factory=dict)
    # what the library refuses for this provider, before it asks the server
    refuses: tuple[str, ...] = ()
    # NVIDIA's scores are logits
    scores: str = "scores"


EMBEDDING = [
    Provider("infinity", "", EMBEDDER),
    Provider("jina_ai", "/v1", EMBEDDER, refuses=("encoding_format",)),
    Provider("huggingface", "/embed", EMBEDDER, {"input_type": "embed"}, ("encoding_format", "dimensions", "usage")),
    Provider("cohere", "/v2/embed", EMBEDDER, refuses=("encoding_format", "empty lists")),
    Provider("hosted_vllm", "/v1", EMBEDDER),
    Provider("openai", "/v1", EMBEDDER, refuses=("dimensions",)),
    Provider("openai_like", "/v1", EMBEDDER, refuses=("encoding_format", "dimensions")),
    Provider("litellm_proxy", "/v1", EMBEDDER),
    Provider("voyage", "/v1", EMBEDDER),
    Provider("together_ai", "/v1", EMBEDDER),
    Provider("azure_ai", "/v1", EMBEDDER, refuses=("empty lists",)),
    Provider("azure", "", EMBEDDER, {"api_version": "2024-10-21"}),
    Provider("nvidia_nim", "/v1", EMBEDDER),
    Provider("fireworks_ai", "/v1", EMBEDDER, refuses=("encoding_format", "dimensions")),
    Provider("dashscope", "/v1", EMBEDDER),
    Provider("xinference", "/v1", EMBEDDER),
    Provider("lm_studio", "/v1", EMBEDDER, refuses=("encoding_format", "dimensions")),
]

RERANK = [
    Provider("infinity", "", RERANKER),
    Provider("jina_ai", "", RERANKER),
    Provider("huggingface", "", RERANKER),
    Provider("cohere", "", RERANKER),
    Provider("hosted_vllm", "/v1", RERANKER),
    Provider("litellm_proxy", "", RERANKER),
    Provider("voyage", "/v1", RERANKER),
    Provider("together_ai", "/v1", RERANKER),
    Provider("azure_ai", "", RERANKER),
    Provider("nvidia_nim", "", RERANKER, scores="logits"),
    Provider("nvidia_nim", "", f"ranking/{RERANKER}", scores="logits"),
    Provider("fireworks_ai", "/v1", RERANKER),
    Provider("dashscope", "/v1", RERANKER),
    Provider("scaleway", "/v1", RERANKER, refuses=("return_documents",)),
    Provider("deepinfra", "/v1", RERANKER, refuses=("return_documents", "top_n")),
]


def arguments(provider: Provider, server: Server, **more: object) -> dict:
    return {
        "model": f"{provider.name}/{provider.model}",
        "api_base": server.url + provider.path,
        "api_key": server.key,
        **provider.more,
        **more,
    }


def embed(provider: Provider, server: Server, **more: object):
    import litellm

    return litellm.embedding(**arguments(provider, server, **{"input": TEXTS, **more}))


def embeds(provider: Provider, servers: Servers) -> None:
    answer = embed(provider, servers.keyed)
    same_vectors([item["embedding"] for item in answer.data], servers.keyed.vectors())
    if "usage" not in provider.refuses:
        assert answer.usage.prompt_tokens > 10, f"usage is {answer.usage}"
        equal(answer.usage.total_tokens, answer.usage.prompt_tokens)


def embeds_with_asyncio(provider: Provider, servers: Servers) -> None:
    import litellm

    answer = asyncio.run(litellm.aembedding(**arguments(provider, servers.keyed, input=TEXTS)))
    same_vectors([item["embedding"] for item in answer.data], servers.keyed.vectors())


def passes_base64(provider: Provider, servers: Servers) -> None:
    answer = embed(provider, servers.keyed, encoding_format="base64")
    same_bytes([item["embedding"] for item in answer.data], servers.keyed.vectors())


def passes_dimensions(provider: Provider, servers: Servers) -> None:
    answer = embed(provider, servers.keyed, dimensions=64)
    same_vectors([item["embedding"] for item in answer.data], servers.keyed.vectors(dimensions=64))


def an_embedding_mistake_says_what_is_wrong(provider: Provider, servers: Servers) -> None:
    import litellm

    mistake = {"dimensions": 4096} if "empty lists" in provider.refuses else {"input": []}
    with raises(litellm.BadRequestError, "4096|is an empty list"):
        embed(provider, servers.keyed, **mistake)
    with raises(litellm.AuthenticationError, "API_KEY"):
        embed(provider, servers.keyed, api_key="another")


def rerank(provider: Provider, server: Server, **more: object):
    import litellm

    return litellm.rerank(**arguments(provider, server, query=QUERY, **{"documents": DOCUMENTS, **more}))


def plain(provider: Provider, server: Server) -> list[float]:
    return server.logits() if provider.scores == "logits" else server.scores()


def pairs(answer: object) -> list[tuple[int, float]]:
    return [(result["index"], result["relevance_score"]) for result in answer.results]


def reranks(provider: Provider, servers: Servers) -> None:
    # documents are asked for unless told
    answer = rerank(provider, servers.keyed)
    found = pairs(answer)
    if provider.name == "deepinfra":
        # it leaves them in the order of the documents
        found.sort(key=lambda pair: -pair[1])
    ranked(found, plain(provider, servers.keyed))
    if "return_documents" not in provider.refuses:
        texts = [result["document"]["text"] for result in answer.results]
        equal(texts, [DOCUMENTS[result["index"]] for result in answer.results])


def reranks_with_asyncio_and_without_documents(provider: Provider, servers: Servers) -> None:
    import litellm

    more = {} if "return_documents" in provider.refuses else {"return_documents": False}
    asked = arguments(provider, servers.keyed, query=QUERY, documents=DOCUMENTS, **more)
    answer = asyncio.run(litellm.arerank(**asked))
    equal(sorted(index for index, _ in pairs(answer)), [0, 1, 2, 3])


def keeps_the_best(provider: Provider, servers: Servers) -> None:
    ranked(pairs(rerank(provider, servers.keyed, top_n=2)), plain(provider, servers.keyed), top=2)


def a_rerank_mistake_says_what_is_wrong(provider: Provider, servers: Servers) -> None:
    import litellm

    with raises(litellm.BadRequestError, "is an empty list"):
        rerank(provider, servers.keyed, documents=[])
    with raises(litellm.AuthenticationError, "API_KEY"):
        rerank(provider, servers.keyed, api_key="another")


def add(client: Client, provider: Provider, function) -> None:
    client.add(function.__name__.replace("_", " "), lambda servers: function(provider, servers))


def client_of(provider: Provider, task: str, base: str, works: str) -> Client:
    return Client(f"LiteLLM {provider} {task}", package="litellm", base_url=base, works=works)


for provider in EMBEDDING:
    base = f"H{provider.path}"
    client = client_of(provider.name, "embedding", base, "embedding, aembedding, errors")
    add(client, provider, embeds)
    add(client, provider, embeds_with_asyncio)
    if "encoding_format" not in provider.refuses:
        add(client, provider, passes_base64)
    if "dimensions" not in provider.refuses:
        add(client, provider, passes_dimensions)
    add(client, provider, an_embedding_mistake_says_what_is_wrong)

for provider in RERANK:
    name = f"{provider.name}/ranking" if provider.model.startswith("ranking/") else provider.name
    client = client_of(name, "rerank", f"H{provider.path}", "rerank, arerank, errors")
    add(client, provider, reranks)
    add(client, provider, reranks_with_asyncio_and_without_documents)
    if "top_n" not in provider.refuses:
        add(client, provider, keeps_the_best)
    add(client, provider, a_rerank_mistake_says_what_is_wrong)
