"""Infinity's own client, generated from its OpenAPI document: it takes nothing that is not in there."""

from client import Client
from compare import equal, ranked, same_vectors
from server import CLASSIFIER, DOCUMENTS, EMBEDDER, QUERY, RERANKER, TEXTS, Server, Servers

infinity = Client(
    "infinity_client",
    package="infinity_client",
    base_url="H",
    works="embeddings, rerank, classify, models, health",
)


def connect(server: Server):
    from infinity_client import AuthenticatedClient

    return AuthenticatedClient(base_url=server.url, token=server.key)


@infinity.check
def embeds(servers: Servers) -> None:
    from infinity_client.api.default import embeddings
    from infinity_client.models import OpenAIEmbeddingInputText as Body

    for model in [EMBEDDER, "default/not-specified"]:
        answer = embeddings.sync(client=connect(servers.keyed), body=Body(input_=TEXTS, model=model))
        same_vectors([item.embedding for item in answer.data], servers.keyed.vectors())
        assert answer.usage.prompt_tokens > 10, f"usage is {answer.usage}"


@infinity.check
def reranks(servers: Servers) -> None:
    from infinity_client.api.default import rerank
    from infinity_client.models import RerankInput

    body = RerankInput(query=QUERY, documents=DOCUMENTS, model=RERANKER, return_documents=True, top_n=3)
    answer = rerank.sync(client=connect(servers.keyed), body=body)
    ranked([(result.index, result.relevance_score) for result in answer.results], servers.keyed.scores(), top=3)
    equal([result.document for result in answer.results], [DOCUMENTS[result.index] for result in answer.results])


@infinity.check
def classifies(servers: Servers) -> None:
    from infinity_client.api.default import classify
    from infinity_client.models import ClassifyInput

    body = ClassifyInput(input_=["I like it.", "I do not."], model=CLASSIFIER)
    answer = classify.sync(client=connect(servers.keyed), body=body)
    equal([len(labels) for labels in answer.data], [3, 3])
    sums = [sum(label.score for label in labels) for labels in answer.data]
    assert all(abs(total - 1) < 1e-5 for total in sums), f"the scores of a text add up to {sums}"


@infinity.check
def lists_models(servers: Servers) -> None:
    from infinity_client.api.default import models

    answer = models.sync(client=connect(servers.keyed))
    equal([model.id for model in answer.data][:2], [EMBEDDER, RERANKER])


@infinity.check
def asks_for_health(servers: Servers) -> None:
    from infinity_client.api.default import health

    equal(health.sync_detailed(client=connect(servers.keyed)).status_code, 200)


@infinity.check
def a_mistake_is_a_status_that_it_knows_nothing_of(servers: Servers) -> None:
    from infinity_client.api.default import embeddings
    from infinity_client.models import OpenAIEmbeddingInputText as Body

    answer = embeddings.sync_detailed(client=connect(servers.keyed), body=Body(input_=[], model=EMBEDDER))
    equal(answer.status_code, 400)
    assert b"input is an empty list" in answer.content, f"content is {answer.content}"
