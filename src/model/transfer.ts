/** One file from the hub into a model's blobs: continued where an earlier attempt ended, and checked by its hash. */
import type { Hash } from 'node:crypto'
import { createHash } from 'node:crypto'
import { ServerError } from '../errors.ts'
import type { HubFile } from './hub-cache.ts'
import { blobPath, hasSize } from './hub-cache.ts'
import type { Hub } from './hub-request.ts'
import { networkFailure, passing, pause, request, withRetries } from './hub-request.ts'
import type { Part } from './part.ts'
import { claimPart, sweepParts } from './part.ts'

export interface Destination {
  /** The model's folder in the cache. */
  readonly folder: string
  readonly url: string
  /** The bytes of the file that are there so far; fewer than before where it had to begin again. */
  readonly onBytes: (bytes: number) => void
  /** Another worker is fetching the file; called once. */
  readonly onWait: () => void
}

/** A connection that brings nothing for longer is given up. */
const SILENCE_MS = 30_000
const POLL_MS = 500

/**
 * Returns once the blob is there, fetched by this worker or by another. Throws a `ServerError` for what the hub or the
 * network did, and what the disk says as it is. The part that is there then stays, for the next attempt.
 */
export async function transfer(file: HubFile, hub: Hub, destination: Destination): Promise<void> {
  const { folder, onBytes, onWait } = destination
  const blob = blobPath(folder, file)
  let hasWaited = false
  while (!(await hasSize(blob, file.size))) {
    const claim = await claimPart(blob)
    if (claim.owner === 'self') {
      await fill(claim.part, file, hub, destination)
      await claim.part.finish(blob)
      continue
    }
    if (!hasWaited) onWait()
    hasWaited = true
    onBytes(claim.bytes)
    await pause(hub, POLL_MS)
  }
  onBytes(file.size)
  await sweepParts(blob)
}

async function fill(part: Part, file: HubFile, hub: Hub, destination: Destination): Promise<void> {
  let isWrong = false
  try {
    for (let left = 2; left > 0; left--) {
      const hash = await download(part, file, hub, destination)
      if (hash === file.etag) return
      await part.clear()
      if (left > 1) hub.onRetry(`${file.path} arrived with the hash ${hash}; the hub lists ${file.etag}`, 0)
      else isWrong = true
    }
    throw new ServerError(
      'load_failed',
      `${hub.model}: ${file.path} arrived twice with another hash than the hub lists (${file.etag})`,
    )
  } catch (error) {
    await (isWrong ? part.discard() : part.release())
    throw error
  }
}

/** Appends what is missing of the file; returns its hash. */
async function download(part: Part, file: HubFile, hub: Hub, destination: Destination): Promise<string> {
  const { url, onBytes } = destination
  const begun = await resume(part, file)
  let { position, hash } = begun
  let furthest = position
  onBytes(position)
  await withRetries(hub, async (renew) => {
    if (position === file.size) return
    for await (const { start, bytes } of stream(hub, { url, file, position })) {
      if (start !== position) hash = newHash(file)
      await part.write(bytes, start)
      hash.update(bytes)
      position = start + bytes.length
      // only what was never reached before counts as progress: a server that cannot continue may break off for ever
      if (position > furthest) renew()
      furthest = Math.max(furthest, position)
      onBytes(position)
    }
    if (position < file.size) {
      throw passing(hub, `${file.path} broke off after ${position} of ${file.size} bytes`)
    }
  })
  return hash.digest('hex')
}

/** The bytes that an earlier attempt left, hashed. */
async function resume(part: Part, file: HubFile): Promise<{ position: number; hash: Hash }> {
  const hash = newHash(file)
  const size = await part.size()
  if (size > file.size) {
    await part.clear()
    return { position: 0, hash }
  }
  for await (const bytes of part.read(size)) hash.update(bytes)
  return { position: size, hash }
}

interface StreamOptions {
  readonly url: string
  readonly file: HubFile
  readonly position: number
}

/** The file's bytes from `position` on, or from its start where the server does not know ranges. */
async function* stream(
  hub: Hub,
  { url, file, position }: StreamOptions,
): AsyncGenerator<{ start: number; bytes: Uint8Array }> {
  const silence = new AbortController()
  const timer = setTimeout(() => {
    silence.abort(passing(hub, `nothing more of ${file.path} came for ${SILENCE_MS / 1000} s`))
  }, SILENCE_MS)
  try {
    // compressed, a length would be that of something else
    const headers: Record<string, string> = { 'accept-encoding': 'identity' }
    if (position > 0) headers['range'] = `bytes=${position}-`
    const response = await request(hub, url, { headers, signal: silence.signal })
    let start = expectRest(hub, response, { url, file, position })
    for await (const bytes of response.body ?? []) {
      timer.refresh()
      if (start + bytes.length > file.size) throw passing(hub, `${file.path} is longer than the hub lists`)
      yield { start, bytes }
      start += bytes.length
    }
  } catch (error) {
    throw networkFailure(hub, new URL(url).host, error)
  } finally {
    clearTimeout(timer)
  }
}

/** Where the body starts in the file. Throws where its length is not what is missing. */
function expectRest(hub: Hub, { status, headers }: Response, { file, position }: StreamOptions): number {
  const start = status === 206 ? position : 0
  const range = headers.get('content-range')
  if (status === 206 && range?.startsWith(`bytes ${position}-`) !== true) {
    throw passing(hub, `${file.path} was asked for from byte ${position} on; the answer is ${range}`)
  }
  const length = headers.get('content-length')
  if (length !== null && Number(length) !== file.size - start) {
    throw passing(
      hub,
      `${file.path} should bring ${file.size - start} bytes; the answer says it has ${length}`,
    )
  }
  return start
}

function newHash({ etag, size }: HubFile): Hash {
  // git hashes a header together with the content
  return etag.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
}
