/** The one schema of all requests to embed: what a field means does not depend on who spells it. */
import { z } from 'zod'
import { ServerError } from '../../errors.ts'
import type {
  CallOptions,
  DecodeTask,
  EmbedMediaTask,
  EmbedMultiTask,
  EmbedResult,
  EmbedTask,
  MediaItem,
  Service,
} from '../../task.ts'
import type { VectorFormat } from '../encode-vectors.ts'
import {
  COUNT,
  MODEL_FIELDS,
  PRIORITY_FIELD,
  PROMPT_FIELDS,
  SWITCH,
  TRUNCATION_FIELDS,
  firstGiven,
  readModel,
  readPrompt,
  readTruncation,
  shortList,
} from './fields.ts'
import { firstField, readBody } from './read-body.ts'
import type { MediaModality } from './read-media.ts'
import type { TextsOptions } from './read-texts.ts'
import { readItems, readTexts } from './read-texts.ts'

const ENCODING = z.enum(['float', 'base64', 'int8', 'uint8', 'binary', 'ubinary'])
const ENCODINGS = shortList(z.union([ENCODING, z.array(ENCODING)]).nullish())

export type Encoding = z.infer<typeof ENCODING>

/** All but the texts themselves, which each dialect has under a name of its own. */
export const EMBED_FIELDS = {
  ...MODEL_FIELDS,
  /** OpenAI, Jina, LlamaIndex, Cohere: as what vectors are returned. */
  encoding_format: ENCODINGS,
  embedding_type: ENCODINGS,
  encoding_type: ENCODINGS,
  embedding_types: ENCODINGS,
  /** Voyage, of images. */
  output_encoding: ENCODINGS,
  /** Voyage: of which numbers; `encoding_format` then says whether in base64. */
  output_dtype: ENCODING.exclude(['base64']).nullish(),
  dimensions: COUNT,
  output_dimension: COUNT,
  normalize: SWITCH,
  normalized: SWITCH,
  late_chunking: SWITCH,
  modality: z.enum(['text', 'image', 'audio']).nullish(),
  /** Our own: what integers in this request are, whatever TOKEN_INPUT says. */
  token_vocab: z.enum(['cl100k', 'native']).nullish(),
  ...PRIORITY_FIELD,
  ...PROMPT_FIELDS,
  ...TRUNCATION_FIELDS,
}

/** How texts come, for /openapi.json: they are read by plain loops. */
const TOKEN_IDS = { type: 'array', items: { type: 'integer', minimum: 0 } }
const TEXT_OBJECT = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] }
const TEXT_ITEM = { anyOf: [{ type: 'string' }, TOKEN_IDS, TEXT_OBJECT] }
export const TEXTS = z
  .unknown()
  .meta({ anyOf: [{ type: 'string' }, TOKEN_IDS, { type: 'array', items: TEXT_ITEM }] })

/** And how texts, images and audio do: their strings are addresses, data URIs or base64. */
const MEDIA = { anyOf: [{ type: 'string' }, { type: 'object', properties: { url: { type: 'string' } } }] }
const MEDIA_OBJECTS = ['image', 'image_url', 'audio', 'audio_url', 'url', 'bytes'].map((key) => ({
  type: 'object',
  properties: { [key]: MEDIA },
  required: [key],
}))
const PARTS_OBJECT = {
  type: 'object',
  properties: { content: { type: 'array', items: { anyOf: [TEXT_OBJECT, ...MEDIA_OBJECTS] } } },
  required: ['content'],
}
const ANY_OBJECTS = [TEXT_OBJECT, ...MEDIA_OBJECTS, PARTS_OBJECT]
export const ITEMS = z.unknown().meta({
  anyOf: [
    { type: 'string' },
    TOKEN_IDS,
    ...ANY_OBJECTS,
    { type: 'array', items: { anyOf: [{ type: 'string' }, TOKEN_IDS, ...ANY_OBJECTS] } },
  ],
})

export const EmbedBody = z.looseObject(EMBED_FIELDS)

export interface EmbedRequest<T = EmbedTask> {
  readonly task: T
  /** As the client spelt the model; undefined: it did not. */
  readonly name: string | undefined
  readonly encodings: Encodings
}

export interface Encodings {
  readonly formats: readonly { readonly name: Encoding; readonly format: VectorFormat }[]
  /** Asked for as a list of more than one: an answer then names each. */
  readonly areMany: boolean
}

export interface EmbedSource {
  readonly body: unknown
  /** Fields that may hold the texts, the likeliest first. */
  readonly fields: readonly [string, ...string[]]
  readonly pathModel?: string | undefined
  readonly service: Service
  readonly options: CallOptions
  /** Where integers are always the model's own. */
  readonly vocabulary?: DecodeTask['vocabulary']
  /** What the texts are wanted for; to be embedded unless told. */
  readonly purpose?: DecodeTask['purpose']
}

export interface EmbedAnySource extends EmbedSource {
  /** What the route says that strings are; undefined: the request does. */
  readonly modality?: MediaModality | undefined
}

const VOCABULARIES = { cl100k: 'cl100k', native: 'model', unsaid: 'client' } as const

/** Throws `invalid_request`, or `wrong_task` for what is no text. */
export async function readEmbedRequest(source: EmbedSource): Promise<EmbedRequest> {
  const fields = readBody(EmbedBody, source.body)
  if (fields.modality && fields.modality !== 'text') {
    throw new ServerError('wrong_task', `modality is "${fields.modality}"; text only is taken here`)
  }
  const options = textsOptions(fields, source)
  const { field, model } = options
  const texts = await readTexts(fields[field], options)
  return { name: model, encodings: readEncodings(fields), task: textTask(fields, model, texts) }
}

/** As `readEmbedRequest`, where pictures and sounds are welcome too. Throws `wrong_task` for an item that is more than one thing. */
export async function readEmbedAnyRequest(
  source: EmbedAnySource,
): Promise<EmbedRequest<EmbedTask | EmbedMediaTask>> {
  const fields = readBody(EmbedBody, source.body)
  const options = textsOptions(fields, source)
  const asked = fields.modality === 'text' ? undefined : (fields.modality ?? undefined)
  const maxBytes = source.service.mediaMaxBytes ?? Infinity
  const media = { modality: source.modality ?? asked, maxBytes }
  const { field, model } = options
  const items = await readItems(fields[field], { ...options, media })
  return { name: model, encodings: readEncodings(fields), task: anyTask(fields, model, items) }
}

type Fields = z.infer<typeof EmbedBody>

function textsOptions(fields: Fields, source: EmbedSource): TextsOptions {
  const { service, options, purpose = 'embed' } = source
  return {
    field: firstField(fields, source.fields),
    service,
    options,
    model: readModel(fields, source.pathModel),
    vocabulary: source.vocabulary ?? VOCABULARIES[fields.token_vocab ?? 'unsaid'],
    purpose,
  }
}

function anyTask(
  fields: Fields,
  model: string | undefined,
  items: readonly (string | MediaItem)[],
): EmbedTask | EmbedMediaTask {
  if (items.every((item) => typeof item === 'string')) return textTask(fields, model, items)
  const { lateChunking, ...settings } = embedSettings(fields, model)
  if (lateChunking === true) {
    throw new ServerError(
      'invalid_request',
      'late_chunking is true; it is for chunks of a text, and there are images or audio',
    )
  }
  return { kind: 'embed_media', items, ...settings }
}

function textTask(fields: Fields, model: string | undefined, texts: readonly string[]): EmbedTask {
  return { kind: 'embed', texts, ...embedSettings(fields, model) }
}

function embedSettings(fields: Fields, model: string | undefined) {
  return {
    model,
    // clients send 0 for "as it is"
    dimensions: fields.dimensions || fields.output_dimension || undefined,
    normalize: firstGiven(fields.normalize, fields.normalized),
    lateChunking: fields.late_chunking ?? undefined,
    prompt: readPrompt(fields),
    ...readTruncation(fields),
  }
}

/** What a model makes of it: a request of texts alone goes the way of texts. */
export function embedAny(
  task: EmbedTask | EmbedMediaTask,
  service: Service,
  options: CallOptions,
): Promise<EmbedResult> {
  return task.kind === 'embed' ? service.embed(task, options) : service.embedMedia(task, options)
}

function readEncodings(fields: Fields): Encodings {
  const { encoding_format, embedding_type, encoding_type, embedding_types, output_encoding } = fields
  const { output_dtype } = fields
  const asked =
    firstGiven(encoding_format, embedding_type, encoding_type, embedding_types, output_encoding) ?? 'float'
  if (output_dtype) {
    const base64 = asked === 'base64'
    return { formats: [{ name: output_dtype, format: { dtype: output_dtype, base64 } }], areMany: false }
  }
  const names =
    typeof asked === 'string' ? [asked] : [...new Set(asked.length === 0 ? ['float' as const] : asked)]
  const formats = names.map((name) => ({
    name,
    format: name === 'base64' ? ({ dtype: 'float', base64: true } as const) : { dtype: name, base64: false },
  }))
  return { formats, areMany: formats.length > 1 }
}

/** What of a request to embed means something for vectors of tokens. */
export function multiTask(task: EmbedTask): EmbedMultiTask {
  const { model, texts, prompt, truncate, maxTokens, dimensions, normalize } = task
  return { kind: 'embed_multi', model, texts, prompt, truncate, maxTokens, dimensions, normalize }
}
