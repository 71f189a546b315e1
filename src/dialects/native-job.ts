/** A job without `openai_route`, as the Python worker takes it: its keys decide what it wants. */
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import type { CallOptions, RerankResult, Service } from '../task.ts'
import type { Endpoint } from './dialect.ts'
import { usage } from './embedding-answer.ts'
import { openaiEmbeddings } from './openai.ts'
import { shortenFloat32 } from '../base/float-text.ts'
import { MODEL_NAME, readBody, readText, readTexts } from './read-body.ts'

const NativeBody = z.looseObject({
  task: z.enum(['embed', 'rerank']).nullish(),
  model: MODEL_NAME,
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
  method: 'POST',
  jobOutput: 'bare',
  // a job's error is a string, and the message says all
  errorBody: () => undefined,
  async answer(body, service, options) {
    const fields = readBody(NativeBody, body, 'input')
    const task = fields.task ?? guessTask(fields)
    return task === 'rerank'
      ? rerank(fields, service, options)
      : openaiEmbeddings.answer(body, service, options)
  },
}

/** Clients send null for what they leave out. */
function guessTask({ query, docs, documents, input }: NativeBody): 'embed' | 'rerank' {
  if (isGiven(query)) return 'rerank'
  if (isGiven(input)) return 'embed'
  if (isGiven(docs) || isGiven(documents)) return 'rerank'
  throw new ServerError(
    'invalid_request',
    'the job has neither "input" (to embed), nor "query" and "docs" (to rerank), nor "openai_route"',
  )
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

async function rerank(fields: NativeBody, service: Service, options: CallOptions) {
  const field = !isGiven(fields.docs) && isGiven(fields.documents) ? 'documents' : 'docs'
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
