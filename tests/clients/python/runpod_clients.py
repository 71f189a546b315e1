"""RunPod's own library: jobs."""

import asyncio

from client import Client
from compare import equal, raises, ranked, same_vectors
from server import DOCUMENTS, EMBEDDER, QUERY, RERANKER, TEXTS, Server, Servers

runpod = Client(
    "runpod (Python)",
    package="runpod",
    base_url="RUNPOD_ENDPOINT_BASE_URL H/v2",
    works="run, run_sync, status, cancel, health, asyncio; inputs with and without their wrapper",
)


def connect(server: Server, key: str | None = None):
    import runpod

    runpod.endpoint_url_base = f"{server.url}/v2"
    return runpod.Endpoint("an-endpoint", api_key=key or server.key)


def vectors(output: dict) -> list[list[float]]:
    return [item["embedding"] for item in output["data"]]


@runpod.check
def run_sync_embeds(servers: Servers) -> None:
    output = connect(servers.keyed).run_sync({"input": {"model": EMBEDDER, "input": TEXTS}}, timeout=30)
    same_vectors(vectors(output), servers.keyed.vectors())


@runpod.check
def run_sync_reranks(servers: Servers) -> None:
    body = {"model": RERANKER, "query": QUERY, "docs": DOCUMENTS}
    output = connect(servers.keyed).run_sync({"input": body}, timeout=30)
    ranked([(result["index"], result["relevance_score"]) for result in output["results"]], output["scores"])


@runpod.check
def run_is_followed_to_its_end(servers: Servers) -> None:
    job = connect(servers.keyed).run({"input": {"model": EMBEDDER, "input": TEXTS}})
    same_vectors(vectors(job.output(timeout=30)), servers.keyed.vectors())
    equal(job.status(), "COMPLETED")


@runpod.check
def an_input_without_its_wrapper_is_understood(servers: Servers) -> None:
    # it has a key `input`, so the library takes it for a whole job
    output = connect(servers.keyed).run_sync({"model": EMBEDDER, "input": TEXTS}, timeout=30)
    same_vectors(vectors(output), servers.keyed.vectors())


@runpod.check
def a_rerank_without_its_wrapper_is_understood(servers: Servers) -> None:
    body = {"model": RERANKER, "query": QUERY, "docs": DOCUMENTS}
    equal(connect(servers.keyed).run_sync(body, timeout=30)["scores"], servers.keyed.scores())


@runpod.check
def other_dialects_are_jobs_too(servers: Servers) -> None:
    job = {"openai_route": "/v1/embeddings", "openai_input": {"model": EMBEDDER, "input": TEXTS}}
    [answer] = connect(servers.keyed).run_sync({"input": job}, timeout=30)
    same_vectors(vectors(answer), servers.keyed.vectors())


@runpod.check
def the_asyncio_client_is_understood_wrapped_twice_or_once(servers: Servers) -> None:
    connect(servers.keyed)
    for body in [{"input": {"model": EMBEDDER, "input": TEXTS}}, {"model": EMBEDDER, "input": TEXTS}]:
        same_vectors(vectors(asyncio.run(run_asyncio(servers.keyed, body))), servers.keyed.vectors())


async def run_asyncio(server: Server, body: dict) -> dict:
    from runpod import AsyncioEndpoint, http_client

    async with http_client.AsyncClientSession() as session:
        job = await AsyncioEndpoint("an-endpoint", session, api_key=server.key).run(body)
        return await job.output(timeout=30)


@runpod.check
def a_failed_job_says_what_is_wrong(servers: Servers) -> None:
    job = connect(servers.keyed).run({"input": {"model": EMBEDDER, "input": []}})
    equal(job.output(timeout=30), None)
    equal(job.status(), "FAILED")
    failed = job.rp_client.get(f"an-endpoint/status/{job.job_id}")
    assert "input is an empty list" in failed["error"], f"the job is {failed}"


@runpod.check
def a_job_can_be_cancelled(servers: Servers) -> None:
    long = {"model": EMBEDDER, "input": [f"{index} " * 400 for index in range(300)]}
    job = connect(servers.keyed).run({"input": long})
    equal(job.cancel()["status"], "CANCELLED")


@runpod.check
def health_counts_jobs(servers: Servers) -> None:
    health = connect(servers.keyed).health()
    assert health["jobs"]["completed"] > 0 and health["workers"]["ready"] == 1, f"health is {health}"


@runpod.check
def a_wrong_key_is_an_error(servers: Servers) -> None:
    with raises(RuntimeError, "401"):
        connect(servers.keyed, key="another").run_sync({"input": {"input": "a"}}, timeout=30)
