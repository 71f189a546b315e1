/** Clients of Text Embeddings Inference. */
import * as tei from '../../../../src/dialects/tei.ts'
import { info } from '../../../../src/dialects/tei-info.ts'
import { predict } from '../../../../src/dialects/tei-predict.ts'
import { CLASSIFY_FIELDS } from '../../../../src/dialects/requests/classify-request.ts'
import { PROMPT_FIELDS, TRUNCATION_FIELDS } from '../../../../src/dialects/requests/fields.ts'
import { SERVED } from '../ask.ts'
import type { DialectCase } from '../dialect.case.ts'
import { EMBED_SETTINGS } from './openai.ts'
import { RERANK_SETTINGS, inOrder } from './rerank.ts'

const COMMON = { errors: 'tei', required: ['inputs'] } as const

const items = (answer: readonly unknown[]) => answer

const EMBED: DialectCase = {
  ...COMMON,
  name: 'a client of /embed',
  endpoint: tei.embed,
  route: '/embed',
  settings: EMBED_SETTINGS,
  list: { path: ['inputs'], acceptsObjects: true, read: items },
  body: {
    inputs: ['a', 'bb'],
    truncate: true,
    truncation_direction: 'Left',
    prompt_name: 'query',
    normalize: false,
  },
  tasks: [
    {
      kind: 'embed',
      model: undefined,
      texts: ['a', 'bb'],
      normalize: false,
      prompt: { name: 'query', ifUnknown: 'refuse' },
      truncate: 'left',
    },
  ],
  answer: [
    [1, -0.5, 0.1],
    [2, -0.5, 0.1],
  ],
}

const EMBED_ONE: DialectCase = {
  ...EMBED,
  name: 'a client of /embed with one text, without a list',
  body: { inputs: 'a' },
  tasks: [{ texts: ['a'], prompt: undefined, truncate: undefined, normalize: undefined }],
  answer: [[1, -0.5, 0.1]],
}

const EMBED_IDS: DialectCase = {
  ...EMBED,
  name: 'a client of /embed with the model’s own ids',
  body: { inputs: [[101, 7592], 'text'], truncate: false },
  tasks: [
    { kind: 'decode', ids: [[101, 7592]], vocabulary: 'model' },
    { kind: 'embed', texts: ['101 7592', 'text'], truncate: 'none' },
  ],
  answer: [
    [8, -0.5, 0.1],
    [4, -0.5, 0.1],
  ],
}

const EMBED_ALL: DialectCase = {
  ...COMMON,
  name: 'a client of /embed_all',
  endpoint: tei.embedAll,
  route: '/embed_all',
  settings: EMBED_SETTINGS,
  list: { path: ['inputs'], acceptsObjects: true, read: items },
  body: { inputs: ['ab', 'c'], truncate: false },
  tasks: [{ kind: 'embed_tokens', texts: ['ab', 'c'], truncate: 'none' }],
  answer: [
    [
      [0, 0.5],
      [1, 0.5],
    ],
    [[0, 0.5]],
  ],
  // as many vectors as a real model gives special tokens
  service: { tokenVectors: (text) => Array.from(text || ' ', (_, index) => [index, 0.5]) },
}

const EMBED_SPARSE: DialectCase = {
  ...COMMON,
  name: 'a client of TEI’s /embed_sparse',
  endpoint: tei.embedSparse,
  route: '/embed_sparse',
  settings: EMBED_SETTINGS,
  list: { path: ['inputs'], acceptsObjects: true, read: items },
  body: { inputs: ['ab', 'c'], truncate: false },
  tasks: [{ kind: 'embed_sparse', texts: ['ab', 'c'], truncate: 'none' }],
  answer: [
    [{ index: 2, value: 0.5 }],
    [
      { index: 1, value: 0.25 },
      { index: 7, value: 0.1 },
    ],
  ],
  service: { sparse: (text) => (text === 'c' ? [1, 0.25, 7, 0.1] : [text.length, 0.5]) },
}

const RERANK: DialectCase = {
  errors: 'tei',
  // without texts it is a request to Infinity
  strangeErrors: 'object',
  required: ['query'],
  name: 'a client of TEI’s /rerank',
  endpoint: tei.rerank,
  route: '/rerank',
  settings: RERANK_SETTINGS,
  list: { path: ['texts'], acceptsObjects: true, read: inOrder },
  body: { query: 'q', texts: ['aa', 'bbbb', 'c'], return_text: true, truncate: true, documents: null },
  tasks: [{ kind: 'rerank', query: 'q', documents: ['aa', 'bbbb', 'c'], truncate: undefined }],
  answer: [
    { index: 1, score: 0.5, text: 'bbbb' },
    { index: 0, score: 0.25, text: 'aa' },
    { index: 2, score: 0.125, text: 'c' },
  ],
}

const LITELLM_RERANK: DialectCase = {
  ...RERANK,
  name: 'LiteLLM’s huggingface rerank',
  body: {
    query: 'q',
    texts: ['aa', 'bbbb'],
    raw_scores: true,
    truncate: false,
    truncation_direction: 'Right',
    top_n: 1,
  },
  tasks: [{ documents: ['aa', 'bbbb'], truncate: 'none' }],
  answer: [{ index: 1, score: -3.5 }],
}

const PREDICT_SETTINGS = Object.keys(CLASSIFY_FIELDS)

const BAD = { score: 0.25, label: 'bad' }

const PREDICT: DialectCase = {
  ...COMMON,
  name: 'a client of /predict, with texts and pairs',
  endpoint: predict,
  route: '/predict',
  settings: PREDICT_SETTINGS,
  list: { path: ['inputs'], item: (text) => [text], read: items },
  body: { inputs: [['a'], ['bb', 'second'], ['ccc']] },
  tasks: [
    { kind: 'classify', texts: ['a', 'ccc'], pairs: undefined },
    { kind: 'classify', texts: ['bb'], pairs: ['second'] },
  ],
  answer: [
    [{ score: 1, label: 'good' }, BAD],
    [{ score: 2, label: 'good' }, BAD],
    [{ score: 3, label: 'good' }, BAD],
  ],
}

const PREDICT_PAIR: DialectCase = {
  ...PREDICT,
  name: 'a client of /predict, with one pair',
  body: { inputs: ['a', 'second'], raw_scores: true },
  tasks: [{ kind: 'classify', texts: ['a'], pairs: ['second'] }],
  answer: [
    { score: -3, label: 'good' },
    { score: -3.75, label: 'bad' },
  ],
}

const HUB_CLASSIFICATION: DialectCase = {
  ...PREDICT,
  name: 'Hugging Face’s library, whose settings stand apart',
  settingsIn: 'parameters',
  // `function_to_apply` says more
  settings: PREDICT_SETTINGS.filter((name) => name !== 'raw_scores'),
  body: { inputs: 'abc', parameters: { top_k: 1, function_to_apply: 'none' } },
  tasks: [{ kind: 'classify', texts: ['abc'] }],
  answer: [[{ score: -1, label: 'good' }]],
}

const SIMILARITY: DialectCase = {
  ...COMMON,
  name: 'a client of /similarity',
  endpoint: tei.similarity,
  route: '/similarity',
  settings: [...Object.keys(PROMPT_FIELDS), ...Object.keys(TRUNCATION_FIELDS), 'model'],
  settingsIn: 'parameters',
  list: { path: ['inputs', 'sentences'], read: items },
  body: {
    inputs: { source_sentence: 'a', sentences: ['a', '', 'bb'] },
    parameters: { truncate: true, prompt_name: 'query' },
  },
  tasks: [
    {
      kind: 'embed',
      texts: ['a', 'a', '', 'bb'],
      normalize: true,
      prompt: { name: 'query', ifUnknown: 'refuse' },
    },
  ],
  // the fake's vectors have no unit length: 1 + 0.25 + 0.01, and so on
  answer: [1.26, 0.26, 2.26],
}

const TOKENIZE: DialectCase = {
  ...COMMON,
  name: 'a client of /tokenize',
  endpoint: tei.tokenize,
  route: '/tokenize',
  settings: ['model', 'add_special_tokens', ...Object.keys(PROMPT_FIELDS)],
  list: { path: ['inputs'], read: items },
  body: { inputs: ['a😀'], add_special_tokens: false },
  tasks: [{ kind: 'tokenize', texts: ['a😀'], addSpecialTokens: false }],
  answer: [
    [
      { id: 97, text: 'a', special: false, start: 0, stop: 1 },
      { id: 128_512, text: '😀', special: false, start: 1, stop: 2 },
    ],
  ],
}

const TOKENIZE_SPECIAL: DialectCase = {
  ...TOKENIZE,
  name: 'a client of /tokenize that sees special tokens',
  body: { inputs: 'a' },
  tasks: [{ kind: 'tokenize', texts: ['a'], addSpecialTokens: true }],
  answer: [[{ id: 101, text: '[CLS] a', special: true, start: null, stop: null }]],
  service: {
    tokens: (text) => [{ id: 101, text: `[CLS] ${text}`, special: true, start: null, stop: null }],
  },
}

const DECODE: DialectCase = {
  ...COMMON,
  name: 'a client of /decode',
  endpoint: tei.decode,
  route: '/decode',
  required: ['ids'],
  settings: ['model', 'skip_special_tokens'],
  list: { path: ['ids'], item: (text) => [text.length], read: items },
  body: { ids: [[101, 7592], [102]], skip_special_tokens: false },
  tasks: [{ kind: 'decode', ids: [[101, 7592], [102]], vocabulary: 'model', skipSpecialTokens: false }],
  answer: ['101 7592', '102'],
}

const DECODE_ONE: DialectCase = {
  ...DECODE,
  name: 'a client of /decode with one list of ids',
  body: { ids: [101, 7592] },
  tasks: [{ kind: 'decode', ids: [[101, 7592]], skipSpecialTokens: true }],
  answer: ['101 7592'],
}

const INFO: DialectCase = {
  name: 'Continue, which wants to know the batch size',
  endpoint: info,
  route: '/info',
  errors: 'tei',
  tasks: [],
  answer: {
    model_id: 'served-model',
    model_sha: null,
    model_dtype: 'float32',
    model_type: { embedding: { pooling: 'mean' } },
    max_concurrent_requests: 48_000,
    max_input_length: 256,
    max_batch_tokens: 512,
    max_batch_requests: 32,
    max_client_batch_size: 2048,
    auto_truncate: true,
    tokenization_workers: 1,
    version: '1.9.3',
    sha: null,
    docker_label: null,
  },
  service: { models: [SERVED] },
}

export const CASES = [
  EMBED,
  EMBED_ONE,
  EMBED_IDS,
  EMBED_ALL,
  EMBED_SPARSE,
  RERANK,
  LITELLM_RERANK,
  PREDICT,
  PREDICT_PAIR,
  HUB_CLASSIFICATION,
  SIMILARITY,
  TOKENIZE,
  TOKENIZE_SPECIAL,
  DECODE,
  DECODE_ONE,
  INFO,
] satisfies DialectCase[]
