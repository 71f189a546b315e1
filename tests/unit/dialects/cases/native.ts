/** Jobs without a route: those of the Python worker's users, and of those who call `endpoint.run`. */
import { z } from 'zod'
import { EmbeddingAnswer } from '../../../../src/dialects/answers/embedding-answer.ts'
import { RerankAnswer } from '../../../../src/dialects/answers/rerank-answer.ts'
import type { DialectCase } from '../dialect.case.ts'
import { CASES as OTHERS } from './others.ts'
import { EMBED_SETTINGS, embeddingAnswer, readEmbeddings } from './openai.ts'
import { RERANK_SETTINGS, inOrder, rerankAnswer } from './rerank.ts'

const COMMON = { endpoint: undefined, route: undefined, errors: 'job', namesModel: true } as const

const EMBED: DialectCase = {
  ...COMMON,
  name: 'a job that embeds',
  settings: EMBED_SETTINGS,
  list: { path: ['input'], acceptsObjects: true, acceptsMedia: true, read: readEmbeddings },
  body: { model: 'M', input: ['a', 'bb'], encoding_format: 'float', task: 'retrieval.query' },
  tasks: [
    {
      kind: 'embed',
      model: 'M',
      texts: ['a', 'bb'],
      prompt: { name: 'retrieval.query', ifUnknown: 'ignore' },
    },
  ],
  answer: embeddingAnswer('M', [
    [1, -0.5, 0.1],
    [2, -0.5, 0.1],
  ]),
  response: EmbeddingAnswer,
}

const RERANK: DialectCase = {
  ...COMMON,
  name: 'a job that reranks, as the Python worker’s users know it',
  required: ['query', 'docs'],
  settings: RERANK_SETTINGS,
  list: {
    path: ['docs'],
    acceptsObjects: true,
    read: ({ scores }: { scores: readonly unknown[] }) => scores,
  },
  body: { model: 'M', query: 'q', docs: ['aa', 'bbbb'], top_n: 1 },
  tasks: [{ kind: 'rerank', model: 'M', query: 'q', documents: ['aa', 'bbbb'] }],
  answer: { ...rerankAnswer('M', [{ index: 1, relevance_score: 0.5 }]), scores: [0.25, 0.5] },
  response: RerankAnswer.extend({
    scores: z.array(z.number()).optional(),
    docs: z.array(z.string()).optional(),
  }),
}

const RERANK_DOCS: DialectCase = {
  ...RERANK,
  name: 'a job that wants its documents back',
  list: {
    path: ['docs'],
    acceptsObjects: true,
    read: ({ results }: { results: readonly { readonly index: number }[] }) => inOrder(results),
  },
  body: { query: 'q', docs: ['aa', 'bbbb'], return_docs: true, task: 'rerank' },
  tasks: [{ kind: 'rerank', model: undefined, documents: ['aa', 'bbbb'] }],
  answer: {
    ...rerankAnswer('served-model', [
      { index: 1, relevance_score: 0.5, document: 'bbbb' },
      { index: 0, relevance_score: 0.25, document: 'aa' },
    ]),
    docs: ['bbbb', 'aa'],
  },
  // `task` says what to do
  settings: RERANK_SETTINGS.filter((name) => name !== 'task'),
}

const CLASSIFY: DialectCase = {
  ...(OTHERS.find(({ name }) => name === 'Infinity’s classification') as DialectCase),
  ...COMMON,
  name: 'a job that classifies',
  required: [],
  settings: ['model', 'top_k', 'raw_scores', 'truncate'],
  body: { task: 'classify', input: ['a', 'bbb'], model: 'critic', top_k: 1 },
}

const MULTI_VECTOR: DialectCase = {
  ...(OTHERS.find(({ name }) => name === 'Jina’s multi-vectors of queries') as DialectCase),
  ...COMMON,
  name: 'a job for multi-vectors',
  // without the task it would be one to embed
  required: [],
  settings: EMBED_SETTINGS.filter((name) => name !== 'task'),
  body: {
    task: 'multi_vector',
    model: 'M',
    input: ['ab', 'c'],
    input_type: 'query',
    dimensions: 64,
  },
}

export const CASES = [EMBED, RERANK, RERANK_DOCS, CLASSIFY, MULTI_VECTOR] satisfies DialectCase[]
