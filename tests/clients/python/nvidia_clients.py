"""Clients of NVIDIA's NIM, in three frameworks. NIM ranks by logits, before the activation."""

from client import Client
from compare import equal, raises, ranked, same_vectors
from server import DOCUMENTS, EMBEDDER, QUERY, RERANKER, TEXTS, Servers

langchain = Client(
    "langchain-nvidia-ai-endpoints",
    package="langchain-nvidia-ai-endpoints",
    base_url="H/v1",
    works="NVIDIAEmbeddings, NVIDIARerank",
)
llama_index = Client(
    "LlamaIndex NVIDIARerank",
    package="llama-index-postprocessor-nvidia-rerank",
    base_url="H/v1",
    works="rerank",
)
haystack = Client(
    "nvidia-haystack",
    package="nvidia-haystack",
    base_url="H/v1",
    works="NvidiaTextEmbedder, NvidiaDocumentEmbedder, NvidiaRanker",
)


@langchain.check
def langchain_embeds(servers: Servers) -> None:
    from langchain_nvidia_ai_endpoints import NVIDIAEmbeddings

    embeddings = NVIDIAEmbeddings(model=EMBEDDER, base_url=f"{servers.keyed.url}/v1", api_key=servers.keyed.key)
    same_vectors(embeddings.embed_documents(TEXTS), servers.keyed.vectors())
    same_vectors([embeddings.embed_query(QUERY)], servers.keyed.vectors([QUERY]))


@langchain.check
def langchain_reranks(servers: Servers) -> None:
    from langchain_core.documents import Document
    from langchain_nvidia_ai_endpoints import NVIDIARerank

    rerank = NVIDIARerank(model=RERANKER, base_url=f"{servers.keyed.url}/v1", api_key=servers.keyed.key, top_n=3)
    documents = [Document(page_content=text) for text in DOCUMENTS]
    found = rerank.compress_documents(documents, QUERY)
    pairs = [(DOCUMENTS.index(document.page_content), document.metadata["relevance_score"]) for document in found]
    ranked(pairs, servers.keyed.logits(), top=3)


@langchain.check
def an_error_of_langchain_says_what_is_wrong(servers: Servers) -> None:
    from langchain_nvidia_ai_endpoints import NVIDIAEmbeddings

    embeddings = NVIDIAEmbeddings(
        model=EMBEDDER, base_url=f"{servers.keyed.url}/v1", api_key=servers.keyed.key, dimensions=4096
    )
    with raises(Exception, r"400[\s\S]*dimension"):
        embeddings.embed_query(QUERY)


@llama_index.check
def llama_index_reranks(servers: Servers) -> None:
    from llama_index.core.schema import NodeWithScore, TextNode
    from llama_index.postprocessor.nvidia_rerank import NVIDIARerank

    rerank = NVIDIARerank(model=RERANKER, base_url=f"{servers.keyed.url}/v1", api_key=servers.keyed.key, top_n=3)
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in DOCUMENTS]
    found = rerank.postprocess_nodes(nodes, query_str=QUERY)
    ranked([(DOCUMENTS.index(node.text), node.score) for node in found], servers.keyed.logits(), top=3)


@haystack.check
def haystack_embeds(servers: Servers) -> None:
    from haystack import Document
    from haystack.utils import Secret
    from haystack_integrations.components.embedders.nvidia import NvidiaDocumentEmbedder, NvidiaTextEmbedder

    known = {"api_url": f"{servers.keyed.url}/v1", "api_key": Secret.from_token(servers.keyed.key)}
    text = NvidiaTextEmbedder(model=EMBEDDER, **known)
    text.warm_up()
    same_vectors([text.run(QUERY)["embedding"]], servers.keyed.vectors([QUERY]))
    documents = NvidiaDocumentEmbedder(model=EMBEDDER, **known)
    documents.warm_up()
    found = documents.run([Document(content=text) for text in TEXTS])["documents"]
    same_vectors([document.embedding for document in found], servers.keyed.vectors())


@haystack.check
def haystack_ranks(servers: Servers) -> None:
    from haystack import Document
    from haystack.utils import Secret
    from haystack_integrations.components.rankers.nvidia import NvidiaRanker

    ranker = NvidiaRanker(
        model=RERANKER, api_url=f"{servers.keyed.url}/v1", api_key=Secret.from_token(servers.keyed.key), top_k=3
    )
    ranker.warm_up()
    found = ranker.run(QUERY, [Document(content=text) for text in DOCUMENTS])["documents"]
    equal([document.content for document in found], [DOCUMENTS[index] for index in order(servers.keyed.logits())[:3]])


def order(scores: list[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda index: -scores[index])
