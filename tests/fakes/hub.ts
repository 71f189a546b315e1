/** A Hugging Face hub on loopback: its API and files on one port, the contents of large files on another, as a CDN. */
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, relative } from 'node:path'

export interface FakeRepository {
  readonly commit: string
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly branches?: readonly string[]
  /** Only this token reads it. */
  readonly token?: string
  readonly gated?: boolean
}

export interface SeenRequest {
  readonly host: 'hub' | 'cdn'
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
  readonly encoding: string | undefined
}

/** What a server does instead of answering as it should. */
export interface Fault {
  /** Answers this, its headers and its body, in chunks of no declared length. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** This much of the body at a time, then nothing more until `cut` or `flow`. */
  readonly stallAfterBytes?: number
  readonly ignoreRange?: boolean
}

export interface FakeHub extends AsyncDisposable {
  readonly endpoint: string
  /** By name. */
  readonly repositories: Map<string, FakeRepository>
  readonly requests: SeenRequest[]
  fault: (request: SeenRequest) => Fault | undefined
  /** Files in one page of a listing. */
  pageSize: number
  /** Breaks the connections that stall: when a client has told that it has all they brought. */
  readonly cut: () => void
  /** Lets the connections that stall bring as much again. */
  readonly flow: () => void
  close(): Promise<void>
}

/** Larger ones are kept as LFS keeps them, as are all weights. */
const LFS_BYTES = 100_000

export async function openHub(repositories: Readonly<Record<string, FakeRepository>> = {}): Promise<FakeHub> {
  const answer =
    (host: SeenRequest['host']) => async (request: IncomingMessage, response: ServerResponse) => {
      const { method = '', url: path = '', headers } = request
      const { range, authorization, 'accept-encoding': accepted } = headers
      const seen = { host, method, path, range, authorization, encoding: accepted?.toString() }
      hub.requests.push(seen)
      const reply = host === 'hub' ? answerHub(hub, cdn.origin, seen) : answerCdn(hub, seen)
      const fault = hub.fault(seen)
      const rest = send(response, seen, reply, fault)
      if (rest !== undefined) stalled.set(response, { rest, pieceBytes: fault?.stallAfterBytes ?? 0 })
    }
  const stalled = new Map<ServerResponse, { rest: Buffer; readonly pieceBytes: number }>()
  const front = await listen(answer('hub'))
  const cdn = await listen(answer('cdn'))
  const close = async () => {
    await Promise.all([front.close(), cdn.close()])
  }
  const hub: FakeHub = {
    endpoint: front.origin,
    repositories: new Map(Object.entries(repositories)),
    requests: [],
    fault: () => undefined,
    pageSize: 1000,
    cut: () => {
      for (const response of stalled.keys()) response.destroy()
      stalled.clear()
    },
    flow: () => {
      for (const [response, state] of stalled) {
        response.write(state.rest.subarray(0, state.pieceBytes))
        state.rest = state.rest.subarray(state.pieceBytes)
        if (state.rest.length > 0) continue
        response.end()
        stalled.delete(response)
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
  return hub
}

/** A folder as a repository. */
export async function repositoryOf(
  folder: string,
  options: Partial<FakeRepository> = {},
): Promise<FakeRepository> {
  const files = new Map<string, Uint8Array>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(relative(folder, path), await readFile(path))
  }
  return { commit: commitOf(folder), files, ...options }
}

/** A made-up commit. */
export function commitOf(name: string): string {
  return createHash('sha1').update(name).digest('hex')
}

export function isLfs(path: string, bytes: Uint8Array): boolean {
  return path.endsWith('.safetensors') || path.endsWith('.bin') || bytes.length > LFS_BYTES
}

/** The name of a file's blob in a cache. */
export function etagOf(path: string, bytes: Uint8Array): string {
  return isLfs(path, bytes) ? sha256(bytes) : gitId(bytes)
}

interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

function answerHub(hub: FakeHub, cdn: string, { path, authorization }: SeenRequest): Reply {
  const { pathname, searchParams } = new URL(path, hub.endpoint)
  const [, name = '', kind = '', revision = '', rest = ''] =
    /^\/api\/models\/(.+?)\/(revision|tree)\/([^/]+)()$/.exec(pathname) ??
    /^\/(.+?)\/(resolve)\/([^/]+)\/(.+)$/.exec(pathname) ??
    []
  const repository = hub.repositories.get(name)
  if (repository === undefined) return refuse(401, 'RepoNotFound')
  const { commit, files, branches = ['main'], token, gated } = repository
  if (token !== undefined && authorization !== `Bearer ${token}`) {
    // the real one tells a stranger's token from none by the message alone
    if (gated === true) return refuse(authorization === undefined ? 401 : 403, 'GatedRepo')
    return authorization === undefined ? refuse(401, 'RepoNotFound') : refuse(401)
  }
  if (![commit, ...branches].includes(decodeURIComponent(revision))) return refuse(404, 'RevisionNotFound')
  if (kind === 'revision') {
    const siblings = [...files.keys()].map((rfilename) => ({ rfilename }))
    return json({ id: name, sha: commit, siblings, private: false, gated: gated === true, tags: [] })
  }
  if (kind === 'tree') return listTree(hub, files, { pathname, page: Number(searchParams.get('cursor')) })
  const bytes = files.get(decodeURIComponent(rest))
  if (bytes === undefined) return refuse(404, 'EntryNotFound')
  return resolveFile(decodeURIComponent(rest), bytes, { commit, cdn })
}

function listTree(
  { endpoint, pageSize }: FakeHub,
  files: ReadonlyMap<string, Uint8Array>,
  { pathname, page }: { pathname: string; page: number },
): Reply {
  const entries = [...files].map(([path, bytes]) => {
    const entry = { type: 'file', path, size: bytes.length }
    if (!isLfs(path, bytes)) return { ...entry, oid: gitId(bytes) }
    return {
      ...entry,
      oid: gitId(Buffer.from(path)),
      lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 },
    }
  })
  const next = `<${endpoint}${pathname}?recursive=true&cursor=${page + 1}>; rel="next"`
  const isLast = (page + 1) * pageSize >= entries.length
  return json(entries.slice(page * pageSize, (page + 1) * pageSize), isLast ? {} : { link: next })
}

function resolveFile(
  path: string,
  bytes: Uint8Array,
  { commit, cdn }: { commit: string; cdn: string },
): Reply {
  const headers = { 'x-repo-commit': commit }
  if (!isLfs(path, bytes))
    return { status: 200, headers: { ...headers, etag: `"${gitId(bytes)}"` }, body: bytes }
  const etag = sha256(bytes)
  return {
    status: 302,
    headers: {
      ...headers,
      location: `${cdn}/${etag}?signature=1`,
      'x-linked-etag': `"${etag}"`,
      'x-linked-size': String(bytes.length),
    },
  }
}

function answerCdn(hub: FakeHub, { path }: SeenRequest): Reply {
  const etag = path.slice(1).replace(/\?.*/, '')
  for (const { files } of hub.repositories.values()) {
    for (const body of files.values()) if (sha256(body) === etag) return { status: 200, body }
  }
  return { status: 404 }
}

/** Returns what it withholds. */
function send(
  response: ServerResponse,
  request: SeenRequest,
  reply: Reply,
  fault: Fault = {},
): Buffer | undefined {
  if (fault.status !== undefined) {
    response.writeHead(fault.status, fault.headers)
    if (fault.body !== undefined) response.write(fault.body)
    response.end()
    return undefined
  }
  let body = Buffer.from(fault.body ?? reply.body ?? '')
  let { status } = reply
  const headers: Record<string, string> = { ...reply.headers }
  const from = fault.ignoreRange === true ? undefined : /^bytes=(\d+)-$/.exec(request.range ?? '')?.[1]
  if (status === 200 && from !== undefined) {
    headers['content-range'] = `bytes ${from}-${body.length - 1}/${body.length}`
    body = body.subarray(Number(from))
    status = 206
  }
  headers['content-length'] = String(body.length)
  response.writeHead(status, headers)
  const { stallAfterBytes } = fault
  if (stallAfterBytes !== undefined) {
    response.write(body.subarray(0, stallAfterBytes))
    return body.subarray(stallAfterBytes)
  }
  response.end(request.method === 'HEAD' ? undefined : body)
  return undefined
}

function json(value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return {
    status: 200,
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(value),
  }
}

function refuse(status: number, code?: string): Reply {
  return { status, headers: code === undefined ? {} : { 'x-error-code': code } }
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>) {
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { origin: `http://127.0.0.1:${port}`, close }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function gitId(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}
