"""Vendors' own libraries that take a base URL: Voyage, Together, Mixedbread, Xinference."""

from client import Client
from compare import equal, raises, ranked, same_vectors
from server import DOCUMENTS, EMBEDDER, QUERY, RERANKER, TEXTS, Server, Servers

voyage = Client(
    "voyageai (Python)", package="voyageai", base_url="H/v1", works="embed (base64), output types, rerank, errors"
)
together = Client("together (Python)", package="together", base_url="H, H/v1", works="embeddings, rerank, errors")
mixedbread = Client("mixedbread", package="mixedbread", base_url="H", works="embed, rerank, errors")
xinference = Client(
    "xinference-client", package="xinference-client", base_url="H", works="create_embedding, rerank, errors"
)


def connect_voyage(server: Server, key: str | None = None):
    import voyageai

    return voyageai.Client(api_key=key or server.key, base_url=f"{server.url}/v1", max_retries=0)


@voyage.check
def embeds_with_voyage(servers: Servers) -> None:
    answer = connect_voyage(servers.keyed).embed(TEXTS, model=EMBEDDER, input_type="document")
    same_vectors(answer.embeddings, servers.keyed.vectors())
    assert answer.total_tokens > 10, f"total_tokens is {answer.total_tokens}"


@voyage.check
def embeds_in_other_types(servers: Servers) -> None:
    for dtype, length, lowest, highest in [("int8", 64, -128, 127), ("uint8", 64, 0, 255), ("ubinary", 8, 0, 255)]:
        answer = connect_voyage(servers.keyed).embed(TEXTS, model=EMBEDDER, output_dtype=dtype, output_dimension=64)
        equal([len(vector) for vector in answer.embeddings], [length] * 3)
        assert all(lowest <= number <= highest for vector in answer.embeddings for number in vector)


@voyage.check
def reranks_with_voyage(servers: Servers) -> None:
    answer = connect_voyage(servers.keyed).rerank(QUERY, DOCUMENTS, model=RERANKER, top_k=3)
    ranked([(result.index, result.relevance_score) for result in answer.results], servers.keyed.scores(), top=3)
    assert answer.total_tokens > 10, f"total_tokens is {answer.total_tokens}"


@voyage.check
def mistakes_are_voyage_errors(servers: Servers) -> None:
    from voyageai.error import AuthenticationError, InvalidRequestError

    with raises(InvalidRequestError, "dimension"):
        connect_voyage(servers.keyed).embed(TEXTS, model=EMBEDDER, output_dimension=4096)
    with raises(AuthenticationError, "API_KEY"):
        connect_voyage(servers.keyed, key="another").embed(TEXTS, model=EMBEDDER)


def connect_together(server: Server, base: str = "", key: str | None = None):
    from together import Together

    return Together(api_key=key or server.key, base_url=server.url + base, max_retries=0)


@together.check
def embeds_with_together(servers: Servers) -> None:
    for base in ["", "/v1"]:
        answer = connect_together(servers.keyed, base).embeddings.create(model=EMBEDDER, input=TEXTS)
        same_vectors([item.embedding for item in answer.data], servers.keyed.vectors())


@together.check
def reranks_with_together(servers: Servers) -> None:
    documents = [{"title": f"number {index}", "text": text} for index, text in enumerate(DOCUMENTS)]
    for base in ["", "/v1"]:
        answer = connect_together(servers.keyed, base).rerank.create(
            model=RERANKER, query=QUERY, documents=documents, rank_fields=["text"], top_n=2
        )
        pairs = [(result.index, result.relevance_score) for result in answer.results]
        ranked(pairs, servers.keyed.scores(), top=2)
        assert answer.usage.prompt_tokens > 10 and answer.usage.completion_tokens == 0, f"usage is {answer.usage}"


@together.check
def mistakes_are_together_errors(servers: Servers) -> None:
    from together import AuthenticationError, BadRequestError

    with raises(BadRequestError, "input is an empty list"):
        connect_together(servers.keyed).embeddings.create(model=EMBEDDER, input=[])
    with raises(AuthenticationError, "API_KEY"):
        connect_together(servers.keyed, key="another").embeddings.create(model=EMBEDDER, input=TEXTS)


def connect_mixedbread(server: Server, key: str | None = None):
    from mixedbread import Mixedbread

    return Mixedbread(api_key=key or server.key, base_url=server.url, max_retries=0)


@mixedbread.check
def embeds_with_mixedbread(servers: Servers) -> None:
    answer = connect_mixedbread(servers.keyed).embed(model=EMBEDDER, input=TEXTS, normalized=True, dimensions=64)
    same_vectors([item.embedding for item in answer.data], servers.keyed.vectors(dimensions=64))
    equal(answer.usage.total_tokens, answer.usage.prompt_tokens)


@mixedbread.check
def reranks_with_mixedbread(servers: Servers) -> None:
    answer = connect_mixedbread(servers.keyed).rerank(
        model=RERANKER, query=QUERY, input=DOCUMENTS, top_k=3, return_input=True
    )
    ranked([(item.index, item.score) for item in answer.data], servers.keyed.scores(), top=3)
    equal([item.input for item in answer.data], [DOCUMENTS[item.index] for item in answer.data])


@mixedbread.check
def mistakes_are_mixedbread_errors(servers: Servers) -> None:
    from mixedbread import AuthenticationError, BadRequestError

    with raises(BadRequestError, "input"):
        connect_mixedbread(servers.keyed).rerank(model=RERANKER, query=QUERY, input=[])
    with raises(AuthenticationError, "API_KEY"):
        connect_mixedbread(servers.keyed, key="another").embed(model=EMBEDDER, input=TEXTS)


def connect_xinference(server: Server):
    # it sends its key only where the server says that it has users
    from xinference_client import RESTfulClient

    return RESTfulClient(server.url)


@xinference.check
def embeds_with_xinference(servers: Servers) -> None:
    answer = connect_xinference(servers.open).get_model(EMBEDDER).create_embedding(TEXTS)
    same_vectors([item["embedding"] for item in answer["data"]], servers.open.vectors())


@xinference.check
def reranks_with_xinference(servers: Servers) -> None:
    answer = connect_xinference(servers.open).get_model(RERANKER).rerank(DOCUMENTS, QUERY, return_documents=True)
    ranked([(item["index"], item["relevance_score"]) for item in answer["results"]], servers.open.scores())
    equal(answer["results"][0]["document"]["text"], DOCUMENTS[answer["results"][0]["index"]])


@xinference.check
def mistakes_are_xinference_errors(servers: Servers) -> None:
    with raises(RuntimeError, "input is an empty list"):
        connect_xinference(servers.open).get_model(EMBEDDER).create_embedding([])
