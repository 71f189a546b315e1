/** Text Embeddings Inference: bare lists, and token ids that are the model's own. */
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { shortenFloat32 } from '../base/float-text.ts'
import { isGiven, isRecord } from '../base/json-value.ts'
import type { CallOptions, DecodeTask, Service, TokenizeTask } from '../task.ts'
import { cosines } from './answers/cosines.ts'
import { teiErrors } from './answers/error-shapes.ts'
import { rank } from './answers/rerank-answer.ts'
import type { Endpoint, EndpointRequest } from './dialect.ts'
import { encodeVectors } from './encode-vectors.ts'
import { EMBED_FIELDS, TEXTS, readEmbedRequest } from './requests/embed-request.ts'
import {
  MODEL_FIELDS,
  PROMPT_FIELDS,
  SWITCH,
  TRUNCATION_FIELDS,
  readModel,
  readPrompt,
} from './requests/fields.ts'
import { fieldsOf, readBody } from './requests/read-body.ts'
import { readIdLists, readStrings, readText } from './requests/read-texts.ts'
import { RERANK_FIELDS, readRerankRequest } from './requests/rerank-request.ts'

const COMMON = { method: 'POST', jobOutput: 'list', errors: teiErrors } as const

const Vectors = z.array(z.array(z.number()))
const EmbedRequestBody = z.looseObject({ inputs: TEXTS, ...EMBED_FIELDS })

export const embed: Endpoint = {
  ...COMMON,
  routes: ['/embed'],
  docs: {
    summary: 'Embeds texts: a list of vectors',
    request: EmbedRequestBody,
    // base64 where a client asks for it
    response: z.array(z.union([z.array(z.number()), z.string()])),
    example: { inputs: ['Hello world', 'A second text'], normalize: true },
  },
  async answer(asked, service, options) {
    const { task, encodings } = await readEmbed(asked, service, options)
    const { vectors, dimensions } = await service.embed(task, options)
    const [first] = encodings.formats
    return encodeVectors(vectors, dimensions, first?.format ?? { dtype: 'float', base64: false })
  },
}

export const embedAll: Endpoint = {
  ...COMMON,
  routes: ['/embed_all'],
  docs: {
    summary:
      'The vector of every token, special ones included, before pooling; of a multi-vector model those that are compared',
    request: EmbedRequestBody,
    response: z.array(Vectors),
    example: { inputs: 'Hello world' },
  },
  async answer(asked, service, options) {
    const { task } = await readEmbed(asked, service, options, 'embed_tokens')
    const { model, texts, prompt, truncate, maxTokens } = task
    const asking = { kind: 'embed_tokens', model, texts, prompt, truncate, maxTokens } as const
    const { tokens, width } = await service.embedTokens(asking, options)
    return Promise.all(tokens.map((rows) => encodeVectors(rows, width, { dtype: 'float', base64: false })))
  },
}

const SparseVector = z.array(z.object({ index: z.int(), value: z.number() }))

export const embedSparse: Endpoint = {
  ...COMMON,
  routes: ['/embed_sparse'],
  docs: {
    summary: 'Sparse vectors of a SPLADE model: what is not 0, by index in the vocabulary',
    request: EmbedRequestBody,
    response: z.array(SparseVector),
    example: { inputs: ['Hello world', 'A second text'] },
  },
  async answer(asked, service, options) {
    const { task } = await readEmbed(asked, service, options, 'embed_sparse')
    const { model, texts, prompt, truncate, maxTokens } = task
    const asking = { kind: 'embed_sparse', model, texts, prompt, truncate, maxTokens } as const
    const { pairs } = await service.embedSparse(asking, options)
    return writePairs(pairs)
  },
}

/** Entries written before other work gets its turn: a millisecond or two. */
const ENTRIES_A_TURN = 8192

async function writePairs(rows: readonly Float32Array[]): Promise<z.infer<typeof SparseVector>[]> {
  const vectors = []
  let entries = 0
  for (const row of rows) {
    vectors.push(
      Array.from({ length: row.length / 2 }, (_, place) => ({
        index: row[2 * place] as number,
        value: shortenFloat32(row[2 * place + 1] as number),
      })),
    )
    entries += row.length / 2
    if (entries < ENTRIES_A_TURN) continue
    entries = 0
    await setImmediate()
  }
  return vectors
}

/** The reading of texts that all of its routes share, those by shape too. */
function readEmbed(
  { body, pathModel }: EndpointRequest,
  service: Service,
  options: CallOptions,
  purpose: DecodeTask['purpose'] = 'embed',
) {
  return readEmbedRequest({
    body,
    fields: ['inputs', 'input'],
    pathModel,
    service,
    options,
    vocabulary: 'model',
    purpose,
  })
}

export const rerank: Endpoint = {
  ...COMMON,
  routes: ['/rerank'],
  knows: (body) => isRecord(body) && isGiven(body['texts']) && !isGiven(body['documents']),
  docs: {
    summary: 'Reranks texts: a list, best first',
    request: z.looseObject({ texts: z.array(z.string()), ...RERANK_FIELDS }),
    response: z.array(z.object({ index: z.int(), score: z.number(), text: z.string().optional() })),
    example: { query: 'What is a panda?', texts: ['hi', 'The giant panda is a bear.'], return_text: true },
  },
  async answer({ body, pathModel }, service, options) {
    const request = readRerankRequest({ body, fields: ['texts'], pathModel })
    const result = await service.rerank(request.task, options)
    return rank(result, request).map(({ index, score }) => ({
      index,
      score,
      ...(request.withDocuments ? { text: request.documents.texts[index] } : {}),
    }))
  },
}

const SimilarityInputs = z.looseObject({ source_sentence: z.string(), sentences: z.array(z.string()) })

export const similarity: Endpoint = {
  ...COMMON,
  routes: ['/similarity'],
  docs: {
    summary: 'Cosine of a sentence and each of others',
    request: z.looseObject({
      inputs: SimilarityInputs,
      parameters: z.looseObject({ ...PROMPT_FIELDS, ...TRUNCATION_FIELDS }).nullish(),
      ...MODEL_FIELDS,
    }),
    response: z.array(z.number()),
    example: { inputs: { source_sentence: 'A bear.', sentences: ['A panda.', 'A river.'] } },
  },
  async answer({ body, pathModel }, service, options) {
    const fields = fieldsOf(body)
    const inputs = fieldsOf(fields['inputs'])
    const texts = [
      readText(inputs['source_sentence'], 'inputs.source_sentence'),
      ...readStrings(inputs['sentences'], 'inputs.sentences'),
    ]
    const { model, model_id } = fields
    const settings = { ...parametersOf(body), model, model_id, inputs: texts }
    const { task } = await readEmbed({ body: settings, pathModel }, service, options)
    const result = await service.embed({ ...task, normalize: true }, options)
    const pairs = texts.slice(1).map((_, index) => [0, index + 1] as const)
    return Array.from(cosines(result, pairs), shortenFloat32)
  },
}

const TokenEntry = z.object({
  id: z.int(),
  text: z.string(),
  special: z.boolean(),
  start: z.int().nullable(),
  stop: z.int().nullable(),
})

const TokenizeBody = z.looseObject({ ...MODEL_FIELDS, add_special_tokens: SWITCH, ...PROMPT_FIELDS })

export const tokenize: Endpoint = {
  ...COMMON,
  routes: ['/tokenize'],
  docs: {
    summary: 'Tokens of texts, with their places in Unicode characters',
    request: TokenizeBody.extend({ inputs: z.union([z.string(), z.array(z.string())]) }),
    response: z.array(z.array(TokenEntry)),
    example: { inputs: ['Hello world'], add_special_tokens: true },
  },
  async answer({ body, pathModel }, service, options) {
    const fields = readBody(TokenizeBody, body)
    const task: TokenizeTask = {
      kind: 'tokenize',
      model: readModel(fields, pathModel),
      texts: readStrings(fields['inputs'], 'inputs'),
      addSpecialTokens: fields.add_special_tokens ?? true,
      prompt: readPrompt(fields),
    }
    return (await service.tokenize(task, options)).tokens
  },
}

const DecodeBody = z.looseObject({ ...MODEL_FIELDS, skip_special_tokens: SWITCH })

export const decode: Endpoint = {
  ...COMMON,
  routes: ['/decode'],
  docs: {
    summary: 'Texts of token ids',
    request: DecodeBody.extend({ ids: z.union([z.array(z.int()), z.array(z.array(z.int()))]) }),
    response: z.array(z.string()),
    example: { ids: [101, 7592, 102], skip_special_tokens: true },
  },
  async answer({ body, pathModel }, service, options) {
    const fields = readBody(DecodeBody, body)
    const lists = readIdLists(fields['ids'], 'ids')
    const task: DecodeTask = {
      kind: 'decode',
      model: readModel(fields, pathModel),
      ids: lists.map(({ ids }) => ids),
      names: lists.map(({ name }) => name),
      vocabulary: 'model',
      skipSpecialTokens: fields.skip_special_tokens ?? true,
    }
    return (await service.decode(task, options)).texts
  },
}

/** Hugging Face's clients send settings apart. */
export function parametersOf(body: unknown): Readonly<Record<string, unknown>> {
  return fieldsOf(fieldsOf(body)['parameters'])
}
