/** Clients of embeddings, as OpenAI's and those who took over its route ask. */
import { azureEmbeddings, embeddings, model, models } from '../../../../src/dialects/openai.ts'
import { EMBED_FIELDS } from '../../../../src/dialects/requests/embed-request.ts'
import { SERVED } from '../ask.ts'
import type { DialectCase } from '../dialect.case.ts'

export const EMBED_SETTINGS = Object.keys(EMBED_FIELDS)

interface EmbeddingList {
  readonly data: readonly { readonly embedding: unknown }[]
}

export const readEmbeddings = ({ data }: EmbeddingList) => data.map(({ embedding }) => embedding)

const LIST = { path: ['input'], acceptsObjects: true, acceptsMedia: true, read: readEmbeddings } as const

const COMMON = {
  endpoint: embeddings,
  errors: 'object',
  required: ['input'],
  settings: EMBED_SETTINGS,
  list: LIST,
  namesModel: true,
} as const

export function embeddingAnswer(name: string, vectors: readonly unknown[]) {
  return {
    id: 'embd-ID',
    object: 'list',
    model: name,
    created: 'now',
    data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
    usage: { prompt_tokens: 2, completion_tokens: 0, total_tokens: 2 },
  }
}

const OPENAI: DialectCase = {
  ...COMMON,
  name: 'OpenAI’s library',
  route: '/v1/embeddings',
  body: {
    model: 'Text-Embedding-3',
    input: ['a', 'bbb'],
    encoding_format: 'base64',
    user: 'u',
    dimensions: 3,
  },
  tasks: [{ kind: 'embed', model: 'Text-Embedding-3', texts: ['a', 'bbb'], dimensions: 3 }],
  answer: embeddingAnswer('Text-Embedding-3', ['AACAPwAAAL/NzMw9', 'AABAQAAAAL/NzMw9']),
}

const CURL: DialectCase = {
  ...COMMON,
  name: 'a person with curl',
  route: 'embeddings/',
  body: { input: 'Hello' },
  tasks: [{ kind: 'embed', model: undefined, texts: ['Hello'], dimensions: undefined }],
  answer: embeddingAnswer('served-model', [[5, -0.5, 0.1]]),
}

const AZURE: DialectCase = {
  ...COMMON,
  name: 'Azure’s library',
  endpoint: azureEmbeddings,
  route: '/openai/deployments/My%20Model/embeddings?api-version=2024-10-21',
  body: { model: 'Ignored', input: ['a'] },
  tasks: [{ kind: 'embed', model: 'My Model', texts: ['a'] }],
  answer: embeddingAnswer('My Model', [[1, -0.5, 0.1]]),
  namesModel: false,
}

const JINA: DialectCase = {
  ...COMMON,
  list: { ...LIST, acceptsObjects: false, acceptsMedia: false },
  name: 'Jina’s clients',
  route: '/v1/embeddings',
  body: {
    model: 'jina-embeddings-v3',
    input: [{ text: 'a' }, 'bb'],
    embedding_type: ['float', 'ubinary'],
    task: 'retrieval.passage',
    normalized: true,
    late_chunking: true,
    truncate: false,
  },
  tasks: [
    {
      kind: 'embed',
      texts: ['a', 'bb'],
      prompt: { name: 'retrieval.passage', ifUnknown: 'ignore' },
      normalize: true,
      lateChunking: true,
      truncate: 'none',
    },
  ],
  answer: embeddingAnswer('jina-embeddings-v3', [
    { float: [1, -0.5, 0.1], ubinary: [0b1010_0000] },
    { float: [2, -0.5, 0.1], ubinary: [0b1010_0000] },
  ]),
}

const VOYAGE: DialectCase = {
  ...COMMON,
  name: 'Voyage’s library',
  route: '/v1/embeddings',
  body: {
    input: ['a', 'bb'],
    model: 'voyage-3',
    input_type: 'query',
    truncation: true,
    output_dtype: 'int8',
    output_dimension: 3,
    encoding_format: 'base64',
  },
  tasks: [
    {
      texts: ['a', 'bb'],
      dimensions: 3,
      prompt: { name: 'query', ifUnknown: 'ignore' },
      truncate: undefined,
    },
  ],
  // 127, -64 or -32, 13 or 6: signed bytes
  answer: embeddingAnswer('voyage-3', [
    Buffer.from([127, 256 - 63, 13]).toString('base64'),
    Buffer.from([127, 256 - 32, 6]).toString('base64'),
  ]),
}

const INFINITY: DialectCase = {
  ...COMMON,
  name: 'Infinity’s client',
  route: '/embeddings',
  body: { input: ['a'], model: 'default/not-specified', dimensions: 0, modality: 'text', user: null },
  tasks: [{ kind: 'embed', model: 'default/not-specified', texts: ['a'], dimensions: undefined }],
  answer: embeddingAnswer('default/not-specified', [[1, -0.5, 0.1]]),
}

const TOGETHER: DialectCase = {
  ...COMMON,
  name: 'Together’s library, given a base that ends in /v1',
  route: '/v1/v1/embeddings',
  body: { model: 'together', input: 'a' },
  tasks: [{ kind: 'embed', model: 'together', texts: ['a'] }],
  answer: embeddingAnswer('together', [[1, -0.5, 0.1]]),
}

const LANGCHAIN: DialectCase = {
  ...COMMON,
  name: 'LangChain in Python, with token ids',
  route: '/v1/embeddings',
  body: { input: [[2028, 374], [15339]], model: 'M', encoding_format: 'base64' },
  tasks: [
    {
      kind: 'decode',
      model: 'M',
      ids: [[2028, 374], [15339]],
      vocabulary: 'client',
      skipSpecialTokens: true,
    },
    { kind: 'embed', texts: ['2028 374', '15339'] },
  ],
  answer: embeddingAnswer('M', ['AAAAQQAAAL/NzMw9', 'AACgQAAAAL/NzMw9']),
}

const ENTRY = {
  id: 'served-model',
  object: 'model',
  created: 1_763_840_000,
  owned_by: 'infinity',
  aliases: ['Org/Served'],
  capabilities: ['embed'],
  model_type: 'embedding',
  dimensions: 384,
  prompts: ['query'],
  max_tokens: 256,
  dtype: 'fp32',
  dtype_requested: 'auto',
  provider: 'fake',
  max_batch_tokens: 512,
  stats: { batch_size: 32, queued_items: 0, running_batches: 0 },
}

const LISTING: DialectCase = {
  name: 'OpenAI’s list of models',
  endpoint: models,
  route: '/models/?limit=5',
  errors: 'object',
  tasks: [],
  answer: { object: 'list', data: [ENTRY] },
  service: { models: [SERVED] },
}

const ONE_MODEL: DialectCase = {
  name: 'Xinference’s look at one model',
  endpoint: model,
  route: '/v1/models/Org/Served',
  errors: 'object',
  tasks: [],
  answer: ENTRY,
}

const ADAPTED: DialectCase = {
  name: 'a look at a model with adapters',
  endpoint: model,
  route: '/v1/models/served-model',
  errors: 'object',
  tasks: [],
  answer: { ...ENTRY, adapters: ['separation'] },
  service: { models: [{ ...SERVED, adapters: ['separation'] }] },
}

export const CASES = [
  OPENAI,
  CURL,
  AZURE,
  JINA,
  VOYAGE,
  INFINITY,
  TOGETHER,
  LANGCHAIN,
  LISTING,
  ONE_MODEL,
  ADAPTED,
] satisfies DialectCase[]
