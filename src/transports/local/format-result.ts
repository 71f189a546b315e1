/** A job's result for a person: vectors shortened, with what one wants to know of them. */
import type { JobResult } from '../runpod/job.ts'

interface Embedding {
  readonly index: number
  readonly embedding: readonly number[] | string
}

interface Ranked {
  readonly index: number
  readonly relevance_score: number
  readonly document?: string
}

interface Answer {
  readonly object?: string
  readonly model?: string
  readonly data?: readonly Embedding[]
  readonly results?: readonly Ranked[]
  readonly usage?: { readonly prompt_tokens: number }
}

const SHOWN_NUMBERS = 4
const SHOWN_ITEMS = 10

export function formatResult(result: JobResult, totalMs: number): string {
  if ('error' in result) return `FAILED\n${result.error}`
  const answer = (Array.isArray(result.output) ? result.output[0] : result.output) as Answer
  const isEmbedding = answer.data?.[0]?.embedding !== undefined
  if (!isEmbedding && answer.results === undefined) return JSON.stringify(result.output, undefined, 2)
  const items = answer.results ? answer.results.map(formatRanked) : (answer.data ?? []).map(formatEmbedding)
  const rest = items.length > SHOWN_ITEMS ? [`  … and ${items.length - SHOWN_ITEMS} more`] : []
  return [
    `model   ${answer.model}`,
    ...items.slice(0, SHOWN_ITEMS),
    ...rest,
    `tokens  ${answer.usage?.prompt_tokens}`,
    `time    ${totalMs.toFixed(1)} ms`,
  ].join('\n')
}

function formatEmbedding({ index, embedding }: Embedding): string {
  const vector = typeof embedding === 'string' ? decodeBase64(embedding) : embedding
  const shown = vector.slice(0, SHOWN_NUMBERS).map((value) => value.toFixed(6))
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return `  [${index}]   [${shown.join(', ')}, …]  dim ${vector.length}  norm ${norm.toFixed(6)}`
}

function formatRanked({ index, relevance_score: score, document }: Ranked): string {
  return `  [${index}]   ${score.toFixed(6)}${document === undefined ? '' : `  ${JSON.stringify(document)}`}`
}

function decodeBase64(text: string): number[] {
  const bytes = Buffer.from(text, 'base64')
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4))
}
