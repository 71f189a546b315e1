"""Haystack's embedders and rankers."""

from client import Client
from compare import equal, raises, ranked, same_vectors
from server import DOCUMENTS, EMBEDDER, QUERY, RERANKER, TEXTS, Server, Servers

openai = Client(
    "Haystack OpenAITextEmbedder, OpenAIDocumentEmbedder",
    package="haystack-ai",
    base_url="H/v1",
    works="embeddings, errors",
)
hugging_face = Client(
    "Haystack HuggingFaceAPITextEmbedder, …DocumentEmbedder",
    package="huggingface-api-haystack",
    base_url="H",
    works="embeddings, as pooled unless normalize is set",
)
tei_ranker = Client(
    "Haystack HuggingFaceTEIRanker",
    package="huggingface-api-haystack",
    base_url="H",
    works="rerank, errors",
)
cohere = Client(
    "Haystack CohereTextEmbedder, CohereDocumentEmbedder, CohereRanker",
    package="cohere-haystack",
    base_url="H",
    works="embeddings, rerank",
)
jina = Client(
    "Haystack JinaTextEmbedder, JinaDocumentEmbedder, JinaRanker",
    package="jina-haystack",
    base_url="H/v1/embeddings, H/v1/rerank",
    works="embeddings, rerank, errors",
)


def secret(key: str):
    from haystack.utils import Secret

    return Secret.from_token(key)


def documents(texts: list[str]) -> list:
    from haystack import Document

    return [Document(content=text) for text in texts]


def pairs(found: dict) -> list[tuple[int, float]]:
    return [(DOCUMENTS.index(document.content), document.score) for document in found["documents"]]


def embeds(servers: Servers, text_embedder: object, document_embedder: object) -> None:
    """As it is, a text and documents; usage is summed over the batches."""
    found = text_embedder.run(QUERY)
    same_vectors([found["embedding"]], servers.keyed.vectors([QUERY]))
    found = document_embedder.run(documents(TEXTS))
    same_vectors([document.embedding for document in found["documents"]], servers.keyed.vectors())


@openai.check
def embeds_as_openai(servers: Servers) -> None:
    from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder

    known = {"model": EMBEDDER, "api_base_url": f"{servers.keyed.url}/v1", "api_key": secret(servers.keyed.key)}
    embeds(servers, OpenAITextEmbedder(**known), OpenAIDocumentEmbedder(**known, batch_size=2, progress_bar=False))
    usage = OpenAITextEmbedder(**known).run(QUERY)["meta"]["usage"]
    assert usage["prompt_tokens"] == usage["total_tokens"] > 3, f"usage is {usage}"


@openai.check
def a_mistake_says_what_is_wrong(servers: Servers) -> None:
    from haystack.components.embedders import OpenAITextEmbedder
    from openai import BadRequestError

    known = {"model": EMBEDDER, "api_base_url": f"{servers.keyed.url}/v1", "api_key": secret(servers.keyed.key)}
    with raises(BadRequestError, "dimension"):
        OpenAITextEmbedder(**known, dimensions=4096).run(QUERY)


def connect_hugging_face(server: Server, **more: object) -> tuple[object, object]:
    from haystack_integrations.components.embedders import huggingface_api as package

    known = {
        "api_type": "text_embeddings_inference",
        "api_params": {"url": server.url},
        "token": secret(server.key),
        **more,
    }
    return package.HuggingFaceAPITextEmbedder(**known), package.HuggingFaceAPIDocumentEmbedder(
        **known, batch_size=2, progress_bar=False
    )


@hugging_face.check
def embeds_normalized(servers: Servers) -> None:
    embeds(servers, *connect_hugging_face(servers.keyed, normalize=True))


@hugging_face.check
def embeds_as_pooled_by_default(servers: Servers) -> None:
    text, _ = connect_hugging_face(servers.keyed)
    vector = text.run(QUERY)["embedding"]
    norm = sum(number**2 for number in vector) ** 0.5
    assert abs(norm - 1) > 1e-3, "the vector has unit length"
    same_vectors([[number / norm for number in vector]], servers.keyed.vectors([QUERY]))


@tei_ranker.check
def ranks_as_tei(servers: Servers) -> None:
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

    ranker = HuggingFaceTEIRanker(url=servers.keyed.url, top_k=3, token=secret(servers.keyed.key))
    ranked(pairs(ranker.run(QUERY, documents(DOCUMENTS))), servers.keyed.scores(), top=3)


@tei_ranker.check
def a_wrong_key_is_an_error(servers: Servers) -> None:
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

    with raises(RuntimeError, r"401[\s\S]*API_KEY"):
        ranker = HuggingFaceTEIRanker(url=servers.keyed.url, token=secret("another"))
        ranker.run(QUERY, documents(DOCUMENTS))


@cohere.check
def embeds_as_cohere(servers: Servers) -> None:
    from haystack_integrations.components.embedders.cohere import CohereDocumentEmbedder, CohereTextEmbedder

    known = {"model": EMBEDDER, "api_base_url": servers.keyed.url, "api_key": secret(servers.keyed.key)}
    embeds(servers, CohereTextEmbedder(**known), CohereDocumentEmbedder(**known, batch_size=2, progress_bar=False))


@cohere.check
def ranks_as_cohere(servers: Servers) -> None:
    from haystack_integrations.components.rankers.cohere import CohereRanker

    ranker = CohereRanker(model=RERANKER, api_base_url=servers.keyed.url, api_key=secret(servers.keyed.key), top_k=3)
    ranked(pairs(ranker.run(QUERY, documents(DOCUMENTS))), servers.keyed.scores(), top=3)


@jina.check
def embeds_as_jina(servers: Servers) -> None:
    from haystack_integrations.components.embedders.jina import JinaDocumentEmbedder, JinaTextEmbedder

    url = f"{servers.keyed.url}/v1/embeddings"
    known = {"model": EMBEDDER, "base_url": url, "api_key": secret(servers.keyed.key), "late_chunking": False}
    documents_embedder = JinaDocumentEmbedder(**known, task="retrieval.passage", batch_size=2, progress_bar=False)
    embeds(servers, JinaTextEmbedder(**known, task="retrieval.query"), documents_embedder)


@jina.check
def ranks_as_jina(servers: Servers) -> None:
    from haystack_integrations.components.rankers.jina import JinaRanker

    url = f"{servers.keyed.url}/v1/rerank"
    ranker = JinaRanker(model=RERANKER, base_url=url, api_key=secret(servers.keyed.key), top_k=3)
    ranked(pairs(ranker.run(QUERY, documents(DOCUMENTS))), servers.keyed.scores(), top=3)


@jina.check
def a_mistake_of_jina_says_what_is_wrong(servers: Servers) -> None:
    from haystack_integrations.components.embedders.jina import JinaTextEmbedder

    url = f"{servers.keyed.url}/v1/embeddings"
    with raises(RuntimeError, "API_KEY"):
        equal(JinaTextEmbedder(model=EMBEDDER, base_url=url, api_key=secret("another")).run(QUERY), None)
