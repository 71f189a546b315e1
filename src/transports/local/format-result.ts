/** A job's result for a person: vectors shortened, with what one wants to know of them. */
import type { JobResult } from '../runpod/job.ts'

/** By the encoding's name where several were asked for. */
type Vector = number[] | string | { readonly [encoding: string]: Vector }

interface Embedding {
  readonly index: number
  readonly embedding: Vector
}

interface Ranked {
  readonly index: number
  readonly relevance_score: number
  readonly document?: unknown
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

/** `result`: its vectors are plain lists. What is neither embeddings nor a ranking is shown as it is. */
export function formatResult(result: JobResult, totalMs: number): string {
  if ('error' in result) return `FAILED\n${result.error}`
  const answer = (Array.isArray(result.output) ? result.output[0] : result.output) as Answer
  const items = formatItems(answer)
  if (items === undefined) return JSON.stringify(result.output, undefined, 2)
  const rest = items.length > SHOWN_ITEMS ? [`  … and ${items.length - SHOWN_ITEMS} more`] : []
  return [
    `model   ${answer.model}`,
    ...items.slice(0, SHOWN_ITEMS),
    ...rest,
    `tokens  ${answer.usage?.prompt_tokens}`,
    `time    ${totalMs.toFixed(1)} ms`,
  ].join('\n')
}

function formatItems({ data, results }: Answer): string[] | undefined {
  if (results?.every((item) => item.relevance_score !== undefined)) return results.map(formatRanked)
  return data?.[0]?.embedding === undefined ? undefined : data.map(formatEmbedding)
}

function formatEmbedding({ index, embedding }: Embedding): string {
  return `  [${index}]   ${formatVector(embedding)}`
}

function formatVector(vector: Vector): string {
  // of which numbers the bytes are, the text does not say
  if (typeof vector === 'string') return `base64 of ${Buffer.byteLength(vector, 'base64')} bytes`
  if (!Array.isArray(vector)) {
    const named = Object.entries(vector).map(([name, inner]) => `${name}: ${formatVector(inner)}`)
    return named.join('; ')
  }
  const shown = vector.slice(0, SHOWN_NUMBERS).map((value) => value.toFixed(6))
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return `[${shown.join(', ')}, …]  dim ${vector.length}  norm ${norm.toFixed(6)}`
}

function formatRanked({ index, relevance_score: score, document }: Ranked): string {
  return `  [${index}]   ${score.toFixed(6)}${document === undefined ? '' : `  ${JSON.stringify(document)}`}`
}
