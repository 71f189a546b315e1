import { embedV1, embedV2 } from '../../../../src/dialects/cohere.ts'
import type { DialectCase } from '../dialect.case.ts'
import { EMBED_SETTINGS } from './openai.ts'

const META = {
  api_version: { version: '2' },
  billed_units: { search_units: 1, input_tokens: 2, total_tokens: 2 },
  tokens: { input_tokens: 2, output_tokens: 0 },
}

function byType(texts: readonly string[], embeddings: object) {
  return {
    id: 'emb-ID',
    response_type: 'embeddings_by_type',
    embeddings,
    texts,
    images: [],
    meta: META,
  }
}

const COMMON = {
  endpoint: embedV2,
  errors: 'object',
  required: ['texts'],
  settings: EMBED_SETTINGS,
  list: {
    path: ['texts'],
    acceptsObjects: true,
    acceptsMedia: true,
    read: ({ embeddings }: { embeddings: { float: readonly unknown[] } }) => embeddings.float,
  },
} as const

const V2: DialectCase = {
  ...COMMON,
  name: 'Cohere’s embed, version 2',
  route: '/v2/embed',
  body: {
    model: 'embed-v4.0',
    texts: ['a', 'bb'],
    input_type: 'search_document',
    embedding_types: ['float', 'int8', 'binary', 'base64'],
    truncate: 'START',
    output_dimension: 3,
    max_tokens: 99,
    priority: 0,
  },
  tasks: [
    {
      kind: 'embed',
      model: 'embed-v4.0',
      texts: ['a', 'bb'],
      prompt: { name: 'search_document', ifUnknown: 'ignore' },
      truncate: 'left',
      dimensions: 3,
      maxTokens: 99,
    },
  ],
  answer: byType(['a', 'bb'], {
    float: [
      [1, -0.5, 0.1],
      [2, -0.5, 0.1],
    ],
    int8: [
      [127, -63, 13],
      [127, -32, 6],
    ],
    binary: [[0b1010_0000 - 128], [0b1010_0000 - 128]],
    base64: ['AACAPwAAAL/NzMw9', 'AAAAQAAAAL/NzMw9'],
  }),
}

const V2_INPUTS: DialectCase = {
  ...COMMON,
  name: 'Cohere’s embed, version 2, with parts',
  route: '/v2/embed',
  body: {
    model: 'M',
    inputs: [
      {
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
    ],
    input_type: 'search_query',
    embedding_types: ['float'],
  },
  required: ['inputs'],
  list: { ...COMMON.list, path: ['inputs'], item: (text) => ({ content: [{ type: 'text', text }] }) },
  tasks: [{ texts: ['a\nb'] }],
  answer: byType(['a\nb'], { float: [[3, -0.5, 0.1]] }),
}

const V1: DialectCase = {
  ...COMMON,
  name: 'Cohere’s embed, version 1, without types',
  endpoint: embedV1,
  route: '/v1/embed',
  body: { model: 'M', texts: ['a'], input_type: null, truncate: null, embedding_types: [] },
  list: {
    path: ['texts'],
    acceptsObjects: true,
    acceptsMedia: true,
    read: ({ embeddings }: { embeddings: readonly unknown[] }) => embeddings,
  },
  // `embedding_types` is what makes the answer another
  settings: EMBED_SETTINGS.filter((name) => name !== 'embedding_types'),
  tasks: [{ kind: 'embed', model: 'M', texts: ['a'], prompt: undefined, truncate: undefined }],
  answer: { ...byType(['a'], [[1, -0.5, 0.1]]), response_type: 'embeddings_floats' },
}

const V1_TYPES: DialectCase = {
  ...COMMON,
  name: 'LangChain’s Cohere, version 1 with types',
  endpoint: embedV1,
  route: '/v1/embed',
  body: {
    texts: ['a'],
    model: 'M',
    input_type: 'search_document',
    embedding_types: ['float'],
    truncate: null,
  },
  tasks: [{ texts: ['a'] }],
  answer: byType(['a'], { float: [[1, -0.5, 0.1]] }),
}

const AI_SDK: DialectCase = {
  ...COMMON,
  name: 'the AI SDK’s Cohere',
  route: '/v2/embed',
  body: { model: 'M', embedding_types: ['float'], texts: ['a'], input_type: 'search_query' },
  tasks: [{ texts: ['a'], prompt: { name: 'search_query', ifUnknown: 'ignore' } }],
  answer: byType(['a'], { float: [[1, -0.5, 0.1]] }),
}

export const CASES = [V2, V2_INPUTS, V1, V1_TYPES, AI_SDK] satisfies DialectCase[]
