/** vLLM's scores of pairs. Its rerank is Cohere's. */
import { z } from 'zod'
import { shortenFloat32 } from '../base/float-text.ts'
import { ServerError } from '../errors.ts'
import type { CallOptions, RerankTask, Service } from '../task.ts'
import { cosines } from './answers/cosines.ts'
import { Usage, newId, unixSeconds, usage } from './answers/envelope.ts'
import { findServed } from './answers/served-model.ts'
import { endpoint } from './endpoint.ts'
import {
  MODEL_FIELDS,
  PROMPT_FIELDS,
  SWITCH,
  TRUNCATION_FIELDS,
  readModel,
  readPrompt,
  readTruncation,
} from './requests/fields.ts'
import { firstField, readBody } from './requests/read-body.ts'
import { readStrings } from './requests/read-texts.ts'

const ScoreBody = z.looseObject({
  ...MODEL_FIELDS,
  raw_scores: SWITCH,
  ...PROMPT_FIELDS,
  ...TRUNCATION_FIELDS,
})
const Texts = z.union([z.string(), z.array(z.string())])

export const score = endpoint({
  routes: ['/score'],
  docs: {
    summary:
      'Scores pairs: one text against each of others, or two lists item by item; by cosine without a reranker',
    request: ScoreBody.extend({ text_1: Texts, text_2: Texts }),
    response: z.object({
      id: z.string(),
      object: z.literal('list'),
      created: z.int(),
      model: z.string(),
      data: z.array(z.object({ index: z.int(), object: z.literal('score'), score: z.number() })),
      usage: Usage,
    }),
    example: { text_1: 'What is a panda?', text_2: ['hi', 'The giant panda is a bear.'] },
  },
  async answer({ body }, service, options) {
    const fields = readBody(ScoreBody, body)
    const { query, documents } = readPairs(fields)
    const name = readModel(fields, undefined)
    const texts = { model: name, prompt: readPrompt(fields), ...readTruncation(fields) }
    const task: RerankTask = { kind: 'rerank', query, documents, ...texts }
    const judge = canRerank(service, name) ? rerank : compare
    const { model, scores, logits, promptTokens } = await judge(task, service, options)
    const values = fields.raw_scores ? logits : scores
    return {
      id: newId('score'),
      object: 'list',
      created: unixSeconds(),
      model: name ?? model,
      data: Array.from(values, (value, index) => ({ index, object: 'score', score: shortenFloat32(value) })),
      usage: usage(promptTokens),
    }
  },
})

/** Whether a model that reranks and embeds nothing is named, or, where none that is served is named, is there. */
function canRerank(service: Service, name: string | undefined): boolean {
  const named = findServed(service, name)
  const able = named === undefined ? service.models() : [named]
  return able.some(({ capabilities }) => capabilities.includes('rerank') && !capabilities.includes('embed'))
}

function rerank(task: RerankTask, service: Service, options: CallOptions) {
  return service.rerank(task, options)
}

async function compare({ query, documents, ...rest }: RerankTask, service: Service, options: CallOptions) {
  const firsts = typeof query === 'string' ? [query] : query
  const texts = [...firsts, ...documents]
  const result = await service.embed({ ...rest, kind: 'embed', texts, normalize: true }, options)
  const pairs = documents.map((_, index) => [firsts.length === 1 ? 0 : index, firsts.length + index] as const)
  const scores = cosines(result, pairs)
  return { ...result, scores, logits: scores }
}

/** Both sides have had two names. Throws `invalid_request`. */
function readPairs(fields: Readonly<Record<string, unknown>>): Pick<RerankTask, 'query' | 'documents'> {
  const find = (...names: readonly [string, string, string]) => {
    const field = firstField(fields, names)
    return { field, texts: readStrings(fields[field], field) }
  }
  const first = find('text_1', 'queries', 'data_1')
  const second = find('text_2', 'documents', 'data_2')
  const [only] = first.texts
  if (first.texts.length === 1 && only !== undefined) return { query: only, documents: second.texts }
  if (first.texts.length === second.texts.length) return { query: first.texts, documents: second.texts }
  throw new ServerError(
    'invalid_request',
    `${first.field} has ${first.texts.length} items and ${second.field} has ${second.texts.length}; they must have as many, or ${first.field} one`,
  )
}
