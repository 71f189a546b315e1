/** Dialects of a route or two. */
import { inference } from '../../../../src/dialects/deepinfra.ts'
import { classify } from '../../../../src/dialects/infinity.ts'
import { CLASSIFY_FIELDS } from '../../../../src/dialects/requests/classify-request.ts'
import { PROMPT_FIELDS, TRUNCATION_FIELDS } from '../../../../src/dialects/requests/fields.ts'
import { multiVector } from '../../../../src/dialects/jina.ts'
import { pooling } from '../../../../src/dialects/vllm-pooling.ts'
import { score } from '../../../../src/dialects/vllm.ts'
import { clusterAuth } from '../../../../src/dialects/xinference.ts'
import { modelInfo } from '../../../fakes/model-info.ts'
import { SERVED } from '../ask.ts'
import type { DialectCase } from '../dialect.case.ts'
import { EMBED_SETTINGS } from './openai.ts'
import { RERANK_SETTINGS } from './rerank.ts'

const USAGE = { prompt_tokens: 2, completion_tokens: 0, total_tokens: 2 }

const STATUS = {
  input_tokens: 2,
  request_id: 'ID',
  inference_status: { status: 'succeeded', runtime_ms: 3, cost: 0, tokens_generated: 0, tokens_input: 2 },
}

const DEEPINFRA: DialectCase = {
  name: 'LiteLLM’s deepinfra rerank, with a query for each document',
  endpoint: inference,
  route: '/v1/inference/Qwen/Qwen3-Reranker-0.6B',
  errors: 'deepinfra',
  required: ['queries'],
  settings: RERANK_SETTINGS.filter((name) => name !== 'query'),
  body: { queries: ['q', 'r'], documents: ['bbbb', 'aa'], service_tier: null, instruction: 'Judge:' },
  tasks: [
    {
      kind: 'rerank',
      model: 'Qwen/Qwen3-Reranker-0.6B',
      query: ['q', 'r'],
      documents: ['bbbb', 'aa'],
      instruction: 'Judge:',
    },
  ],
  answer: { scores: [0.5, 0.25], ...STATUS },
}

const DEEPINFRA_ONE: DialectCase = {
  ...DEEPINFRA,
  name: 'LiteLLM’s deepinfra rerank, with one query repeated',
  route: '/inference/judge',
  body: { queries: ['q', 'q'], documents: ['bbbb', 'aa'] },
  tasks: [{ model: 'judge', query: 'q', documents: ['bbbb', 'aa'] }],
}

const DEEPINFRA_LIST: DialectCase = {
  ...DEEPINFRA,
  name: 'DeepInfra’s rerank, with one query for all',
  required: ['query'],
  settings: RERANK_SETTINGS,
  list: {
    path: ['documents'],
    acceptsObjects: true,
    read: ({ scores }: { scores: readonly number[] }) => scores,
  },
  body: { query: 'q', documents: ['bbbb', 'aa'], raw_scores: true },
  tasks: [{ query: 'q', documents: ['bbbb', 'aa'] }],
  answer: { scores: [-3.5, -3.75], ...STATUS },
}

const DEEPINFRA_EMBED: DialectCase = {
  ...DEEPINFRA,
  name: 'DeepInfra’s embeddings',
  route: '/v1/inference/BAAI%2Fbge-m3',
  required: ['inputs'],
  settings: EMBED_SETTINGS,
  list: {
    path: ['inputs'],
    acceptsObjects: true,
    read: ({ embeddings }: { embeddings: readonly unknown[] }) => embeddings,
  },
  body: { inputs: ['a', 'bb'], normalize: true },
  tasks: [{ kind: 'embed', model: 'BAAI/bge-m3', texts: ['a', 'bb'], normalize: true }],
  answer: {
    embeddings: [
      [1, -0.5, 0.1],
      [2, -0.5, 0.1],
    ],
    ...STATUS,
  },
}

/** As many vectors as a real model gives special tokens. */
const letters = (text: string) => Array.from(text || ' ', (_, index) => [index, 0.5])

interface EmbeddingsList {
  readonly data: readonly { readonly embeddings: unknown }[]
}

function multiVectorAnswer(model: string, embeddings: readonly unknown[]) {
  return {
    id: 'embd-ID',
    object: 'list',
    model,
    created: 'now',
    data: embeddings.map((vectors, index) => ({ object: 'embeddings', index, embeddings: vectors })),
    usage: USAGE,
  }
}

const MULTI_VECTOR: DialectCase = {
  name: 'Jina’s multi-vectors of queries',
  endpoint: multiVector,
  route: '/v1/multi-vector',
  errors: 'object',
  required: ['input'],
  settings: EMBED_SETTINGS,
  list: {
    path: ['input'],
    acceptsObjects: true,
    read: ({ data }: EmbeddingsList) => data.map(({ embeddings }) => embeddings),
  },
  namesModel: true,
  body: { model: 'M', input: ['ab', 'c'], input_type: 'query', dimensions: 64, embedding_type: 'float' },
  tasks: [
    {
      kind: 'embed_multi',
      model: 'M',
      texts: ['ab', 'c'],
      prompt: { name: 'query', ifUnknown: 'ignore' },
      dimensions: 64,
    },
  ],
  answer: multiVectorAnswer('M', [
    [
      [0, 0.5],
      [1, 0.5],
    ],
    [[0, 0.5]],
  ]),
  service: { tokenVectors: letters },
}

const { list: _list, ...MULTI_VECTOR_OF_ONE } = MULTI_VECTOR

const MULTI_VECTOR_BASE64: DialectCase = {
  ...MULTI_VECTOR_OF_ONE,
  name: 'Jina’s multi-vectors in base64',
  route: '/multi-vector',
  body: { model: 'M', input: 'ab', embedding_type: 'base64' },
  tasks: [{ kind: 'embed_multi', texts: ['ab'], prompt: undefined }],
  answer: multiVectorAnswer('M', [['AAAAAAAAAD8=', 'AACAPwAAAD8=']]),
}

const MULTI_VECTOR_BOTH: DialectCase = {
  ...MULTI_VECTOR_OF_ONE,
  name: 'Jina’s multi-vectors in several encodings',
  body: { model: 'M', input: 'a', embedding_type: ['float', 'ubinary'] },
  tasks: [{ kind: 'embed_multi', texts: ['a'] }],
  answer: multiVectorAnswer('M', [{ float: [[0, 0.5]], ubinary: [[64]] }]),
}

interface Pooled {
  readonly data: readonly { readonly data: unknown }[]
}

function poolingAnswer(model: string, data: readonly unknown[]) {
  return {
    id: 'pool-ID',
    object: 'list',
    created: 'now',
    model,
    data: data.map((item, index) => ({ index, object: 'pooling', data: item })),
    usage: USAGE,
  }
}

const POOLING: DialectCase = {
  name: 'vLLM’s pooling of tokens',
  endpoint: pooling,
  route: '/pooling',
  errors: 'object',
  required: ['input'],
  // `task` says what to do
  settings: EMBED_SETTINGS.filter((name) => name !== 'task'),
  list: {
    path: ['input'],
    acceptsObjects: true,
    read: ({ data }: Pooled) => data.map((item) => item.data),
  },
  namesModel: true,
  body: { model: 'M', input: ['ab', 'c'] },
  tasks: [{ kind: 'embed_tokens', model: 'M', texts: ['ab', 'c'], prompt: undefined }],
  answer: poolingAnswer('M', [
    [
      [0, 0.5],
      [1, 0.5],
    ],
    [[0, 0.5]],
  ]),
  service: { tokenVectors: letters },
}

const POOLING_COMPARED: DialectCase = {
  ...POOLING,
  name: 'vLLM’s pooling of the tokens of a multi-vector model',
  body: { input: ['ab', 'c'], task: 'token_embed', input_type: 'query' },
  tasks: [{ kind: 'embed_multi', texts: ['ab', 'c'], prompt: { name: 'query', ifUnknown: 'ignore' } }],
  answer: poolingAnswer('served-model', [
    [
      [0, 0.5],
      [1, 0.5],
    ],
    [[0, 0.5]],
  ]),
  service: {
    tokenVectors: letters,
    models: [modelInfo({ id: 'served-model', capabilities: ['multi_vector', 'rerank'] })],
  },
}

const POOLING_TEXTS: DialectCase = {
  ...POOLING,
  name: 'vLLM’s pooling of texts',
  body: { input: ['a', 'bb'], task: 'embed' },
  tasks: [{ kind: 'embed', texts: ['a', 'bb'], prompt: undefined }],
  answer: poolingAnswer('served-model', [
    [1, -0.5, 0.1],
    [2, -0.5, 0.1],
  ]),
}

const SCORE_SETTINGS = [
  'model',
  'raw_scores',
  ...Object.keys(PROMPT_FIELDS),
  ...Object.keys(TRUNCATION_FIELDS),
]

interface Scores {
  readonly data: readonly { readonly score: number }[]
}

function scoreAnswer(model: string, scores: readonly number[]) {
  return {
    id: 'score-ID',
    object: 'list',
    created: 'now',
    model,
    data: scores.map((value, index) => ({ index, object: 'score', score: value })),
    usage: USAGE,
  }
}

const SCORE: DialectCase = {
  name: 'vLLM’s score, of one text against others',
  endpoint: score,
  route: '/score',
  errors: 'object',
  required: ['text_1', 'text_2'],
  settings: SCORE_SETTINGS,
  list: { path: ['text_2'], read: ({ data }: Scores) => data.map(({ score: value }) => value) },
  namesModel: true,
  body: { model: 'judge', text_1: 'q', text_2: ['aa', 'bbbb'], raw_scores: true },
  tasks: [{ kind: 'rerank', model: 'judge', query: 'q', documents: ['aa', 'bbbb'] }],
  answer: scoreAnswer('judge', [-3.75, -3.5]),
}

const { list: _, ...SCORE_OF_TWO_LISTS } = SCORE

const SCORE_PAIRS: DialectCase = {
  ...SCORE_OF_TWO_LISTS,
  name: 'vLLM’s score, of two lists, where nothing reranks',
  route: '/v1/score',
  body: { model: 'M', text_1: ['a', 'bb'], text_2: ['ccc', ''] },
  tasks: [{ kind: 'embed', model: 'M', texts: ['a', 'bb', 'ccc', ''], normalize: true }],
  answer: scoreAnswer('M', [3.26, 0.26]),
  service: { models: [SERVED] },
}

const SCORE_ONE: DialectCase = {
  ...SCORE_PAIRS,
  name: 'vLLM’s score, of one text against others, where nothing reranks',
  body: { model: 'M', text_1: 'a', text_2: ['bb', 'ccc'] },
  tasks: [{ kind: 'embed', texts: ['a', 'bb', 'ccc'], normalize: true }],
  answer: scoreAnswer('M', [2.26, 3.26]),
}

const CLASSIFY: DialectCase = {
  name: 'Infinity’s classification',
  endpoint: classify,
  route: '/v1/classify',
  errors: 'object',
  required: ['input'],
  settings: Object.keys(CLASSIFY_FIELDS),
  list: { path: ['input'], read: ({ data }: { data: readonly unknown[] }) => data },
  namesModel: true,
  body: { input: ['a', 'bbb'], model: 'critic', top_k: 1 },
  tasks: [{ kind: 'classify', model: 'critic', texts: ['a', 'bbb'] }],
  answer: {
    id: 'cls-ID',
    object: 'classify',
    model: 'critic',
    created: 'now',
    data: [[{ score: 1, label: 'good' }], [{ score: 3, label: 'good' }]],
    usage: USAGE,
  },
}

const XINFERENCE: DialectCase = {
  name: 'Xinference’s question for a login',
  endpoint: clusterAuth,
  route: '/v1/cluster/auth',
  errors: 'object',
  tasks: [],
  answer: { auth: false },
}

export const CASES = [
  DEEPINFRA,
  DEEPINFRA_ONE,
  DEEPINFRA_LIST,
  DEEPINFRA_EMBED,
  MULTI_VECTOR,
  MULTI_VECTOR_BASE64,
  MULTI_VECTOR_BOTH,
  POOLING,
  POOLING_COMPARED,
  POOLING_TEXTS,
  SCORE,
  SCORE_PAIRS,
  SCORE_ONE,
  CLASSIFY,
  XINFERENCE,
] satisfies DialectCase[]
