/** Asks for one job as a client would, and says what was wrong with the answer. */
import { setTimeout } from 'node:timers/promises'
import type { ChaosJob } from './chaos-jobs.ts'

export interface ChaosClient {
  /** Of the endpoint. */
  readonly url: string
  /** What an undisturbed worker answers, by text. */
  readonly reference: ReadonlyMap<string, Float32Array>
}

/** As a client reads it. */
interface JobAnswer {
  readonly id: string
  readonly status: string
  readonly output?: EmbeddingList
  readonly error?: string
}

interface EmbeddingList {
  readonly data?: readonly { readonly index: number; readonly embedding: readonly number[] | string }[]
}

const TOLERANCE = 1e-5
const WAIT_MS = 300_000
/** Shorter and longer than jobs take: some are caught in the queue, some while they run, some too late. */
const CANCEL_AFTER_MS = 60

/** undefined: all is as it must be. */
export async function askFor(job: ChaosJob, client: ChaosClient): Promise<string | undefined> {
  switch (job.kind) {
    case 'openai-float':
    case 'openai-base64':
      return compare(
        job,
        (await post(`${client.url}/openai/v1/embeddings`, job.input)) as EmbeddingList,
        client,
      )
    case 'runsync':
      return judge(job, await postJob(`${client.url}/runsync?wait=${WAIT_MS}`, { input: job.input }), client)
    case 'run':
    case 'bad':
      return judge(job, await waitFor(await submit(job, client), client), client)
    case 'cancelled': {
      const id = await submit(job, client)
      await setTimeout(Math.random() * CANCEL_AFTER_MS)
      await post(`${client.url}/cancel/${id}`, {})
      return judge(job, await waitFor(id, client), client)
    }
    default:
      return job.kind satisfies never
  }
}

async function submit(job: ChaosJob, { url }: ChaosClient): Promise<string> {
  return (await postJob(`${url}/run`, { input: job.input })).id
}

/** Asks twice: an answer, once given, must stay. */
async function waitFor(id: string, { url }: ChaosClient): Promise<JobAnswer> {
  const first = await readJob(await fetch(`${url}/status-sync/${id}?wait=${WAIT_MS}`))
  await setTimeout(500)
  const second = await readJob(await fetch(`${url}/status/${id}`))
  return first.status === second.status
    ? first
    : { id, status: `first ${first.status}, then ${second.status}` }
}

function judge(job: ChaosJob, answer: JobAnswer, client: ChaosClient): string | undefined {
  const { id, status, error = '', output } = answer
  const said = `${id} (${job.kind}): ${status} ${error}`
  if (job.error !== undefined) return status === 'FAILED' && error.includes(job.error) ? undefined : said
  if (job.kind === 'cancelled' && status === 'CANCELLED') return undefined
  if (status !== 'COMPLETED') return said
  const problem = compare(job, output ?? {}, client)
  return problem && `${id}: ${problem}`
}

function compare({ kind, texts }: ChaosJob, { data = [] }: EmbeddingList, { reference }: ChaosClient) {
  if (data.length !== texts.length) return `${kind}: ${data.length} vectors for ${texts.length} texts`
  for (const [index, text] of texts.entries()) {
    const embedding = data[index]?.embedding ?? []
    const vector = typeof embedding === 'string' ? decode(embedding) : embedding
    const expected = reference.get(text) ?? new Float32Array()
    const difference = maxDifference(vector, expected)
    if (!(difference <= TOLERANCE)) return `${kind}: vector ${index} is off by ${difference}`
  }
  return undefined
}

function maxDifference(vector: ArrayLike<number>, expected: Float32Array): number {
  if (vector.length !== expected.length || vector.length === 0) return Infinity
  return expected.reduce((max, value, index) => Math.max(max, Math.abs(value - (vector[index] ?? NaN))), 0)
}

function decode(base64: string): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(base64, 'base64')).buffer)
}

async function postJob(url: string, body: object): Promise<JobAnswer> {
  return (await post(url, body)) as JobAnswer
}

async function post(url: string, body: object): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`HTTP ${response.status}: ${await response.text()}`)
  return response.json()
}

async function readJob(response: Response): Promise<JobAnswer> {
  if (!response.ok) throw new Error(`HTTP ${response.status}: ${await response.text()}`)
  return (await response.json()) as JobAnswer
}
