"""Clients of Text Embeddings Inference, and Hugging Face's own."""

from client import Client
from compare import equal, raises, ranked, same_vectors
from server import CLASSIFIER, DOCUMENTS, EMBEDDER, QUERY, TEXTS, Server, Servers

hub = Client(
    "huggingface_hub InferenceClient",
    package="huggingface_hub",
    base_url="H/embed, H/similarity, H/predict, H/models/{model}",
    works="feature extraction, sentence similarity, text classification, errors",
)
tei = Client(
    "tei-client",
    package="tei-client",
    base_url="H, with one model",
    works="info, embed, embed_all, rerank, tokenize, decode, prompt names",
)


def connect(server: Server, path: str, key: str | None = None):
    from huggingface_hub import InferenceClient

    return InferenceClient(model=server.url + path, token=key or server.key)


@hub.check
def extracts_features(servers: Servers) -> None:
    for path in ["/embed", "/", f"/models/{EMBEDDER}"]:
        client = connect(servers.keyed, path)
        same_vectors(client.feature_extraction(TEXTS).tolist(), servers.keyed.vectors())
        same_vectors(client.feature_extraction(TEXTS[0]).tolist(), servers.keyed.vectors(TEXTS[:1]))


@hub.check
def extracts_raw_features(servers: Servers) -> None:
    raw = connect(servers.keyed, "/embed").feature_extraction(TEXTS, normalize=False, truncate=True).tolist()
    norms = [sum(number**2 for number in vector) ** 0.5 for vector in raw]
    assert all(abs(norm - 1) > 1e-3 for norm in norms), f"the vectors have unit length: {norms}"
    unit = [[number / norm for number in vector] for vector, norm in zip(raw, norms)]
    same_vectors(unit, servers.keyed.vectors())


@hub.check
def compares_sentences(servers: Servers) -> None:
    first, *others = servers.keyed.vectors([QUERY, *DOCUMENTS])
    expected = [[sum(one * other for one, other in zip(first, vector))] for vector in others]
    for path in ["/similarity", "/"]:
        cosines = connect(servers.keyed, path).sentence_similarity(QUERY, other_sentences=DOCUMENTS)
        same_vectors([[cosine] for cosine in cosines], expected)


@hub.check
def classifies(servers: Servers) -> None:
    labels = connect(servers.keyed, f"/models/{CLASSIFIER}").text_classification("I like it.")
    equal(len(labels), 3)
    equal([entry.score for entry in labels], sorted((entry.score for entry in labels), reverse=True))
    assert abs(sum(entry.score for entry in labels) - 1) < 1e-5, f"scores are {labels}"
    equal(len(connect(servers.reranker, "/predict").text_classification("I like it.")), 1)


@hub.check
def a_mistake_says_what_is_wrong(servers: Servers) -> None:
    from huggingface_hub.errors import BadRequestError, HfHubHTTPError

    with raises(BadRequestError, "inputs is an empty list"):
        connect(servers.keyed, "/embed").feature_extraction([])
    with raises(HfHubHTTPError, "401"):
        connect(servers.keyed, "/embed", key="another").feature_extraction("a")


def connect_tei(server: Server):
    from tei_client import HttpClient

    return HttpClient(server.url)


@tei.check
def knows_what_the_model_is(servers: Servers) -> None:
    assert connect_tei(servers.embedder).health()
    info = connect_tei(servers.embedder).info()
    equal(info.server_model_type.value, "embedding")
    equal(info.server_model_metadata.pooling, "mean")
    equal(connect_tei(servers.reranker).info().server_model_type.value, "reranker")


@tei.check
def embeds(servers: Servers) -> None:
    same_vectors(connect_tei(servers.embedder).embed(TEXTS), servers.embedder.vectors())


@tei.check
def pooled_token_vectors_are_the_vector(servers: Servers) -> None:
    [tokens] = connect_tei(servers.embedder).embed_all(TEXTS[0])
    mean = [sum(column) / len(tokens) for column in zip(*tokens)]
    norm = sum(number**2 for number in mean) ** 0.5
    same_vectors([[number / norm for number in mean]], servers.embedder.vectors(TEXTS[:1]))


@tei.check
def reranks(servers: Servers) -> None:
    result = connect_tei(servers.reranker).rerank(QUERY, DOCUMENTS)
    ranked([(rank.index, rank.score) for rank in result.ranks], servers.reranker.scores())


@tei.check
def tokens_are_decoded_to_their_text(servers: Servers) -> None:
    client = connect_tei(servers.embedder)
    [tokens] = client.tokenize("Hello world")
    equal(tokens.get_ids(), [101, 7592, 2088, 102])
    equal([token.text for token in tokens.tokens if token.special], ["[CLS]", "[SEP]"])
    equal(client.decode(tokens.get_ids()), ["hello world"])


@tei.check
def an_unknown_prompt_is_an_error_that_lists_those_known(servers: Servers) -> None:
    equal(connect_tei(servers.embedder).prompt_names(), [])
