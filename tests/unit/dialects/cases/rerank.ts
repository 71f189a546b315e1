/** Clients of rerank that speak Cohere's language or one near it. */
import { rerankV1, rerankV2 } from '../../../../src/dialects/cohere.ts'
import { rerank as infinityRerank } from '../../../../src/dialects/infinity.ts'
import { reranking } from '../../../../src/dialects/mixedbread.ts'
import { ranking } from '../../../../src/dialects/nvidia.ts'
import { RERANK_FIELDS } from '../../../../src/dialects/requests/rerank-request.ts'
import type { DialectCase } from '../dialect.case.ts'

/** Those of rerank, but `queries`, which stands for `query`. */
export const RERANK_SETTINGS = Object.keys(RERANK_FIELDS)

interface Placed {
  readonly index: number
}

/** What was said of each document, in the order of the documents. */
export function inOrder<T extends Placed>(items: readonly T[]): Omit<T, 'index'>[] {
  return [...items].sort((a, b) => a.index - b.index).map(({ index: _index, ...rest }) => rest)
}

const LIST = {
  path: ['documents'],
  acceptsObjects: true,
  read: ({ results }: { results: readonly Placed[] }) => inOrder(results),
} as const

const COMMON = {
  errors: 'object',
  required: ['query', 'documents'],
  settings: RERANK_SETTINGS,
  list: LIST,
  namesModel: true,
} as const

const META = {
  api_version: { version: '2' },
  billed_units: { search_units: 1, input_tokens: 2, total_tokens: 2 },
  tokens: { input_tokens: 2, output_tokens: 0 },
}

const USAGE = { prompt_tokens: 2, completion_tokens: 0, total_tokens: 2 }

export function rerankAnswer(model: string, results: readonly unknown[]) {
  return {
    id: 'rr-ID',
    object: 'rerank',
    model,
    created: 'now',
    results,
    usage: USAGE,
    meta: META,
  }
}

/** Documents whose scores are a quarter, a half and an eighth. */
const DOCUMENTS = ['aa', 'bbbb', 'c']

const COHERE_V1: DialectCase = {
  ...COMMON,
  name: 'Cohere’s library, version 1',
  endpoint: rerankV1,
  route: '/v1/rerank',
  body: {
    model: 'rerank-english-v3.0',
    query: 'q',
    documents: ['aa', { text: 'bbbb', id: 7 }, { title: 'c', snippet: 'd' }],
    return_documents: true,
    max_chunks_per_doc: null,
    top_n: 99,
  },
  tasks: [
    {
      kind: 'rerank',
      model: 'rerank-english-v3.0',
      query: 'q',
      documents: ['aa', 'bbbb', 'title: c\nsnippet: d'],
    },
  ],
  answer: {
    ...rerankAnswer('rerank-english-v3.0', [
      {
        index: 2,
        relevance_score: 2.375,
        document: { title: 'c', snippet: 'd', text: 'title: c\nsnippet: d' },
      },
      { index: 1, relevance_score: 0.5, document: { text: 'bbbb', id: 7 } },
      { index: 0, relevance_score: 0.25, document: { text: 'aa' } },
    ]),
    object: 'list',
    data: [
      { index: 2, relevance_score: 2.375, document: 'title: c\nsnippet: d' },
      { index: 1, relevance_score: 0.5, document: 'bbbb' },
      { index: 0, relevance_score: 0.25, document: 'aa' },
    ],
  },
}

const COHERE_V2: DialectCase = {
  ...COMMON,
  name: 'Cohere’s library, version 2',
  endpoint: rerankV2,
  route: '/v2/v2/rerank',
  body: { model: 'M', query: 'q', documents: DOCUMENTS, top_n: 2, max_tokens_per_doc: 100, priority: 1 },
  tasks: [
    { kind: 'rerank', query: 'q', documents: DOCUMENTS, maxDocumentTokens: 100, maxQueryTokens: undefined },
  ],
  answer: rerankAnswer('M', [
    { index: 1, relevance_score: 0.5 },
    { index: 0, relevance_score: 0.25 },
  ]),
}

const LITELLM_COHERE: DialectCase = {
  ...COMMON,
  name: 'LiteLLM’s cohere, given a base that ends in /v1',
  endpoint: rerankV2,
  route: '/v1/v2/rerank',
  body: { model: 'M', query: 'q', documents: ['aa'], top_n: 1, return_documents: true },
  tasks: [{ documents: ['aa'] }],
  answer: rerankAnswer('M', [{ index: 0, relevance_score: 0.25, document: { text: 'aa' } }]),
}

const JINA: DialectCase = {
  ...COMMON,
  name: 'Jina’s reranker',
  endpoint: rerankV1,
  route: '/v1/rerank',
  body: { query: { text: 'q' }, documents: [{ text: 'aa' }], model: 'M', top_n: null },
  tasks: [{ query: 'q', documents: ['aa'] }],
  answer: {
    ...rerankAnswer('M', [{ index: 0, relevance_score: 0.25 }]),
    object: 'list',
    data: [{ index: 0, relevance_score: 0.25 }],
  },
}

const VOYAGE: DialectCase = {
  ...COMMON,
  name: 'Voyage’s reranker',
  endpoint: rerankV1,
  route: '/v1/rerank',
  body: {
    query: 'q',
    documents: DOCUMENTS,
    model: 'rerank-2',
    top_k: 1,
    return_documents: true,
    truncation: false,
  },
  tasks: [{ query: 'q', documents: DOCUMENTS, truncate: 'none' }],
  answer: {
    ...rerankAnswer('rerank-2', [{ index: 1, relevance_score: 0.5, document: { text: 'bbbb' } }]),
    object: 'list',
    data: [{ index: 1, relevance_score: 0.5, document: 'bbbb' }],
  },
}

const TOGETHER: DialectCase = {
  ...COMMON,
  name: 'Together’s reranker, with rank_fields',
  endpoint: rerankV1,
  route: '/v1/v1/rerank',
  body: {
    model: 'M',
    query: 'q',
    documents: [{ a: 'x', b: 'y', c: 3 }, { b: 'z' }],
    rank_fields: ['c', 'b'],
    return_documents: false,
  },
  tasks: [{ documents: ['c: 3\nb: y', 'b: z'] }],
  answer: {
    ...rerankAnswer('M', [
      { index: 0, relevance_score: 1.125 },
      { index: 1, relevance_score: 0.5 },
    ]),
    object: 'list',
    data: [
      { index: 0, relevance_score: 1.125 },
      { index: 1, relevance_score: 0.5 },
    ],
  },
  list: { ...LIST, item: (b) => ({ b }), acceptsObjects: false },
}

const DASHSCOPE: DialectCase = {
  ...COMMON,
  name: 'LiteLLM’s dashscope',
  endpoint: rerankV1,
  route: '/v1/reranks',
  body: { model: 'gte-rerank', query: 'q', documents: ['aa'], top_n: 1 },
  tasks: [{ documents: ['aa'] }],
  answer: {
    ...rerankAnswer('gte-rerank', [{ index: 0, relevance_score: 0.25 }]),
    object: 'list',
    data: [{ index: 0, relevance_score: 0.25 }],
  },
}

const INFINITY: DialectCase = {
  ...COMMON,
  name: 'Infinity’s reranker, and LiteLLM’s of today',
  endpoint: infinityRerank,
  route: '/rerank',
  body: {
    query: 'q',
    documents: DOCUMENTS,
    return_documents: true,
    raw_scores: true,
    model: 'rerank',
    top_n: 2,
  },
  tasks: [{ kind: 'rerank', model: 'rerank', query: 'q', documents: DOCUMENTS }],
  answer: rerankAnswer('rerank', [
    { index: 1, relevance_score: -3.5, document: 'bbbb' },
    { index: 0, relevance_score: -3.75, document: 'aa' },
  ]),
}

const RAGFLOW: DialectCase = {
  ...COMMON,
  name: 'RAGFlow’s Xinference, with switches as text',
  endpoint: infinityRerank,
  route: '/rerank',
  body: { model: 'M', query: 'q', return_documents: 'true', return_len: 'true', documents: ['aa'] },
  tasks: [{ documents: ['aa'] }],
  answer: rerankAnswer('M', [{ index: 0, relevance_score: 0.25, document: 'aa' }]),
}

const NVIDIA: DialectCase = {
  ...COMMON,
  name: 'NVIDIA’s clients',
  endpoint: ranking,
  route: '/v1/ranking',
  body: { model: 'M', query: { text: 'q' }, passages: DOCUMENTS.map((text) => ({ text })), truncate: 'END' },
  required: ['query', 'passages'],
  list: {
    path: ['passages'],
    item: (text) => ({ text }),
    acceptsObjects: true,
    read: ({ rankings }: { rankings: readonly Placed[] }) => inOrder(rankings),
  },
  tasks: [{ kind: 'rerank', model: 'M', query: 'q', documents: DOCUMENTS, truncate: 'right' }],
  answer: {
    rankings: [
      { index: 1, logit: -3.5 },
      { index: 0, logit: -3.75 },
      { index: 2, logit: -3.875 },
    ],
    usage: USAGE,
  },
  namesModel: false,
}

const LITELLM_NVIDIA: DialectCase = {
  ...NVIDIA,
  name: 'LiteLLM’s nvidia_nim, with the model in the path',
  route: '/v1/retrieval/nvidia/judge/reranking',
  body: { query: { text: 'q' }, passages: DOCUMENTS.map((text) => ({ text })), top_k: 1 },
  tasks: [{ model: 'nvidia/judge', documents: DOCUMENTS }],
  answer: { rankings: [{ index: 1, logit: -3.5 }], usage: USAGE },
}

const MIXEDBREAD: DialectCase = {
  ...COMMON,
  name: 'Mixedbread’s library',
  endpoint: reranking,
  route: '/v1/reranking',
  body: { model: 'M', query: 'q', input: ['aa', { text: 'bbbb', id: 7 }, 'c'], top_k: 2, return_input: true },
  required: ['query', 'input'],
  list: {
    path: ['input'],
    acceptsObjects: true,
    read: ({ data }: { data: readonly Placed[] }) => inOrder(data),
  },
  tasks: [{ kind: 'rerank', model: 'M', query: 'q', documents: DOCUMENTS }],
  answer: {
    object: 'list',
    model: 'M',
    data: [
      { index: 1, score: 0.5, input: { text: 'bbbb', id: 7 }, object: 'rank_result' },
      { index: 0, score: 0.25, input: 'aa', object: 'rank_result' },
    ],
    usage: USAGE,
    top_k: 2,
    return_input: true,
  },
}

export const CASES = [
  COHERE_V1,
  COHERE_V2,
  LITELLM_COHERE,
  JINA,
  VOYAGE,
  TOGETHER,
  DASHSCOPE,
  INFINITY,
  RAGFLOW,
  NVIDIA,
  LITELLM_NVIDIA,
  MIXEDBREAD,
] satisfies DialectCase[]
