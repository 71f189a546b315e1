/** What a result posted to job-done does to its job. */
import { encodeJson } from '../../src/base/encode-json.ts'
import type { JobStore } from '../../src/transports/gateway/job-store.ts'
import type { EncodedOutput } from '../../src/transports/runpod/job-source.ts'
import type { ResultPost } from './job-entry.ts'
import type { Ledger } from './ledger.ts'

export interface JobDoneOptions {
  readonly store: JobStore
  readonly ledger: Ledger
  /** As RunPod was observed to treat results that it does not like: their jobs complete without output. */
  readonly strict: boolean
}

export interface PostedResult {
  readonly workerId: string
  readonly jobId: string
  /** As it came; undefined where it was too large to be read. */
  readonly body: Buffer | undefined
}

export interface JobDone {
  readonly status: 200 | 400
  /** Undefined for progress, which is no result. */
  readonly post: ResultPost | undefined
  /** The worker asks to be replaced. */
  readonly stopPod: boolean
}

/** Of a result's body: RunPod documents it for /runsync. */
const MAX_RESULT_BYTES = 20_000_000

type Fields = Readonly<Record<string, unknown>>

export async function takeResult(result: PostedResult, options: JobDoneOptions): Promise<JobDone> {
  const { workerId, jobId, body } = result
  const { store, ledger, strict } = options
  const fields = body === undefined || body.byteLength > MAX_RESULT_BYTES ? undefined : readObject(body)
  if (fields === undefined) return rejectResult(result, options)
  const output = await outputOf(fields)
  if (fields['status'] === 'IN_PROGRESS') {
    if (output !== undefined) store.progress(jobId, output)
    return { status: 200, post: undefined, stopPod: false }
  }
  const { error = null } = fields
  const isMistyped = error !== null && typeof error !== 'string'
  const post = ledger.resultPosted(jobId, workerId, { body: body ?? EMPTY, failed: isMistyped || !!error })
  if (isMistyped && strict) {
    finishEmpty(result, options, 'the error of its result was no string')
  } else {
    store.finish(jobId, workerId, { output, error: errorText(error) })
  }
  return { status: 200, post, stopPod: fields['stopPod'] === true }
}

const EMPTY = new Uint8Array()

/** 400 says so to the worker. Lenient, the job waits for what the worker posts instead. */
function rejectResult(result: PostedResult, options: JobDoneOptions): JobDone {
  const { workerId, jobId, body } = result
  const post = options.ledger.resultPosted(jobId, workerId, { body: body ?? EMPTY, failed: true })
  if (options.strict) finishEmpty(result, options, 'its result was too large, or no JSON object')
  return { status: 400, post, stopPod: false }
}

function finishEmpty(
  { jobId, workerId }: PostedResult,
  { store, ledger }: JobDoneOptions,
  why: string,
): void {
  if (store.finish(jobId, workerId, {}) === 'accepted')
    ledger.spoiled(jobId, `${why}: COMPLETED without output`)
}

/** An empty one is none. */
function errorText(error: unknown): string | undefined {
  if (error === null || error === '') return undefined
  return typeof error === 'string' ? error : JSON.stringify(error)
}

async function outputOf({ output }: Fields): Promise<EncodedOutput | undefined> {
  if (output === undefined) return undefined
  return { json: await encodeJson(output), isListOfOne: Array.isArray(output) && output.length === 1 }
}

function readObject(body: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
