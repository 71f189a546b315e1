/** The Python wheel of onnxruntime-gpu, which holds the same CUDA provider as the package that onnxruntime-node fetches. */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { runProgram } from './run-program.ts'

export interface WheelRequest {
  /** Of ONNX Runtime. */
  readonly version: string
  /** Where the wheel is put. */
  readonly folder: string
  /** Address of a Python package index, of its page of all packages; without one pip is asked, by its own settings. */
  readonly index?: string | undefined
  readonly print: (line: string) => void
}

interface IndexFile {
  readonly filename: string
  readonly url: string
  readonly sha256: string | undefined
}

type Headers = Readonly<Record<string, string>>

const PACKAGE = 'onnxruntime-gpu'
const PAGE_LIMIT_MS = 60_000
const DOWNLOAD_LIMIT_MS = 3_600_000
/** The provider does not care for Python: any one will do, so that the wheel can be named. */
const PYTHON = '3.12'
const PLATFORMS = [
  'manylinux_2_28_x86_64',
  'manylinux_2_27_x86_64',
  'manylinux_2_34_x86_64',
  'manylinux_2_17_x86_64',
]

/** Path of the wheel, whose checksum is the one that the index states. Throws an `Error` that says why there is none. */
export function fetchWheel(request: WheelRequest): Promise<string> {
  return request.index === undefined ? downloadByPip(request) : downloadFrom(request.index, request)
}

async function downloadByPip({ version, folder, print }: WheelRequest): Promise<string> {
  const platforms = PLATFORMS.flatMap((platform) => ['--platform', platform])
  const what = [
    '--no-deps',
    '--only-binary=:all:',
    '--implementation',
    'cp',
    '--python-version',
    PYTHON,
    ...platforms,
  ]
  const args = ['-m', 'pip', 'download', ...what, '--dest', folder, `${PACKAGE}==${version}`]
  print(`pip downloads ${PACKAGE} ${version}, about 250 MB`)
  const { exitCode, failure, stderr } = await runProgram('python3', args, { limitMs: DOWNLOAD_LIMIT_MS })
  const [wheel] = (await readdir(folder)).filter((name) => name.endsWith('.whl'))
  if (exitCode === 0 && wheel !== undefined) return join(folder, wheel)
  const reason = failure ?? lastLine(stderr) ?? `exit code ${exitCode}`
  throw new Error(
    `pip did not bring ${PACKAGE} ${version}: ${reason}; --index names a package index to read without pip`,
  )
}

async function downloadFrom(index: string, { version, folder, print }: WheelRequest): Promise<string> {
  const { page, headers } = openIndex(index)
  const response = await fetch(page, {
    headers: { ...headers, accept: 'application/vnd.pypi.simple.v1+json, text/html;q=0.1' },
    signal: AbortSignal.timeout(PAGE_LIMIT_MS),
  }).catch((error: unknown) => {
    throw new Error(`${page.href} cannot be reached`, { cause: error })
  })
  if (!response.ok) throw new Error(`${page.href} answers ${response.status}`)
  const file = chooseFile(await readPage(response), version, page)
  // a key for the index is none of the business of another host that keeps the files
  const isSameHost = new URL(file.url).origin === page.origin
  print(`downloading ${file.filename} from ${new URL(file.url).host}, about 250 MB`)
  return download(file, join(folder, file.filename), isSameHost ? headers : {})
}

/** Throws where the address is none. A name and a key in it become a header, so that no message shows them. */
function openIndex(index: string): { page: URL; headers: Headers } {
  if (!/^https?:\/\//.test(index) || !URL.canParse(index)) {
    throw new Error(
      'the package index (--index, UV_DEFAULT_INDEX, UV_INDEX_URL or PIP_INDEX_URL) is no http address',
    )
  }
  const page = new URL(`${PACKAGE}/`, index.endsWith('/') ? index : `${index}/`)
  const user = `${decodeURIComponent(page.username)}:${decodeURIComponent(page.password)}`
  page.username = ''
  page.password = ''
  const headers: Headers =
    user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }
  return { page, headers }
}

async function readPage(response: Response): Promise<IndexFile[]> {
  const isJson = response.headers.get('content-type')?.includes('json') === true
  if (!isJson) return parseLinks(await response.text(), response.url)
  const { files } = (await response.json()) as {
    files: { filename: string; url: string; hashes: Record<string, string> }[]
  }
  return files.map(({ filename, url, hashes }) => ({
    filename,
    url: new URL(url, response.url).href,
    sha256: hashes['sha256'],
  }))
}

/** The older form of an index's page: a link a file, its checksum behind the `#`. */
function parseLinks(html: string, base: string): IndexFile[] {
  return [...html.matchAll(/<a\s[^>]*href="([^"]+)"/gi)].map(([, href = '']) => {
    const url = new URL(href.replaceAll('&amp;', '&'), base)
    const sha256 = /sha256=([0-9a-f]{64})/.exec(url.hash)?.[1]
    url.hash = ''
    return { filename: decodeURIComponent(url.pathname.split('/').at(-1) ?? ''), url: url.href, sha256 }
  })
}

function chooseFile(files: readonly IndexFile[], version: string, page: URL): IndexFile & { sha256: string } {
  const start = `${PACKAGE.replace('-', '_')}-${version}-cp3`
  const wheels = files.filter(
    ({ filename }) => filename.startsWith(start) && /manylinux.*x86_64\.whl$/.test(filename),
  )
  const wheel = wheels.find(({ filename }) => !/-cp3\d+t-/.test(filename))
  if (wheel === undefined) throw new Error(`${page.href} has no wheel of ${PACKAGE} ${version} for linux/x64`)
  const { sha256 } = wheel
  if (sha256 === undefined)
    throw new Error(`${page.href} states no sha256 of ${wheel.filename}, which so cannot be checked`)
  return { ...wheel, sha256 }
}

async function download(
  { url, filename, sha256 }: IndexFile & { sha256: string },
  path: string,
  headers: Headers,
): Promise<string> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(DOWNLOAD_LIMIT_MS) })
  if (!response.ok || response.body === null)
    throw new Error(`${filename} is answered with ${response.status}`)
  const hash = createHash('sha256')
  const digest = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk)
      done(null, chunk)
    },
  })
  await pipeline(Readable.fromWeb(response.body), digest, createWriteStream(path, { flags: 'wx' }))
  const found = hash.digest('hex')
  if (found !== sha256) throw new Error(`${filename} has the sha256 ${found}; its index states ${sha256}`)
  return path
}

function lastLine(text: string): string | undefined {
  return text.trim().split('\n').at(-1) || undefined
}
