"""LlamaIndex's embeddings and rerankers."""

from client import Client
from compare import equal, raises, ranked, same_vectors
from server import DOCUMENTS, EMBEDDER, QUERY, RERANKER, TEXTS, Server, Servers

openai = Client(
    "LlamaIndex OpenAIEmbedding",
    package="llama-index-embeddings-openai",
    base_url="H/v1",
    works="embeddings, errors",
)
openai_like = Client(
    "LlamaIndex OpenAILikeEmbedding",
    package="llama-index-embeddings-openai-like",
    base_url="H/v1",
    works="embeddings",
)
tei = Client(
    "LlamaIndex TextEmbeddingsInference",
    package="llama-index-embeddings-text-embeddings-inference",
    base_url="H",
    works="embeddings",
)
tei_rerank = Client(
    "LlamaIndex TextEmbeddingInference (rerank)",
    package="llama-index-postprocessor-tei-rerank",
    base_url="H",
    works="rerank; the key raw or with Bearer",
)
jina = Client(
    "LlamaIndex JinaEmbedding",
    package="llama-index-embeddings-jinaai",
    base_url="a constant, patched: H/v1/embeddings",
    works="embeddings, binary types, errors",
)
jina_rerank = Client(
    "LlamaIndex JinaRerank",
    package="llama-index-postprocessor-jinaai-rerank",
    base_url="H/v1",
    works="rerank, errors",
)
cohere = Client(
    "LlamaIndex CohereEmbedding",
    package="llama-index-embeddings-cohere",
    base_url="H",
    works="embeddings",
)
cohere_rerank = Client(
    "LlamaIndex CohereRerank",
    package="llama-index-postprocessor-cohere-rerank",
    base_url="H",
    works="rerank",
)


def nodes() -> list:
    from llama_index.core.schema import NodeWithScore, TextNode

    return [NodeWithScore(node=TextNode(text=text)) for text in DOCUMENTS]


def pairs(found: list) -> list[tuple[int, float]]:
    return [(DOCUMENTS.index(node.text), node.score) for node in found]


def connect_openai(server: Server, **more: object):
    from llama_index.embeddings.openai import OpenAIEmbedding

    return OpenAIEmbedding(model_name=EMBEDDER, api_base=f"{server.url}/v1", api_key=server.key, max_retries=0, **more)


@openai.check
def embeds_in_batches(servers: Servers) -> None:
    embedding = connect_openai(servers.keyed, embed_batch_size=2)
    same_vectors(embedding.get_text_embedding_batch(TEXTS), servers.keyed.vectors())
    same_vectors([embedding.get_query_embedding(QUERY)], servers.keyed.vectors([QUERY]))


@openai.check
def a_mistake_says_what_is_wrong(servers: Servers) -> None:
    from openai import BadRequestError

    with raises(BadRequestError, "dimension"):
        connect_openai(servers.keyed, dimensions=4096).get_text_embedding("a")


@openai_like.check
def embeds_with_openai_like(servers: Servers) -> None:
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding

    embedding = OpenAILikeEmbedding(model_name=EMBEDDER, api_base=f"{servers.keyed.url}/v1", api_key=servers.keyed.key)
    same_vectors(embedding.get_text_embedding_batch(TEXTS), servers.keyed.vectors())


@tei.check
def embeds_with_tei(servers: Servers) -> None:
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

    embedding = TextEmbeddingsInference(
        model_name=EMBEDDER,
        base_url=servers.keyed.url,
        auth_token=servers.keyed.key,
        text_instruction=" ",
        query_instruction=" ",
    )
    same_vectors(embedding.get_text_embedding_batch(TEXTS), servers.keyed.vectors())
    same_vectors([embedding.get_query_embedding(QUERY)], servers.keyed.vectors([QUERY]))


@tei_rerank.check
def reranks_with_tei(servers: Servers) -> None:
    from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

    for token in [servers.keyed.key, f"Bearer {servers.keyed.key}"]:
        rerank = TextEmbeddingInference(base_url=servers.keyed.url, auth_token=token, top_n=3)
        found = rerank.postprocess_nodes(nodes(), query_str=QUERY)
        ranked(pairs(found), servers.keyed.scores(), top=3)


def connect_jina(server: Server, **more: object):
    from llama_index.embeddings.jinaai import JinaEmbedding

    embedding = JinaEmbedding(model=EMBEDDER, api_key=server.key, **more)
    embedding._api.api_url = f"{server.url}/v1/embeddings"
    return embedding


@jina.check
def embeds_with_jina(servers: Servers) -> None:
    embedding = connect_jina(servers.keyed, task="retrieval.passage")
    same_vectors(embedding.get_text_embedding_batch(TEXTS), servers.keyed.vectors())


@jina.check
def binary_types_hold_the_signs(servers: Servers) -> None:
    # the client unpacks them
    signs = [[float(number > 0) for number in vector] for vector in servers.keyed.vectors()]
    for encoding in ["ubinary", "binary"]:
        vectors = connect_jina(servers.keyed, encoding_queries=encoding, encoding_documents=encoding)
        same_vectors(vectors.get_text_embedding_batch(TEXTS), signs)


@jina.check
def a_mistake_of_jina_says_what_is_wrong(servers: Servers) -> None:
    with raises(RuntimeError, "dimension"):
        connect_jina(servers.keyed, dimensions=4096).get_text_embedding("a")


@jina_rerank.check
def reranks_with_jina(servers: Servers) -> None:
    from llama_index.postprocessor.jinaai_rerank import JinaRerank

    known = {"model": RERANKER, "base_url": f"{servers.keyed.url}/v1", "top_n": 3}
    found = JinaRerank(api_key=servers.keyed.key, **known).postprocess_nodes(nodes(), query_str=QUERY)
    ranked(pairs(found), servers.keyed.scores(), top=3)
    with raises(RuntimeError, "API_KEY"):
        JinaRerank(api_key="another", **known).postprocess_nodes(nodes(), query_str=QUERY)


@cohere.check
def embeds_with_cohere(servers: Servers) -> None:
    from llama_index.embeddings.cohere import CohereEmbedding

    # it knows the names of Cohere's models, and takes no other
    embedding = CohereEmbedding(
        model_name="embed-english-v3.0",
        base_url=servers.keyed.url,
        api_key=servers.keyed.key,
        input_type="search_document",
    )
    same_vectors(embedding.get_text_embedding_batch(TEXTS), servers.keyed.vectors())


@cohere_rerank.check
def reranks_with_cohere(servers: Servers) -> None:
    from llama_index.postprocessor.cohere_rerank import CohereRerank

    rerank = CohereRerank(model=RERANKER, base_url=servers.keyed.url, api_key=servers.keyed.key, top_n=3)
    found = rerank.postprocess_nodes(nodes(), query_str=QUERY)
    ranked(pairs(found), servers.keyed.scores(), top=3)
    equal(len(found), 3)
