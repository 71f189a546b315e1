"""Cohere's own library, both versions of its API."""

from client import Client
from compare import equal, raises, ranked, same_bytes, same_vectors
from server import DOCUMENTS, EMBEDDER, QUERY, RERANKER, TEXTS, Server, Servers

cohere = Client(
    "cohere (Python)",
    package="cohere",
    base_url="H",
    works="embed and rerank of v1 and v2, every embedding type, errors",
)


def connect(server: Server, key: str | None = None):
    import cohere

    return cohere.Client(base_url=server.url, api_key=key or server.key)


def connect_v2(server: Server, base: str = "", key: str | None = None):
    import cohere

    return cohere.ClientV2(base_url=server.url + base, api_key=key or server.key)


@cohere.check
def v2_embeds(servers: Servers) -> None:
    answer = connect_v2(servers.keyed).embed(
        model=EMBEDDER, texts=TEXTS, input_type="search_document", embedding_types=["float"]
    )
    same_vectors(answer.embeddings.float_, servers.keyed.vectors())
    equal(answer.response_type, "embeddings_by_type")
    assert answer.meta.billed_units.input_tokens > 10, f"meta is {answer.meta}"


@cohere.check
def v2_embeds_in_several_types_at_once(servers: Servers) -> None:
    types = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
    answer = connect_v2(servers.keyed).embed(
        model=EMBEDDER, texts=TEXTS, input_type="search_query", embedding_types=types
    )
    vectors = servers.keyed.vectors()
    same_vectors(answer.embeddings.float_, vectors)
    same_bytes(answer.embeddings.base64, vectors)
    signs = [number > 0 for number in vectors[0]]
    bits = [int("".join("01"[sign] for sign in signs[at : at + 8]), 2) for at in range(0, len(signs), 8)]
    equal(answer.embeddings.ubinary[0], bits)
    equal(answer.embeddings.binary[0], [byte - 128 for byte in bits])
    assert all(-128 <= number <= 127 for number in answer.embeddings.int8[0])
    assert all(0 <= number <= 255 for number in answer.embeddings.uint8[0])


@cohere.check
def v2_embeds_inputs_with_parts(servers: Servers) -> None:
    inputs = [{"content": [{"type": "text", "text": text}]} for text in TEXTS]
    answer = connect_v2(servers.keyed).embed(
        model=EMBEDDER, inputs=inputs, input_type="search_document", embedding_types=["float"], output_dimension=64
    )
    same_vectors(answer.embeddings.float_, servers.keyed.vectors(dimensions=64))


@cohere.check
def v2_reranks(servers: Servers) -> None:
    for base in ["", "/openai"]:
        answer = connect_v2(servers.keyed, base).rerank(
            model=RERANKER, query=QUERY, documents=DOCUMENTS, top_n=2, max_tokens_per_doc=None
        )
        pairs = [(result.index, result.relevance_score) for result in answer.results]
        ranked(pairs, servers.keyed.scores(), top=2)


@cohere.check
def v1_embeds_floats(servers: Servers) -> None:
    # more than the 96 that it puts into one request
    texts = [f"text number {index}" for index in range(200)]
    answer = connect(servers.keyed).embed(model=EMBEDDER, texts=texts, input_type="search_document")
    same_vectors(answer.embeddings, servers.keyed.vectors(texts))
    equal(answer.response_type, "embeddings_floats")


@cohere.check
def v1_embeds_by_type(servers: Servers) -> None:
    answer = connect(servers.keyed).embed(
        model=EMBEDDER, texts=TEXTS, input_type="search_document", embedding_types=["float"], truncate=None
    )
    same_vectors(answer.embeddings.float_, servers.keyed.vectors())


@cohere.check
def v1_reranks_and_returns_documents(servers: Servers) -> None:
    documents = [DOCUMENTS[0], {"text": DOCUMENTS[1]}, *DOCUMENTS[2:]]
    answer = connect(servers.keyed).rerank(model=RERANKER, query=QUERY, documents=documents, return_documents=True)
    ranked([(result.index, result.relevance_score) for result in answer.results], servers.keyed.scores())
    equal([result.document.text for result in answer.results], [DOCUMENTS[result.index] for result in answer.results])


@cohere.check
def a_mistake_is_a_bad_request_that_says_what_is_wrong(servers: Servers) -> None:
    from cohere.errors import BadRequestError

    with raises(BadRequestError, "documents"):
        connect_v2(servers.keyed).rerank(model=RERANKER, query=QUERY, documents=[])
    with raises(BadRequestError, "dimension"):
        connect_v2(servers.keyed).embed(
            model=EMBEDDER, texts=TEXTS, input_type="search_query", embedding_types=["float"], output_dimension=4096
        )


@cohere.check
def a_wrong_key_is_unauthorized(servers: Servers) -> None:
    from cohere.errors import UnauthorizedError

    with raises(UnauthorizedError, "API_KEY"):
        connect_v2(servers.keyed, key="another").rerank(model=RERANKER, query=QUERY, documents=DOCUMENTS)
