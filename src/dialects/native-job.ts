/** A job without `openai_route`, as the Python worker takes it: its keys decide what it wants. */
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import type { CallOptions, RerankResult, Service } from '../task.ts'
import type { Endpoint } from './dialect.ts'
import { embeddingAnswer, usage } from './embedding-answer.ts'
import { shortenFloat32 } from '../base/float-text.ts'
import { readBody, readText, readTexts, show } from './read-body.ts'

const NativeBody = z.looseObject({
  task: z.enum(['embed', 'rerank']).nullish(),
  model: z.string().nullish(),
  input: z.unknown().optional(),
  query: z.unknown().optional(),
  docs: z.unknown().optional(),
  documents: z.unknown().optional(),
  return_docs: z.boolean().nullish(),
  return_documents: z.boolean().nullish(),
  top_n: z.int().nonnegative().nullish(),
})

type NativeBody = z.infer<typeof NativeBody>

export const nativeJob: Endpoint = {
  routes: [],
  async answer(body, service, options) {
    const fields = readBody(NativeBody, body, 'input')
    const task = fields.task ?? guessTask(fields)
    return task === 'rerank' ? rerank(fields, service, options) : embed(fields, service, options)
  },
}

function guessTask({ query, docs, documents, input }: NativeBody): 'embed' | 'rerank' {
  if (query !== undefined) return 'rerank'
  if (input !== undefined) return 'embed'
  if (docs !== undefined || documents !== undefined) return 'rerank'
  throw new ServerError(
    'invalid_request',
    'the job has neither "input" (to embed), nor "query" and "docs" (to rerank), nor "openai_route"',
  )
}

async function embed({ input, model }: NativeBody, service: Service, options: CallOptions) {
  const texts = readTexts(input, { field: 'input', single: true })
  const name = model || undefined
  return embeddingAnswer(await service.embed({ kind: 'embed', model: name, texts }, options), name, 'float')
}

async function rerank(fields: NativeBody, service: Service, options: CallOptions) {
  const field = fields.docs === undefined && fields.documents !== undefined ? 'documents' : 'docs'
  const query = readText(fields.query, 'query')
  const documents = readTexts(fields[field], { field, single: false })
  const name = fields.model || undefined
  const result = await service.rerank({ kind: 'rerank', model: name, query, documents }, options)
  const withDocuments = fields.return_docs ?? fields.return_documents ?? false
  const ranking = rank(result).slice(0, fields.top_n || documents.length)
  return {
    object: 'rerank',
    model: name ?? result.model,
    results: ranking.map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(withDocuments ? { document: documents[index] } : {}),
    })),
    ...(withDocuments
      ? { docs: ranking.map(({ index }) => documents[index]) }
      : { scores: Array.from(result.scores, shortenFloat32) }),
    usage: usage(result.promptTokens),
  }
}

/** Best first; equal scores in the order of the documents. */
function rank({ scores }: RerankResult): { index: number; score: number }[] {
  return Array.from(scores, (score, index) => ({ index, score: shortenFloat32(score) })).sort(
    (a, b) => b.score - a.score || a.index - b.index,
  )
}

const JobEnvelope = z.looseObject({ openai_route: z.string().min(1), openai_input: z.unknown().optional() })

/**
 * What stands in a job's `input`, as a route and a body. Also understood: texts given directly as `input` with `model`
 * beside it, and an input that a client wrapped twice. Throws `invalid_request`.
 */
export function readJob(job: unknown): { route: string | undefined; body: unknown } {
  const { input, model } = readBody(
    z.looseObject({ input: z.unknown().optional(), model: z.unknown().optional() }),
    job,
    'the job',
  )
  if (input === undefined || input === null) {
    throw new ServerError('invalid_request', 'the job has no "input"; it must be an object')
  }
  if (typeof input === 'string' || Array.isArray(input)) return { route: undefined, body: { input, model } }
  if (typeof input !== 'object')
    throw new ServerError('invalid_request', `input is ${show(input)}; it must be an object`)
  const inner = (input as Record<string, unknown>)['input']
  const isWrappedTwice = typeof inner === 'object' && inner !== null && !Array.isArray(inner)
  const fields = isWrappedTwice ? (inner as Record<string, unknown>) : (input as Record<string, unknown>)
  if (fields['openai_route'] === undefined || fields['openai_route'] === null)
    return { route: undefined, body: fields }
  const { openai_route: route, openai_input: body } = readBody(JobEnvelope, fields, 'input')
  return { route, body: body ?? {} }
}
