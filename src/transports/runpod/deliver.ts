/** A job's result as it can travel: encoded, and within the platform's size limit. */
import { encodeJson } from '../../base/encode-json.ts'
import { messageOf } from '../../errors.ts'
import type { JobResult } from './job.ts'
import type { EncodedOutcome, EncodedOutput } from './job-source.ts'
import type { Bucket } from './upload-target.ts'
import { findUploadTarget } from './upload-target.ts'

export interface DeliverOptions {
  readonly bucket?: Bucket | undefined
  /** Of an output's JSON, in bytes. */
  readonly maxResultBytes?: number
}

export interface Delivery {
  readonly jobId: string
  readonly job: Readonly<Record<string, unknown>>
  readonly result: JobResult
  readonly signal: AbortSignal
}

/** Rejects only where `signal` aborts. */
export type Deliver = (delivery: Delivery) => Promise<EncodedOutcome>

/** What RunPod documents for /runsync, less what stands around an output. */
const MAX_RESULT_BYTES = 20_000_000 - 1000
const MAX_ERROR_CHARACTERS = 16_000

export const SIZE_HINT =
  'ask for encoding_format "base64", send fewer items per job, or name an S3 bucket (BUCKET_ENDPOINT_URL, or s3Config in the job)'

export function openDeliver({ bucket, maxResultBytes = MAX_RESULT_BYTES }: DeliverOptions): Deliver {
  return async (delivery) => {
    const { result } = delivery
    if ('error' in result) return { error: cutError(result.error) }
    const isListOfOne = Array.isArray(result.output) && result.output.length === 1
    let json: Buffer
    try {
      json = await encodeJson(result.output)
    } catch (error) {
      return { error: cutError(`the output cannot be written as JSON: ${messageOf(error)}`) }
    }
    const bytes = json.byteLength
    if (bytes <= maxResultBytes) return { output: { json, isListOfOne } }
    const tooLarge = `the output has ${megabytes(bytes)} and a result may have ${megabytes(maxResultBytes)}`
    try {
      const output = await uploadOutput(delivery, json, bucket)
      if (output === undefined) return { error: `${tooLarge}; ${SIZE_HINT}` }
      return { output: await wrap(output, isListOfOne) }
    } catch (error) {
      delivery.signal.throwIfAborted()
      return {
        error: cutError(
          `${tooLarge}; it could not be written to the S3 bucket: ${messageOf(error)}; ${SIZE_HINT}`,
        ),
      }
    }
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** What stands in for the output; undefined where there is no bucket. */
async function uploadOutput(
  { jobId, job, signal }: Delivery,
  json: Uint8Array,
  bucket: Bucket | undefined,
): Promise<object | undefined> {
  const target = findUploadTarget(job['s3Config'], bucket)
  if (target === undefined) return undefined
  // Its HTTP client is read only where it is needed: a start does without.
  const { upload } = await import('./upload.ts')
  const { url, expiresMs } = await upload(target, { name: jobId, json, signal })
  return {
    object: 'result_url',
    url,
    bytes: json.byteLength,
    content_type: 'application/json',
    expires_at: new Date(expiresMs).toISOString(),
  }
}

/** The gateway's `/openai/*` routes answer with the one element of a list, whatever it is. */
async function wrap(output: object, isListOfOne: boolean): Promise<EncodedOutput> {
  return { json: await encodeJson(isListOfOne ? [output] : output), isListOfOne }
}

/** The platform takes an empty error for none. */
function cutError(error: string): string {
  if (error === '') return 'the job failed'
  if (error.length <= MAX_ERROR_CHARACTERS) return error
  return `${error.slice(0, MAX_ERROR_CHARACTERS).toWellFormed()}…`
}
