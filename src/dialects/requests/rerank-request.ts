/** The one schema of all requests to rerank. */
import { z } from 'zod'
import { ServerError } from '../../errors.ts'
import type { RerankTask } from '../../task.ts'
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
import { readBody } from './read-body.ts'
import type { Documents } from './read-documents.ts'
import { readDocuments } from './read-documents.ts'
import { readText } from './read-texts.ts'

/** All but the documents, which each dialect has under a name of its own. */
export const RERANK_FIELDS = {
  ...MODEL_FIELDS,
  /** A text, or an object with one; `queries` has one for each document, or one for all. */
  query: z.unknown().optional(),
  queries: z.array(z.unknown()).nullish(),
  top_n: COUNT,
  top_k: COUNT,
  return_documents: SWITCH,
  return_docs: SWITCH,
  return_text: SWITCH,
  return_input: SWITCH,
  raw_scores: SWITCH,
  normalize: SWITCH,
  /** Of documents that are objects: those that count, in this order. */
  rank_fields: shortList(z.array(z.string()).nullish()),
  instruction: z.string().nullish(),
  task_instruction: z.string().nullish(),
  max_tokens_per_doc: COUNT,
  max_tokens_per_query: COUNT,
  ...PRIORITY_FIELD,
  ...PROMPT_FIELDS,
  ...TRUNCATION_FIELDS,
}

export const RerankBody = z.looseObject(RERANK_FIELDS)

export interface RerankRequest {
  readonly task: RerankTask
  readonly name: string | undefined
  readonly documents: Documents
  /** How many of the best are wanted. */
  readonly topN: number
  readonly withDocuments: boolean
  /** Before the activation. */
  readonly rawScores: boolean
}

export interface RerankSource {
  readonly body: unknown
  /** Fields that may hold the documents, the likeliest first. */
  readonly fields: readonly [string, ...string[]]
  readonly pathModel?: string | undefined
}

/** Throws `invalid_request`, or `wrong_task` for what is no text. */
export function readRerankRequest({ body, fields: names, pathModel }: RerankSource): RerankRequest {
  const fields = readBody(RerankBody, body)
  const name = readModel(fields, pathModel)
  const documents = readDocuments(fields, names, fields.rank_fields ?? undefined)
  const query = readQuery(fields, documents.texts.length)
  const { instruction, task_instruction } = fields
  const words = firstGiven(instruction, task_instruction)
  return {
    name,
    documents,
    topN: Math.min(fields.top_n || fields.top_k || Infinity, documents.texts.length),
    withDocuments:
      firstGiven(fields.return_documents, fields.return_docs, fields.return_text, fields.return_input) ??
      false,
    rawScores: fields.raw_scores ?? fields.normalize === false,
    task: {
      kind: 'rerank',
      model: name,
      query,
      documents: documents.texts,
      instruction: words || undefined,
      prompt: words ? undefined : readPrompt(fields),
      ...readTruncation(fields),
      maxDocumentTokens: fields.max_tokens_per_doc || undefined,
      maxQueryTokens: fields.max_tokens_per_query || undefined,
    },
  }
}

function readQuery(
  { query, queries }: z.infer<typeof RerankBody>,
  count: number,
): string | readonly string[] {
  if (query !== undefined && query !== null) return readText(query, 'query')
  if (queries === undefined || queries === null) return readText(query, 'query')
  const texts = queries.map((item, index) => readText(item, `queries[${index}]`))
  const [first] = texts
  if (first !== undefined && texts.every((text) => text === first) && [1, count].includes(texts.length))
    return first
  if (texts.length === count) return texts
  throw new ServerError(
    'invalid_request',
    `queries is a list of ${texts.length} for ${count} documents; it must have one item, or one for each document`,
  )
}
