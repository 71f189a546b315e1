/** Clients of one address, told apart by the shape of what they send. */
import { byShape } from '../../../../src/dialects/huggingface.ts'
import * as tei from '../../../../src/dialects/tei.ts'
import { modelInfo } from '../../../fakes/model-info.ts'
import type { DialectCase } from '../dialect.case.ts'
import { EMBED_SETTINGS, embeddingAnswer, readEmbeddings } from './openai.ts'
import { RERANK_SETTINGS, inOrder, rerankAnswer } from './rerank.ts'

const COMMON = { endpoint: byShape, errors: 'tei', required: ['inputs'] } as const

const items = (answer: readonly unknown[]) => answer

const FEATURES: DialectCase = {
  ...COMMON,
  name: 'Hugging Face’s feature extraction',
  route: '/',
  settings: EMBED_SETTINGS,
  list: { path: ['inputs'], acceptsObjects: true, read: items },
  body: { inputs: ['a', 'bb'], normalize: true },
  tasks: [{ kind: 'embed', texts: ['a', 'bb'], normalize: true }],
  answer: [
    [1, -0.5, 0.1],
    [2, -0.5, 0.1],
  ],
  ...responseOf(tei.embed),
}

const PARAMETERS: DialectCase = {
  ...FEATURES,
  name: 'Hugging Face’s feature extraction, whose settings stand apart',
  route: '/invocations',
  settingsIn: 'parameters',
  body: { inputs: 'a', parameters: { normalize: false, truncate: false } },
  tasks: [{ kind: 'embed', texts: ['a'], normalize: false, truncate: 'none' }],
  answer: [[1, -0.5, 0.1]],
}

const IN_PATH: DialectCase = {
  ...FEATURES,
  name: 'Hugging Face’s feature extraction, with the model in the path',
  route: '/pipeline/feature-extraction/Org/Served',
  body: { inputs: ['a'] },
  tasks: [{ kind: 'embed', model: 'Org/Served', texts: ['a'] }],
  answer: [[1, -0.5, 0.1]],
}

const SIMILARITY: DialectCase = {
  ...COMMON,
  name: 'Hugging Face’s sentence similarity',
  route: '/models/Org/Served',
  settings: ['model'],
  list: { path: ['inputs', 'sentences'], read: items },
  body: { inputs: { source_sentence: 'a', sentences: ['bb', 'ccc'] } },
  tasks: [{ kind: 'embed', model: 'Org/Served', texts: ['a', 'bb', 'ccc'], normalize: true }],
  answer: [2.26, 3.26],
  ...responseOf(tei.similarity),
}

const RERANK: DialectCase = {
  ...COMMON,
  name: 'a reranker behind one address',
  route: '/',
  required: ['query', 'texts'],
  settings: RERANK_SETTINGS,
  list: { path: ['texts'], acceptsObjects: true, read: inOrder },
  body: { query: 'q', texts: ['aa', 'bbbb'] },
  tasks: [{ kind: 'rerank', query: 'q', documents: ['aa', 'bbbb'] }],
  answer: [
    { index: 1, score: 0.5 },
    { index: 0, score: 0.25 },
  ],
  ...responseOf(tei.rerank),
}

const COHERE: DialectCase = {
  ...COMMON,
  name: 'Cohere’s rerank behind one address, with the model in the path',
  route: '/models/judge',
  required: ['documents'],
  settings: RERANK_SETTINGS.filter((name) => name !== 'model' && name !== 'query'),
  list: {
    path: ['documents'],
    acceptsObjects: true,
    read: ({ results }: { results: readonly { readonly index: number }[] }) => inOrder(results),
  },
  body: { query: 'q', documents: ['aa'] },
  tasks: [{ kind: 'rerank', model: 'judge', query: 'q', documents: ['aa'] }],
  answer: {
    ...rerankAnswer('judge', [{ index: 0, relevance_score: 0.25 }]),
    object: 'list',
    data: [{ index: 0, relevance_score: 0.25 }],
  },
}

const OPENAI: DialectCase = {
  ...COMMON,
  name: 'OpenAI’s embeddings behind one address',
  route: '/invocations',
  required: ['input'],
  settings: EMBED_SETTINGS,
  list: { path: ['input'], acceptsObjects: true, acceptsMedia: true, read: readEmbeddings },
  body: { input: ['a'], model: 'M' },
  tasks: [{ kind: 'embed', model: 'M', texts: ['a'] }],
  answer: embeddingAnswer('M', [[1, -0.5, 0.1]]),
}

const CLASSIFIER: DialectCase = {
  ...COMMON,
  name: 'Hugging Face’s text classification, where a classifier is served',
  route: '/',
  settings: ['model', 'top_k', 'raw_scores', 'truncate', 'max_tokens'],
  list: { path: ['inputs'], item: (text) => [text], read: items },
  body: { inputs: 'abc', parameters: {} },
  tasks: [{ kind: 'classify', texts: ['abc'] }],
  answer: [
    [
      { score: 3, label: 'good' },
      { score: 0.25, label: 'bad' },
    ],
  ],
  service: { models: [modelInfo({ id: 'served-model', capabilities: ['classify'] })] },
}

function responseOf({ docs }: { docs?: { response: DialectCase['response'] } }) {
  return docs?.response === undefined ? {} : { response: docs.response }
}

export const CASES = [
  FEATURES,
  PARAMETERS,
  IN_PATH,
  SIMILARITY,
  RERANK,
  COHERE,
  OPENAI,
  CLASSIFIER,
] satisfies DialectCase[]
