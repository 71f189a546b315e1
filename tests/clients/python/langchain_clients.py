"""LangChain's embeddings and rerankers, those whose URL is a constant too."""

import asyncio
from unittest.mock import patch

from client import Client
from compare import raises, ranked, same_vectors
from server import DOCUMENTS, EMBEDDER, QUERY, RERANKER, TEXTS, Servers

openai = Client(
    "langchain-openai OpenAIEmbeddings",
    package="langchain-openai",
    base_url="H/v1",
    works="embeddings by token ids (its default) and by texts, errors",
)
azure = Client(
    "langchain-openai AzureOpenAIEmbeddings",
    package="langchain-openai",
    base_url="azure_endpoint H",
    works="embeddings by token ids",
)
infinity = Client(
    "LangChain InfinityEmbeddings",
    package="langchain-community",
    base_url="H, without API_KEY",
    works="embeddings, asyncio too",
)
infinity_rerank = Client(
    "LangChain InfinityRerank",
    package="langchain-community",
    needs=("infinity_client",),
    base_url="H, without API_KEY",
    works="rerank",
)
jina = Client(
    "LangChain JinaEmbeddings, JinaRerank",
    package="langchain-community",
    base_url="a constant, patched: H/v1/embeddings, H/v1/rerank",
    works="embeddings, rerank, errors",
)
xinference = Client(
    "LangChain XinferenceEmbeddings",
    package="langchain-community",
    needs=("xinference-client",),
    base_url="H, without API_KEY",
    works="embeddings",
)
cohere = Client(
    "langchain-cohere CohereEmbeddings, CohereRerank",
    package="langchain-cohere",
    base_url="H",
    works="embeddings, rerank, errors",
)
voyage = Client(
    "langchain-voyageai VoyageAIRerank",
    package="langchain-voyageai",
    base_url="H/v1",
    works="rerank",
)
Client(
    "langchain-voyageai VoyageAIEmbeddings",
    package="langchain-voyageai",
    base_url="H/v1",
    works="",
    skip="it counts tokens with a tokenizer that it fetches from the hub, of Voyage's own models",
)
Client(
    "langchain-huggingface HuggingFaceEndpointEmbeddings",
    package="langchain-huggingface",
    base_url="H/embed",
    works="",
    skip="it takes the name of a model on the hub, and refuses URLs",
)


def documents() -> list:
    from langchain_core.documents import Document

    return [Document(page_content=text) for text in DOCUMENTS]


def pairs(found: list) -> list[tuple[int, float]]:
    return [(DOCUMENTS.index(document.page_content), document.metadata["relevance_score"]) for document in found]


@openai.check
def token_ids_have_the_vectors_of_their_texts(servers: Servers) -> None:
    from langchain_openai import OpenAIEmbeddings

    embeddings = OpenAIEmbeddings(model=EMBEDDER, base_url=f"{servers.keyed.url}/v1", api_key=servers.keyed.key)
    same_vectors(embeddings.embed_documents(TEXTS), servers.keyed.vectors())
    same_vectors([embeddings.embed_query(QUERY)], servers.keyed.vectors([QUERY]))
    same_vectors(asyncio.run(embeddings.aembed_documents(TEXTS)), servers.keyed.vectors())


@openai.check
def an_empty_text_among_others_has_a_vector(servers: Servers) -> None:
    from langchain_openai import OpenAIEmbeddings

    embeddings = OpenAIEmbeddings(model=EMBEDDER, base_url=f"{servers.keyed.url}/v1", api_key=servers.keyed.key)
    same_vectors(embeddings.embed_documents(["", *TEXTS]), servers.keyed.vectors(["", *TEXTS]))


@openai.check
def more_texts_than_it_puts_into_a_request_stay_in_order(servers: Servers) -> None:
    from langchain_openai import OpenAIEmbeddings

    texts = [f"text number {index}" for index in range(40)]
    known = {"base_url": f"{servers.keyed.url}/v1", "api_key": servers.keyed.key, "chunk_size": 16}
    for by_ids in [True, False]:
        embeddings = OpenAIEmbeddings(model=EMBEDDER, check_embedding_ctx_length=by_ids, **known)
        same_vectors(embeddings.embed_documents(texts), servers.keyed.vectors(texts))


@openai.check
def a_mistake_says_what_is_wrong(servers: Servers) -> None:
    from langchain_openai import OpenAIEmbeddings
    from openai import BadRequestError

    url = f"{servers.keyed.url}/v1"
    with raises(BadRequestError, "dimension"):
        OpenAIEmbeddings(model=EMBEDDER, base_url=url, api_key=servers.keyed.key, dimensions=4096).embed_query(QUERY)


@azure.check
def azure_embeds(servers: Servers) -> None:
    from langchain_openai import AzureOpenAIEmbeddings

    embeddings = AzureOpenAIEmbeddings(
        model=EMBEDDER, azure_endpoint=servers.keyed.url, api_key=servers.keyed.key, api_version="2024-10-21"
    )
    same_vectors(embeddings.embed_documents(TEXTS), servers.keyed.vectors())


@infinity.check
def embeds_with_threads_and_with_asyncio(servers: Servers) -> None:
    from langchain_community.embeddings import InfinityEmbeddings

    # more than the 128 of a request
    texts = [f"text number {index} " * (index % 7 + 1) for index in range(300)]
    embeddings = InfinityEmbeddings(model=EMBEDDER, infinity_api_url=servers.open.url)
    same_vectors(embeddings.embed_documents(texts), servers.open.vectors(texts))
    same_vectors(asyncio.run(embeddings.aembed_documents(TEXTS)), servers.open.vectors())


@infinity.check
def an_error_of_infinity_says_what_is_wrong(servers: Servers) -> None:
    from langchain_community.embeddings import InfinityEmbeddings

    # it sends no key
    with raises(Exception, "401"):
        InfinityEmbeddings(model=EMBEDDER, infinity_api_url=servers.keyed.url).embed_query(QUERY)


@infinity_rerank.check
def reranks_with_infinity(servers: Servers) -> None:
    # it takes no client that has a key
    from infinity_client import Client as InfinityClient
    from langchain_community.document_compressors.infinity_rerank import InfinityRerank

    rerank = InfinityRerank(client=InfinityClient(base_url=servers.open.url), model=RERANKER, top_n=3)
    ranked(pairs(rerank.compress_documents(documents(), QUERY)), servers.open.scores(), top=3)


@jina.check
def embeds_with_jina(servers: Servers) -> None:
    from langchain_community.embeddings import JinaEmbeddings

    embeddings = JinaEmbeddings(model_name=EMBEDDER, jina_api_key=servers.keyed.key)
    with patch("langchain_community.embeddings.jina.JINA_API_URL", f"{servers.keyed.url}/v1/embeddings"):
        same_vectors(embeddings.embed_documents(TEXTS), servers.keyed.vectors())
        with raises(RuntimeError, "input is an empty list"):
            embeddings.embed_documents([])
        with raises(RuntimeError, "embed images"):
            embeddings.embed_images(["https://example.com/a.png"])


@jina.check
def reranks_with_jina(servers: Servers) -> None:
    from langchain_community.document_compressors import JinaRerank

    rerank = JinaRerank(model=RERANKER, jina_api_key=servers.keyed.key, top_n=None)
    with patch("langchain_community.document_compressors.jina_rerank.JINA_API_URL", f"{servers.keyed.url}/v1/rerank"):
        ranked(pairs(rerank.compress_documents(documents(), QUERY)), servers.keyed.scores())
        with raises(RuntimeError, "API_KEY"):
            JinaRerank(model=RERANKER, jina_api_key="another").rerank(DOCUMENTS, QUERY)


@xinference.check
def embeds_with_xinference(servers: Servers) -> None:
    from langchain_community.embeddings import XinferenceEmbeddings

    embeddings = XinferenceEmbeddings(server_url=servers.open.url, model_uid=EMBEDDER)
    same_vectors(embeddings.embed_documents(TEXTS), servers.open.vectors())


@cohere.check
def embeds_with_cohere(servers: Servers) -> None:
    from langchain_cohere import CohereEmbeddings

    embeddings = CohereEmbeddings(model=EMBEDDER, base_url=servers.keyed.url, cohere_api_key=servers.keyed.key)
    same_vectors(embeddings.embed_documents(TEXTS), servers.keyed.vectors())
    same_vectors([embeddings.embed_query(QUERY)], servers.keyed.vectors([QUERY]))


@cohere.check
def reranks_with_cohere(servers: Servers) -> None:
    from langchain_cohere import CohereRerank

    rerank = CohereRerank(model=RERANKER, base_url=servers.keyed.url, cohere_api_key=servers.keyed.key)
    ranked(pairs(rerank.compress_documents(documents(), QUERY)), servers.keyed.scores(), top=3)


@cohere.check
def a_wrong_key_of_cohere_is_unauthorized(servers: Servers) -> None:
    from cohere.errors import UnauthorizedError
    from langchain_cohere import CohereRerank

    with raises(UnauthorizedError, "API_KEY"):
        rerank = CohereRerank(model=RERANKER, base_url=servers.keyed.url, cohere_api_key="another")
        rerank.compress_documents(documents(), QUERY)


@voyage.check
def reranks_with_voyage(servers: Servers) -> None:
    from langchain_voyageai import VoyageAIRerank

    rerank = VoyageAIRerank(model=RERANKER, base_url=f"{servers.keyed.url}/v1", api_key=servers.keyed.key, top_k=3)
    ranked(pairs(rerank.compress_documents(documents(), QUERY)), servers.keyed.scores(), top=3)
