/** What RunPod, and the bucket for large results, need to be known by. */
import type { Texts } from './rows.ts'
import { readRow } from './rows.ts'
import { PLATFORM, SETTINGS } from './settings.ts'
import type { Complain } from './reading.ts'
import type { Setting } from './settings.ts'

/** An S3 bucket that large results are written to. */
export interface Bucket {
  /** Of the bucket itself, without a slash at its end. */
  readonly url: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** What RunPod tells a worker. Addresses are templates: `$RUNPOD_POD_ID` and `$ID` stand in them. */
export interface Platform {
  readonly takeUrl?: string | undefined
  readonly doneUrl?: string | undefined
  readonly pingUrl?: string | undefined
  readonly pingIntervalMs: number
  /** Sent as it is, without `Bearer`. */
  readonly apiKey?: string | undefined
  readonly workerId?: string | undefined
  readonly endpointId?: string | undefined
  readonly gpuTypeId?: string | undefined
  readonly initTimeoutMs: number
}

export function readBucket(env: Texts, complain: Complain): Bucket | undefined {
  const { bucketEndpointUrl, bucketName, bucketAccessKeyId, bucketSecretAccessKey } = SETTINGS
  const endpoint = readRow(bucketEndpointUrl, env, complain)?.replace(/\/+$/, '')
  const name = readRow(bucketName, env, complain)
  const accessKeyId = readRow(bucketAccessKeyId, env, complain)
  const secretAccessKey = readRow(bucketSecretAccessKey, env, complain)
  if (endpoint === undefined) return undefined
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    complain('BUCKET_ENDPOINT_URL: needs BUCKET_ACCESS_KEY_ID and BUCKET_SECRET_ACCESS_KEY beside it')
    return undefined
  }
  return { url: name === undefined ? endpoint : `${endpoint}/${name}`, accessKeyId, secretAccessKey }
}

const DEFAULT_PING_INTERVAL_MS = 10_000
const DEFAULT_INIT_TIMEOUT_SECONDS = 420

/** Lenient: no person wrote these, and a worker that refuses to start over one of them helps nobody. */
export function readPlatform(env: Texts): Platform {
  const text = (row: Setting<string | undefined>) => readRow(row, env, () => {})
  const positive = (row: Setting<string | undefined>, fallback: number) => {
    const number = Number(text(row))
    return number > 0 && Number.isFinite(number) ? number : fallback
  }
  return {
    takeUrl: text(PLATFORM.takeUrl),
    doneUrl: text(PLATFORM.doneUrl),
    pingUrl: text(PLATFORM.pingUrl),
    pingIntervalMs: Math.max(1000, positive(PLATFORM.pingInterval, DEFAULT_PING_INTERVAL_MS)),
    apiKey: text(PLATFORM.apiKey),
    workerId: text(PLATFORM.workerId),
    endpointId: text(PLATFORM.endpointId),
    gpuTypeId: text(PLATFORM.gpuTypeId),
    initTimeoutMs: 1000 * positive(PLATFORM.initTimeout, DEFAULT_INIT_TIMEOUT_SECONDS),
  }
}
