/** A job as the gateway shows it: keys in the order of the alphabet, absent where they do not apply. */
import { encodeJson } from '../../base/encode-json.ts'
import type { Job } from './job.ts'
import type { StreamPart } from './stored-job.ts'

/** A key and its JSON; no JSON, no key. */
type Field = readonly [key: string, json: string | Uint8Array | undefined]

/** What `/status` answers. A result is spliced in as it was stored: it is large at times. */
export function statusJson(job: Job): Buffer {
  return objectJson(statusFields(job))
}

/** What is told of a job whose result is not asked for, or not there yet. */
export function briefJson({ id, status }: Pick<Job, 'id' | 'status'>): Buffer {
  return Buffer.from(JSON.stringify({ id, status }))
}

/** One page of `/requests`: jobs without their results. */
export function requestsJson(jobs: readonly Job[]): Buffer {
  const pieces = jobs.map((job) => objectJson(statusFields(job).filter(([key]) => key !== 'output')))
  return objectJson([['requests', listJson(pieces)]])
}

export function streamJson({ job, chunks }: StreamPart): Buffer {
  return objectJson([
    ['status', JSON.stringify(job.status)],
    ['stream', listJson(chunks)],
  ])
}

/** What a webhook gets: the status, its input and its own address. The job may change meanwhile; this does not. */
export async function webhookJson(job: Job): Promise<Buffer> {
  const fields = statusFields(job)
  const webhook = JSON.stringify(job.webhook)
  const input = await encodeJson(job.input)
  const all: Field[] = [...fields, ['input', input], ['webhook', webhook]]
  return objectJson(all.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What a worker is given of a job. */
export function jobForWorker({ id, input, policy, s3Config, webhook }: Job): object {
  return { id, input, policy, s3Config, webhook }
}

function statusFields(job: Job): Field[] {
  const { submittedAt, startedAt, endedAt } = job
  return [
    ['delayTime', duration(submittedAt, startedAt)],
    ['error', JSON.stringify(job.error)],
    ['executionTime', duration(startedAt, endedAt)],
    ['id', JSON.stringify(job.id)],
    ['output', job.output?.json],
    ['retries', job.retries > 0 ? String(job.retries) : undefined],
    ['status', JSON.stringify(job.status)],
    ['workerId', JSON.stringify(job.workerId)],
  ]
}

function duration(from: number | undefined, to: number | undefined): string | undefined {
  return from === undefined || to === undefined ? undefined : String(Math.max(0, Math.round(to - from)))
}

function objectJson(fields: readonly Field[]): Buffer {
  const pieces: Uint8Array[] = []
  let mark = '{'
  for (const [key, json] of fields) {
    if (json === undefined) continue
    pieces.push(Buffer.from(`${mark}"${key}":`), typeof json === 'string' ? Buffer.from(json) : json)
    mark = ','
  }
  return Buffer.concat([...pieces, Buffer.from('}')])
}

function listJson(items: readonly Uint8Array[]): Buffer {
  const comma = Buffer.from(',')
  const inside = items.flatMap((item, index) => (index === 0 ? [item] : [comma, item]))
  return Buffer.concat([Buffer.from('['), ...inside, Buffer.from(']')])
}
