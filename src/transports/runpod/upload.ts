/** Large outputs go to an S3 bucket, and a link to them into the result. */
import { Agent, request } from 'undici'
import type { Dispatcher } from 'undici'
import { pause as realPause } from '../../base/abort.ts'
import type { Pause } from '../../base/abort.ts'
import { NotPublicHost, expectPublicHost, lookupPublic } from '../../base/public-address.ts'
import { messageOf } from '../../errors.ts'
import { backoffMs } from './backoff.ts'
import type { UploadTarget } from './upload-target.ts'

export interface UploadOptions {
  /** Name of the object, without its ending. */
  readonly name: string
  readonly json: Uint8Array
  readonly signal: AbortSignal
  readonly pause?: Pause
}

export interface Uploaded {
  /** Opens without a key. */
  readonly url: string
  /** Until when it does, in milliseconds since 1970. */
  readonly expiresMs: number
}

/** Seconds; S3 grants no more. */
const LINK_SECONDS = 604_800
const TRIES = 4
const TRY_LIMIT_MS = 120_000
/** Of an error; its code stands at its start. */
const READ_BYTES = 4096

/** Throws what made the upload fail, said in a way that a client may read. */
export async function upload(target: UploadTarget, options: UploadOptions): Promise<Uploaded> {
  const { accessKeyId, secretAccessKey, publicOnly } = target
  const { AwsV4Signer } = await import('aws4fetch')
  const url = objectUrl(target, options.name)
  if (publicOnly) expectPublicHost(new URL(url))
  const keys = { accessKeyId, secretAccessKey, service: 's3' }
  const connect = publicOnly ? { lookup: lookupPublic } : {}
  const agent = new Agent({ allowH2: false, connect })
  try {
    await put(options, agent, async () => {
      const headers = { 'content-type': 'application/json' }
      const signed = await new AwsV4Signer({ ...keys, method: 'PUT', url, headers }).sign()
      return { url, headers: Object.fromEntries(signed.headers) }
    })
  } finally {
    await agent.destroy()
  }
  const expiresMs = Date.now() + LINK_SECONDS * 1000
  const unsigned = `${url}?X-Amz-Expires=${LINK_SECONDS}`
  const link = await new AwsV4Signer({ ...keys, method: 'GET', url: unsigned, signQuery: true }).sign()
  return { url: link.url.href, expiresMs }
}

function objectUrl({ url, folders }: UploadTarget, name: string): string {
  const parts = [...folders, `${name}.json`].map((part) => encodeURIComponent(part.toWellFormed()))
  return `${url}/${parts.join('/')}`
}

interface SignedRequest {
  readonly url: string
  readonly headers: Record<string, string>
}

/** `sign` is asked before every try: a signature is good for minutes only. */
async function put(
  { json, signal, pause = realPause }: UploadOptions,
  dispatcher: Agent,
  sign: () => Promise<SignedRequest>,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const failure = await putOnce(await sign(), json, { dispatcher, signal })
    if (failure === undefined) return
    if (!failure.retry || tries === TRIES) throw new Error(failure.message)
    await pause(backoffMs(tries), signal)
    signal.throwIfAborted()
  }
}

interface Failure {
  readonly message: string
  readonly retry: boolean
}

async function putOnce(
  { url, headers }: SignedRequest,
  body: Uint8Array,
  { dispatcher, signal }: { dispatcher: Agent; signal: AbortSignal },
): Promise<Failure | undefined> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TRY_LIMIT_MS)])
    const response = await request(url, { method: 'PUT', headers, body, dispatcher, signal: limit })
    const status = response.statusCode
    if (status >= 200 && status < 300) {
      await response.body.dump()
      return undefined
    }
    const code = /<Code>(\w{1,60})<\/Code>/.exec(await readStart(response.body))?.[1]
    const message = code === undefined ? `HTTP ${status}` : `HTTP ${status} (${code})`
    return { message, retry: status >= 500 || status === 429 || status === 408 }
  } catch (error) {
    signal.throwIfAborted()
    return { message: messageOf(error), retry: !(error instanceof NotPublicHost) }
  }
}

/** The server may be of a client's choice: what it says is not read without end. */
async function readStart(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  // Left early, it is destroyed.
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    if (bytes >= READ_BYTES) break
  }
  return Buffer.concat(chunks).toString('utf8', 0, READ_BYTES)
}
