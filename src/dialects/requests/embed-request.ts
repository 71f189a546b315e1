/** The one schema of all requests to embed: what a field means does not depend on who spells it. */
import { z } from 'zod'
import { ServerError } from '../../errors.ts'
import type { CallOptions, DecodeTask, EmbedMultiTask, EmbedTask, Service } from '../../task.ts'
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
import { readTexts } from './read-texts.ts'

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

export const EmbedBody = z.looseObject(EMBED_FIELDS)

export interface EmbedRequest {
  readonly task: EmbedTask
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

const VOCABULARIES = { cl100k: 'cl100k', native: 'model', unsaid: 'client' } as const

/** Throws `invalid_request`, or `wrong_task` for what is no text. */
export async function readEmbedRequest(source: EmbedSource): Promise<EmbedRequest> {
  const { service, options, purpose = 'embed' } = source
  const fields = readBody(EmbedBody, source.body)
  if (fields.modality && fields.modality !== 'text') {
    throw new ServerError('wrong_task', `modality is "${fields.modality}"; the models served read text only`)
  }
  const name = readModel(fields, source.pathModel)
  const field = firstField(fields, source.fields)
  const vocabulary = source.vocabulary ?? VOCABULARIES[fields.token_vocab ?? 'unsaid']
  const texts = await readTexts(fields[field], { field, service, options, model: name, vocabulary, purpose })
  return {
    name,
    encodings: readEncodings(fields),
    task: {
      kind: 'embed',
      model: name,
      texts,
      // clients send 0 for "as it is"
      dimensions: fields.dimensions || fields.output_dimension || undefined,
      normalize: firstGiven(fields.normalize, fields.normalized),
      lateChunking: fields.late_chunking ?? undefined,
      prompt: readPrompt(fields),
      ...readTruncation(fields),
    },
  }
}

function readEncodings(fields: z.infer<typeof EmbedBody>): Encodings {
  const { encoding_format, embedding_type, encoding_type, embedding_types, output_dtype } = fields
  const asked = firstGiven(encoding_format, embedding_type, encoding_type, embedding_types) ?? 'float'
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
