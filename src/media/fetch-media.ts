/** Files at addresses that clients name: what is fetched, and from whom, is bounded at every step. */
import { Agent, errors, request } from 'undici'
import type { Dispatcher } from 'undici'
import type { IsAllowed, LookupAll } from '../base/public-address.ts'
import {
  NotPublicHost,
  checkedLookup,
  expectPublicHost,
  isMachineAddress,
  isPublicAddress,
} from '../base/public-address.ts'
import { ServerError, cancelled } from '../errors.ts'

/**
 * Who is fetched from: every public host, nobody, or hosts that the operator lists. `host` allows its default ports, `host:port`
 * that port alone, and `*.host` any host below it. One that is listed by its whole name may be in the server's own network.
 */
export type MediaPolicy = 'public' | 'off' | readonly string[]

export interface FetchMediaOptions {
  readonly policy: MediaPolicy
  readonly maxBytes: number
  /** For all of it: names, redirects, and the file to its last byte. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** The system's own unless told. */
  readonly lookup?: LookupAll | undefined
}

const MOST_REDIRECTS = 5
const REDIRECTS = [301, 302, 303, 307, 308]
const HEADERS = {
  'user-agent': 'runpod-worker-embeddings',
  accept: 'image/*, audio/*, */*;q=0.5',
  'accept-encoding': 'identity',
}

/**
 * The bytes at an http or https address, in a buffer of their own. What they are, the server's content type does not tell: that
 * is for whoever decodes them. Throws `invalid_request`, which says what is wrong with the address or its answer and not which
 * item it was, and `cancelled`.
 */
export async function fetchMedia(url: string, options: FetchMediaOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { signal, timeoutMs } = options
  if (signal?.aborted === true) throw cancelled()
  const ending = new AbortController()
  const onAbort = () => ending.abort(cancelled())
  // who was too slow, only the fetch itself knows
  const timer = setTimeout(() => ending.abort(), timeoutMs)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await fetchAlong(parseUrl(url), options, ending.signal)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Every address on the way is held to the same rules as the first. */
async function fetchAlong(
  first: URL,
  options: FetchMediaOptions,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  let url = first
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const found = await fetchOnce(url, options, signal)
    if (!(found instanceof URL)) return found
    url = found
  }
  throw invalid(`${first.host} redirects more than ${MOST_REDIRECTS} times`)
}

/** The file, or where else it is. */
async function fetchOnce(
  url: URL,
  options: FetchMediaOptions,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | URL> {
  const isAllowed = ruleFor(url, options.policy)
  const agent = new Agent({
    allowH2: false,
    // one limit holds for all, from outside
    connect: { lookup: checkedLookup(isAllowed, options.lookup), timeout: 0 },
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  try {
    expectPublicHost(url, isAllowed)
    const response = await request(url, { dispatcher: agent, headers: HEADERS, signal })
    // of a body that nobody reads to its end
    response.body.on('error', () => {})
    return redirectOf(response, url) ?? (await readAnswer(response, url, options.maxBytes))
  } catch (error) {
    if (signal.aborted) throw signal.reason instanceof ServerError ? signal.reason : tooSlow(url, options)
    throw error instanceof ServerError ? error : unreachable(url, error)
  } finally {
    void agent.destroy()
  }
}

function parseUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href)
  if (url === null) throw invalid('its address is not a URL such as https://example.org/picture.png')
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(`its address begins with ${url.protocol}; only http: and https: are fetched`)
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(`its address at ${url.host} holds a user or a password; it must be without`)
  }
  // a root's dot says nothing that a list, a lookup or a certificate would know
  url.hostname = url.hostname.replace(/\.$/, '')
  return url
}

/** Which addresses the host may have. Throws where it is not fetched from at all. */
function ruleFor({ host, hostname, port, protocol }: URL, policy: MediaPolicy): IsAllowed {
  if (policy === 'public') return isPublicAddress
  if (policy === 'off') {
    throw invalid(
      'it is an address, and this server fetches none (MEDIA_URLS=off); send the file itself, in base64',
    )
  }
  const defaultPort = protocol === 'https:' ? '443' : '80'
  const isListed = (name: string) =>
    (port === '' && policy.includes(name)) || policy.includes(`${name}:${port || defaultPort}`)
  if (isListed(hostname)) return isMachineAddress
  const parents = hostname.split('.').map((_, index, parts) => `*.${parts.slice(index + 1).join('.')}`)
  // whoever runs a part of a domain must not be able to point it into this network
  if (parents.some(isListed)) return isPublicAddress
  throw invalid(`its address is at ${host}; this server fetches only from the hosts in MEDIA_URLS`)
}

function redirectOf({ statusCode, headers }: Dispatcher.ResponseData, url: URL): URL | undefined {
  const location = textOf(headers['location'])
  return location !== undefined && REDIRECTS.includes(statusCode) ? parseUrl(location, url) : undefined
}

async function readAnswer(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { host }: URL,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (statusCode !== 200) throw invalid(`${host} answered its address with status ${statusCode}`)
  const coding = textOf(headers['content-encoding']) ?? 'identity'
  if (coding !== 'identity') throw invalid(`${host} sent it compressed, which was not asked for`)
  const announced = Number(textOf(headers['content-length']))
  const tooLarge = (size: string) =>
    invalid(`the file at ${host} has ${size} bytes; at most ${maxBytes} are taken (MEDIA_MAX_MB)`)
  if (announced > maxBytes) throw tooLarge(String(announced))
  const bytes = await readBytes(body, maxBytes)
  if (bytes === undefined) throw tooLarge('more')
  if (bytes.length === 0) throw invalid(`${host} answered its address with an empty file`)
  if (isWebPage(textOf(headers['content-type']), bytes)) {
    throw invalid(
      `${host} answered its address with a web page (HTML); it must be the address of the file itself`,
    )
  }
  return bytes
}

/** Undefined where there are more. */
async function readBytes(
  body: Dispatcher.ResponseData['body'],
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Buffer[] = []
  let count = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    count += chunk.byteLength
    if (count > maxBytes) return undefined
    chunks.push(chunk)
  }
  // not `Buffer.concat`, whose bytes may lie in a pool with others: these are handed to a thread
  const bytes = new Uint8Array(count)
  let place = 0
  for (const chunk of chunks) {
    bytes.set(chunk, place)
    place += chunk.byteLength
  }
  return bytes
}

/** Servers call pictures all sorts of things: only what also looks like a page is one. */
function isWebPage(contentType: string | undefined, bytes: Uint8Array): boolean {
  if (contentType === undefined || !/^(?:text\/html|application\/xhtml)/i.test(contentType)) return false
  return Buffer.from(bytes.buffer, 0, Math.min(bytes.length, 256))
    .toString('latin1')
    .trimStart()
    .startsWith('<')
}

function tooSlow({ host }: URL, { timeoutMs }: FetchMediaOptions): ServerError {
  return invalid(
    `its address at ${host} did not answer in full within ${timeoutMs / 1000} s (MEDIA_TIMEOUT_SECONDS)`,
  )
}

/** What the codes of failed connections mean. */
const CODES: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name was not found',
  EAI_AGAIN: 'its name could not be looked up, for now',
  ECONNREFUSED: 'it refused the connection',
  ECONNRESET: 'the connection was closed before the answer was complete',
  EPIPE: 'the connection was closed before the answer was complete',
  UND_ERR_SOCKET: 'the connection was closed before the answer was complete',
  ETIMEDOUT: 'it did not take the connection in time',
  EHOSTUNREACH: 'no network leads there from here',
  ENETUNREACH: 'no network leads there from here',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS there, which https needs',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS there, which https needs',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not signed by an authority that is known here',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not signed by an authority that is known here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not signed by an authority that is known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not signed by an authority that is known here',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of its answer are too long',
}

/** From codes only: messages hold addresses of this network. A code that is not known stays as it is. */
function unreachable({ host }: URL, error: unknown): ServerError {
  if (error instanceof NotPublicHost) return invalid(error.message)
  return new ServerError('invalid_request', `its address at ${host} cannot be fetched: ${wordsOf(error)}`, {
    cause: error,
  })
}

function wordsOf(error: unknown): string {
  if (error instanceof errors.HTTPParserError) return 'its answer is not HTTP'
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (typeof code !== 'string') return 'the connection broke off'
  return Object.entries(CODES).find(([known]) => known === code)?.[1] ?? `the connection failed (${code})`
}

function invalid(problem: string): ServerError {
  return new ServerError('invalid_request', problem)
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}
