/** Clients of images and audio. */
import { EmbeddingAnswer } from '../../../../src/dialects/answers/embedding-answer.ts'
import { embedV1, embedV2 } from '../../../../src/dialects/cohere.ts'
import { legacyAudio, legacyImages } from '../../../../src/dialects/infinity.ts'
import { embeddings } from '../../../../src/dialects/openai.ts'
import { multimodal } from '../../../../src/dialects/voyage.ts'
import type { MediaItem } from '../../../../src/task.ts'
import type { DialectCase } from '../dialect.case.ts'
import { EMBED_SETTINGS, embeddingAnswer, readEmbeddings } from './openai.ts'

const URL = 'https://example.org/a.png'
const BYTES = Uint8Array.of(1, 2, 3)
const BASE64 = 'AQID'
const URI = `data:image/png;base64,${BASE64}`

const OF_URL = [URL.length, 0.5, 0.1]
const OF_BYTES = [3, 0.5, 0.1]
const OF_TEXT = [1, -0.5, 0.1]

function image(name: string, source: MediaItem['source']): MediaItem {
  return { modality: 'image', name, source }
}

// Chunks are of a text.
const SETTINGS = EMBED_SETTINGS.filter((name) => name !== 'late_chunking')

const COMMON = { errors: 'object', namesModel: true } as const

const INFINITY: DialectCase = {
  ...COMMON,
  name: 'Infinity’s vision client',
  endpoint: embeddings,
  route: '/embeddings',
  required: ['input'],
  settings: SETTINGS,
  body: { input: [URI, URL], model: 'M', dimensions: 0, modality: 'image', encoding_format: 'float' },
  tasks: [
    {
      kind: 'embed_media',
      model: 'M',
      items: [image('input[0]', { bytes: BYTES }), image('input[1]', { url: URL })],
      dimensions: undefined,
    },
  ],
  answer: embeddingAnswer('M', [OF_BYTES, OF_URL]),
}

const INFINITY_AUDIO: DialectCase = {
  ...INFINITY,
  name: 'LiteLLM’s infinity, with modality audio',
  body: { input: URL, model: 'M', modality: 'audio' },
  tasks: [{ kind: 'embed_media', items: [{ modality: 'audio', name: 'input', source: { url: URL } }] }],
  answer: embeddingAnswer('M', [OF_URL]),
}

const LEGACY_IMAGES: DialectCase = {
  ...COMMON,
  name: 'Infinity’s older route of images',
  endpoint: legacyImages,
  route: '/v1/embeddings_image',
  required: ['input'],
  settings: SETTINGS,
  body: { input: [URL, BASE64], model: 'M' },
  tasks: [
    {
      kind: 'embed_media',
      model: 'M',
      items: [image('input[0]', { url: URL }), image('input[1]', { bytes: BYTES })],
    },
  ],
  answer: embeddingAnswer('M', [OF_URL, OF_BYTES]),
}

const LEGACY_AUDIO: DialectCase = {
  ...LEGACY_IMAGES,
  name: 'Infinity’s older route of audio',
  endpoint: legacyAudio,
  route: '/embeddings_audio',
  body: { input: URL, model: 'M' },
  tasks: [{ kind: 'embed_media', items: [{ modality: 'audio', name: 'input', source: { url: URL } }] }],
  answer: embeddingAnswer('M', [OF_URL]),
}

const JINA: DialectCase = {
  ...COMMON,
  name: 'Jina’s clients, with texts and images',
  endpoint: embeddings,
  route: '/v1/embeddings',
  required: ['input'],
  settings: SETTINGS,
  body: {
    model: 'jina-clip-v2',
    input: [{ text: 'a' }, { image: URL }, { image: BASE64 }, { bytes: BASE64 }, { url: URL }],
    dimensions: 3,
    normalized: true,
    task: 'retrieval.query',
  },
  tasks: [
    {
      kind: 'embed_media',
      items: [
        'a',
        image('input[1]', { url: URL }),
        image('input[2]', { bytes: BYTES }),
        image('input[3]', { bytes: BYTES }),
        image('input[4]', { url: URL }),
      ],
      dimensions: 3,
      normalize: true,
      prompt: { name: 'retrieval.query', ifUnknown: 'ignore' },
    },
  ],
  answer: embeddingAnswer('jina-clip-v2', [OF_TEXT, OF_URL, OF_BYTES, OF_BYTES, OF_URL]),
}

const JOB: DialectCase = {
  ...INFINITY,
  name: 'a job that embeds images',
  endpoint: undefined,
  route: undefined,
  errors: 'job',
  required: [],
  response: EmbeddingAnswer,
}

const META = {
  api_version: { version: '2' },
  billed_units: { search_units: 1, input_tokens: 2, total_tokens: 2 },
  tokens: { input_tokens: 2, output_tokens: 0 },
}

function byType(texts: readonly string[], float: readonly unknown[]) {
  return {
    id: 'emb-ID',
    response_type: 'embeddings_by_type',
    embeddings: { float },
    texts,
    images: [],
    meta: META,
  }
}

const COHERE: DialectCase = {
  ...COMMON,
  name: 'Cohere’s embed of images',
  endpoint: embedV2,
  route: '/v2/embed',
  namesModel: false,
  settings: SETTINGS,
  body: { model: 'M', images: [URI], texts: [], input_type: 'image', embedding_types: ['float'] },
  tasks: [{ kind: 'embed_media', items: [image('images[0]', { bytes: BYTES })] }],
  answer: byType([], [OF_BYTES]),
}

const COHERE_V1: DialectCase = {
  ...COHERE,
  name: 'Cohere’s embed of images, version 1',
  endpoint: embedV1,
  route: '/v1/embed',
  body: { model: 'M', images: [URI], input_type: 'image' },
  settings: SETTINGS.filter((name) => name !== 'embedding_types'),
  answer: { ...byType([], []), embeddings: [OF_BYTES], response_type: 'embeddings_floats' },
}

const COHERE_INPUTS: DialectCase = {
  ...COHERE,
  name: 'Cohere’s embed, version 2, with texts and images as parts',
  body: {
    model: 'M',
    inputs: [
      { content: [{ type: 'image_url', image_url: { url: URL } }] },
      { content: [{ type: 'text', text: 'a' }] },
    ],
    embedding_types: ['float'],
  },
  required: ['inputs'],
  tasks: [{ kind: 'embed_media', items: [image('inputs[0].content[0]', { url: URL }), 'a'] }],
  answer: byType(['a'], [OF_URL, OF_TEXT]),
}

const VOYAGE: DialectCase = {
  ...COMMON,
  name: 'Voyage’s library, with texts and images',
  endpoint: multimodal,
  route: '/v1/multimodalembeddings',
  required: ['inputs'],
  settings: SETTINGS,
  list: {
    path: ['inputs'],
    item: (text) => ({ content: [{ type: 'text', text }] }),
    acceptsObjects: true,
    acceptsMedia: true,
    read: readEmbeddings,
  },
  body: {
    model: 'voyage-multimodal-3',
    inputs: [
      { content: [{ type: 'text', text: 'a' }] },
      { content: [{ type: 'image_url', image_url: URL }] },
      { content: [{ type: 'image_base64', image_base64: URI }] },
    ],
    input_type: 'document',
    truncation: true,
    output_encoding: null,
  },
  tasks: [
    {
      kind: 'embed_media',
      items: [
        'a',
        image('inputs[1].content[0]', { url: URL }),
        image('inputs[2].content[0]', { bytes: BYTES }),
      ],
      prompt: { name: 'document', ifUnknown: 'ignore' },
    },
  ],
  answer: {
    ...embeddingAnswer('voyage-multimodal-3', [OF_TEXT, OF_URL, OF_BYTES]),
    usage: {
      prompt_tokens: 2,
      completion_tokens: 0,
      total_tokens: 2,
      text_tokens: 2,
      image_pixels: 0,
      video_pixels: 0,
    },
  },
}

const { list: _, ...VOYAGE_ONCE } = VOYAGE
const VOYAGE_BASE64: DialectCase = {
  ...VOYAGE_ONCE,
  name: 'Voyage’s library, asking for base64',
  body: { inputs: [{ content: [{ type: 'text', text: 'a' }] }], model: 'M', output_encoding: 'base64' },
  tasks: [{ kind: 'embed', texts: ['a'] }],
  answer: {
    ...embeddingAnswer('M', ['AACAPwAAAL/NzMw9']),
    usage: (VOYAGE.answer as { usage: object }).usage,
  },
}

export const CASES: readonly DialectCase[] = [
  INFINITY,
  INFINITY_AUDIO,
  LEGACY_IMAGES,
  LEGACY_AUDIO,
  JINA,
  JOB,
  COHERE,
  COHERE_V1,
  COHERE_INPUTS,
  VOYAGE,
  VOYAGE_BASE64,
]
