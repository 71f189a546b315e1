"""OpenAI's own library, on the direct routes and through the gateway's."""

import asyncio

from client import Client
from compare import equal, raises, same_bytes, same_vectors
from server import DOCUMENTS, EMBEDDER, QUERY, RERANKER, TEXTS, Server, Servers

openai = Client(
    "openai (Python)",
    package="openai",
    base_url="H/v1, H/openai/v1",
    works="embeddings (base64 unless told), token ids, models, post('/rerank'), errors",
)
azure = Client("openai (Python) AzureOpenAI", package="openai", base_url="azure_endpoint H", works="embeddings, errors")

# as the platform has it, at the root too
BASES = ["/v1", "", "/openai/v1", "/v2/an-endpoint/openai/v1"]


def connect(server: Server, base: str = "/v1", key: str | None = None):
    from openai import OpenAI

    return OpenAI(base_url=server.url + base, api_key=key or server.key, max_retries=0)


@openai.check
def embeds_texts_in_order_at_every_base(servers: Servers) -> None:
    for base in BASES:
        answer = connect(servers.keyed, base).embeddings.create(model=EMBEDDER, input=TEXTS)
        same_vectors([item.embedding for item in answer.data], servers.keyed.vectors())
        equal([item.index for item in answer.data], [0, 1, 2])
        assert answer.usage.prompt_tokens > 10, f"usage is {answer.usage}"
        equal(answer.usage.total_tokens, answer.usage.prompt_tokens)


@openai.check
def base64_that_the_caller_asks_for_has_the_bytes_of_the_floats(servers: Servers) -> None:
    create = connect(servers.keyed).embeddings.create
    answer = create(model=EMBEDDER, input=TEXTS, encoding_format="base64")
    same_bytes([item.embedding for item in answer.data], servers.keyed.vectors())


@openai.check
def token_ids_have_the_vectors_of_their_texts(servers: Servers) -> None:
    import tiktoken

    cl100k = tiktoken.get_encoding("cl100k_base")
    answer = connect(servers.keyed).embeddings.create(model=EMBEDDER, input=[cl100k.encode(text) for text in TEXTS])
    same_vectors([item.embedding for item in answer.data], servers.keyed.vectors())


@openai.check
def the_empty_text_has_a_vector(servers: Servers) -> None:
    answer = connect(servers.keyed).embeddings.create(model=EMBEDDER, input="")
    same_vectors([answer.data[0].embedding], servers.keyed.vectors([""]))


@openai.check
def dimensions_cut_and_normalize(servers: Servers) -> None:
    answer = connect(servers.keyed).embeddings.create(model=EMBEDDER, input=TEXTS, dimensions=64)
    same_vectors([item.embedding for item in answer.data], servers.keyed.vectors(dimensions=64))
    equal(round(sum(number**2 for number in answer.data[0].embedding), 5), 1.0)


@openai.check
def fields_that_the_server_does_not_know_change_nothing(servers: Servers) -> None:
    more = {"foo": 1, "task": "retrieval.query", "dimensions": None}
    answer = connect(servers.keyed).embeddings.create(model=EMBEDDER, input=TEXTS, extra_body=more)
    same_vectors([item.embedding for item in answer.data], servers.keyed.vectors())


@openai.check
def models_are_listed_and_looked_up(servers: Servers) -> None:
    client = connect(servers.keyed)
    assert EMBEDDER in [model.id for model in client.models.list()]
    equal(client.models.retrieve(EMBEDDER).id, EMBEDDER)


@openai.check
def post_reranks(servers: Servers) -> None:
    body = {"model": RERANKER, "query": QUERY, "documents": DOCUMENTS}
    answer = connect(servers.keyed).post("/rerank", cast_to=object, body=body)
    scores = servers.keyed.scores()
    for result in answer["results"]:
        assert abs(result["relevance_score"] - scores[result["index"]]) < 1e-6
    equal(len(answer["results"]), len(DOCUMENTS))


@openai.check
def many_at_once_do_not_mix(servers: Servers) -> None:
    from openai import AsyncOpenAI

    texts = [f"text number {index}" for index in range(64)]

    async def ask() -> list:
        client = AsyncOpenAI(base_url=f"{servers.keyed.url}/v1", api_key=servers.keyed.key)
        return await asyncio.gather(*(client.embeddings.create(model=EMBEDDER, input=text) for text in texts))

    answers = asyncio.run(ask())
    # alone and among others a text is computed in batches of different sizes
    same_vectors([answer.data[0].embedding for answer in answers], servers.keyed.vectors(texts))


@openai.check
def a_mistake_is_a_bad_request_that_says_what_is_wrong(servers: Servers) -> None:
    from openai import BadRequestError

    with raises(BadRequestError, "input is an empty list"):
        connect(servers.keyed).embeddings.create(model=EMBEDDER, input=[])


@openai.check
def a_wrong_key_is_an_authentication_error(servers: Servers) -> None:
    from openai import AuthenticationError

    with raises(AuthenticationError, "API_KEY"):
        connect(servers.keyed, key="another").embeddings.create(model=EMBEDDER, input="a")


@openai.check
def an_unknown_model_is_not_found(servers: Servers) -> None:
    from openai import NotFoundError

    with raises(NotFoundError, "no/such"):
        connect(servers.keyed).models.retrieve("no/such")


@openai.check
def through_the_gateway_a_mistake_says_what_is_wrong(servers: Servers) -> None:
    from openai import InternalServerError

    try:
        connect(servers.keyed, "/openai/v1").embeddings.create(model=EMBEDDER, input=[])
    except InternalServerError as error:
        # newer ones show only a message inside an object, which the gateway's error is not
        assert "input is an empty list" in str(error.body), f"the body is {error.body}"
    else:
        raise AssertionError("nothing was raised")


def connect_azure(server: Server, key: str | None = None):
    from openai import AzureOpenAI

    return AzureOpenAI(azure_endpoint=server.url, api_key=key or server.key, api_version="2024-10-21", max_retries=0)


@azure.check
def embeds_texts(servers: Servers) -> None:
    answer = connect_azure(servers.keyed).embeddings.create(model=EMBEDDER, input=TEXTS)
    same_vectors([item.embedding for item in answer.data], servers.keyed.vectors())


@azure.check
def a_mistake_says_what_is_wrong(servers: Servers) -> None:
    from openai import BadRequestError

    with raises(BadRequestError, "input is an empty list"):
        connect_azure(servers.keyed).embeddings.create(model=EMBEDDER, input=[])
