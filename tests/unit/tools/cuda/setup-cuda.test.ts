/** The CUDA provider installed from an index on loopback, from a file, and by the package's own script. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { setUpCuda } from '../../../../tools/setup-cuda.ts'
import type { FakeMachine } from '../../devices/fake-machine.ts'
import { makeMachine } from '../../devices/fake-machine.ts'
import { writeElf } from '../../devices/write-elf.ts'
import { writeZip } from './write-zip.ts'

const CUDA = 'libonnxruntime_providers_cuda.so'
const SHARED = 'libonnxruntime_providers_shared.so'
const PACKAGE = 'modules/onnxruntime-node'
const ONNX = `${PACKAGE}/bin/napi-v6/linux/x64`
const WHEEL = 'onnxruntime_gpu-1.30.0-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl'
const PROVIDER = writeElf({ needed: ['libcublas.so.13', 'libcuda.so.1'], constants: 'x\x001.30.0\x00y' })
const SHARED_FILE = writeElf({ soname: SHARED })

function libraryOf(commit: string): Buffer {
  return writeElf({
    soname: 'libonnxruntime.so.1',
    constants: `git-branch=HEAD, git-commit-id=${commit}, build`,
  })
}

function wheelOf({ commit = 'abc123', provider = PROVIDER } = {}): Buffer {
  return writeZip([
    { name: 'onnxruntime/__init__.py', content: '' },
    { name: 'onnxruntime/capi/libonnxruntime.so.1.30.0', content: libraryOf(commit) },
    { name: `onnxruntime/capi/${CUDA}`, content: provider },
    { name: `onnxruntime/capi/${SHARED}`, content: SHARED_FILE },
  ])
}

/** onnxruntime-node as npm installs it, whose install script is `script`. */
async function openInstallation({
  env = {},
  script = "throw new Error('getaddrinfo ENOTFOUND feed')",
  platform = 'linux/x64',
} = {}) {
  const files = {
    [`${ONNX}/libonnxruntime.so.1`]: libraryOf('abc123'),
    [`${PACKAGE}/script/install.js`]: script,
  }
  const machine: FakeMachine = await makeMachine({ env, files, platform })
  const lines: string[] = []
  const folder = join(machine.root, ONNX)
  const here = { ...machine, onnxFolder: () => folder }
  const setUp = (...args: string[]) => setUpCuda({ args, machine: here, print: (line) => lines.push(line) })
  const installed = async () =>
    (await readdir(folder)).filter((name) => name !== 'libonnxruntime.so.1').sort()
  const put = async (path: string, content: Buffer | string) => {
    await mkdir(dirname(join(machine.root, path)), { recursive: true })
    await writeFile(join(machine.root, path), content)
    return join(machine.root, path)
  }
  return { root: machine.root, folder, lines, setUp, installed, put }
}

interface IndexParts {
  readonly wheel?: Buffer
  readonly sha256?: string | undefined
  readonly html?: boolean
  /** Files come from another address than the page. */
  readonly apart?: boolean
  readonly files?: readonly string[]
}

/** A package index with one project. */
async function openIndex({
  wheel = wheelOf(),
  html = false,
  apart = false,
  files = [WHEEL],
  ...parts
}: IndexParts = {}) {
  const sha256 = 'sha256' in parts ? parts.sha256 : createHash('sha256').update(wheel).digest('hex')
  const requests: Pick<IncomingMessage, 'url' | 'headers'>[] = []
  const server = createServer(({ url = '', headers }, response) => {
    requests.push({ url, headers })
    const base = apart ? `http://localhost:${port()}` : ''
    if (url.endsWith('.whl')) return response.end(wheel)
    if (url !== '/simple/onnxruntime-gpu/') return response.writeHead(404).end()
    const links = files.map((filename) => ({
      filename,
      url: `${base}/files/${filename}`,
      hashes: { sha256 },
    }))
    const page = links.map(
      ({ filename, url }) => `<a class="x" href="${url}${sha256 ? `#sha256=${sha256}` : ''}">${filename}</a>`,
    )
    return html
      ? response.setHeader('content-type', 'text/html').end(page.join('<br>\n'))
      : response
          .setHeader('content-type', 'application/vnd.pypi.simple.v1+json')
          .end(JSON.stringify({ files: links }))
  })
  const port = () => (server.address() as AddressInfo).port
  await new Promise<void>((resolve) => {
    server.listen(0, resolve)
  })
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { address: `http://127.0.0.1:${port()}/simple`, port: port(), requests }
}

describe('from a package index', () => {
  test.each([false, true])('both files are put in place, whole (page of HTML: %s)', async (html) => {
    const index = await openIndex({ html })
    const { setUp, installed, folder, lines } = await openInstallation()
    await setUp('--index', index.address)
    expect(await installed()).toEqual([CUDA, SHARED])
    expect(await readFile(join(folder, CUDA))).toEqual(PROVIDER)
    expect(await readFile(join(folder, SHARED))).toEqual(SHARED_FILE)
    expect(lines).toContain('library and wheel were both built from commit abc123')
    expect(lines).toContain('still missing: libcublas.so.13, libcuda.so.1')
    // whoever names an index does not want NuGet
    expect(lines.join()).not.toContain('install script')
  })

  test('a name and a key go to the index alone, and are not printed', async () => {
    const index = await openIndex({ apart: true })
    const { setUp, lines } = await openInstallation()
    await setUp('--index', `http://me:s%40fe@127.0.0.1:${index.port}/simple/`)
    const keys = index.requests.map(({ headers }) => headers.authorization)
    expect(keys).toEqual([`Basic ${Buffer.from('me:s@fe').toString('base64')}`, undefined])
    expect(lines.join()).not.toMatch(/s%40fe|s@fe/)
  })

  test.each(['UV_DEFAULT_INDEX', 'UV_INDEX_URL', 'PIP_INDEX_URL'])(
    "that %s names, once the package's script has failed",
    async (name) => {
      const index = await openIndex()
      const { setUp, installed, lines } = await openInstallation({ env: { [name]: index.address } })
      await setUp()
      expect(lines[0]).toBe("onnxruntime-node's install script failed: Error: getaddrinfo ENOTFOUND feed")
      expect(await installed()).toEqual([CUDA, SHARED])
    },
  )

  test('a wheel that is not what the index says is not used', async () => {
    const index = await openIndex({ sha256: '0'.repeat(64) })
    const { setUp, installed } = await openInstallation()
    await expect(setUp('--index', index.address)).rejects.toThrow(
      /has the sha256 [0-9a-f]{64}; its index states 0000/,
    )
    expect(await installed()).toEqual([])
  })

  test('a wheel of which it states no checksum is not even fetched', async () => {
    const index = await openIndex({ sha256: undefined })
    const { setUp } = await openInstallation()
    await expect(setUp('--index', index.address)).rejects.toThrow('states no sha256')
    expect(index.requests).toHaveLength(1)
  })

  test('that lacks the version, or the platform, is named', async () => {
    const others = [
      WHEEL.replace('1.30.0', '1.30.1'),
      WHEEL.replaceAll('x86_64', 'aarch64'),
      WHEEL.replace('cp312-cp312', 'cp314-cp314t'),
      'onnxruntime_gpu-1.30.0-cp312-cp312-win_amd64.whl',
    ]
    const index = await openIndex({ files: others })
    const { setUp } = await openInstallation()
    await expect(setUp('--index', index.address)).rejects.toThrow(
      'has no wheel of onnxruntime-gpu 1.30.0 for linux/x64',
    )
  })

  test('that has no such project, is not there, or is no address', async () => {
    const { setUp } = await openInstallation()
    const { port } = await openIndex()
    await expect(setUp('--index', `http://127.0.0.1:${port}/other`)).rejects.toThrow('answers 404')
    await expect(setUp('--index', 'http://127.0.0.1:9/simple')).rejects.toThrow('cannot be reached')
    await expect(setUp('--index', 'ftp://x')).rejects.toThrow('no http address')
  })
})

describe('from a wheel that is here', () => {
  test('the files go where --into says, and nothing else is left there', async () => {
    const { setUp, installed, put, root } = await openInstallation()
    await setUp('--wheel', await put('w.whl', wheelOf()), '--into', join(root, 'new/folder'))
    expect((await readdir(join(root, 'new/folder'))).sort()).toEqual([CUDA, SHARED])
    expect(await installed()).toEqual([])
  })

  test('of another build, nothing is installed', async () => {
    const { setUp, installed, put } = await openInstallation()
    const wheel = await put('w.whl', wheelOf({ commit: 'def456' }))
    await expect(setUp('--wheel', wheel)).rejects.toThrow(
      "was built from commit def456, onnxruntime-node's library from abc123",
    )
    expect(await installed()).toEqual([])
  })

  test('with a provider of another version, the one in place stays', async () => {
    const { setUp, put, folder } = await openInstallation()
    await put(`${ONNX}/${CUDA}`, 'old')
    const provider = writeElf({ constants: 'x\x001.29.0\x00y' })
    const wheel = await put('w.whl', wheelOf({ provider }))
    await expect(setUp('--wheel', wheel)).rejects.toThrow('is not of ONNX Runtime 1.30.0')
    expect(await readFile(join(folder, CUDA), 'utf8')).toBe('old')
  })

  test('that lacks a file, says which', async () => {
    const { setUp, put } = await openInstallation()
    const wheel = await put(
      'w.whl',
      writeZip([{ name: 'x/libonnxruntime.so.1.30.0', content: libraryOf('abc123') }]),
    )
    await expect(setUp('--wheel', wheel)).rejects.toThrow(`w.whl has no ${CUDA}`)
  })
})

describe("by the package's own script", () => {
  // as onnxruntime-node's: it writes below its own folder, and needs the package's modules
  const SCRIPT = `
    const { mkdirSync, copyFileSync } = require('node:fs')
    const { join } = require('node:path')
    const folder = join(__dirname, '..', 'bin/napi-v6/linux/x64')
    mkdirSync(folder, { recursive: true })
    for (const name of require('adm-zip')) copyFileSync(join(process.env.FROM, name), join(folder, name))
    console.log('flag ' + process.env.ONNXRUNTIME_NODE_INSTALL)`
  const openWithScript = async (script: string) => {
    const installation = await openInstallation({ script })
    const { put } = installation
    await put(
      'modules/adm-zip/index.js',
      `module.exports = ${JSON.stringify([CUDA, SHARED, 'libonnxruntime_providers_tensorrt.so'])}`,
    )
    await put(`from/${CUDA}`, PROVIDER)
    await put(`from/${SHARED}`, SHARED_FILE)
    await put('from/libonnxruntime_providers_tensorrt.so', 'large, and not needed')
    process.env['FROM'] = join(installation.root, 'from')
    onTestFinished(() => {
      delete process.env['FROM']
    })
    return installation
  }

  test('run from a copy, so that its files come into place whole; what is not needed is left out', async () => {
    const { setUp, installed, lines, root } = await openWithScript(SCRIPT)
    await setUp()
    expect(await installed()).toEqual([CUDA, SHARED])
    expect(lines).toContain('flag true')
    expect(existsSync(join(root, PACKAGE, 'script/install.js'))).toBe(true)
  })

  test('a provider in place is left alone, unless --force is given', async () => {
    const { setUp, lines } = await openWithScript(SCRIPT)
    await setUp()
    lines.length = 0
    await setUp()
    expect(lines[0]).toContain('already; --force')
    lines.length = 0
    await setUp('--force')
    expect(lines[0]).toBe('flag true')
  })

  test('--dry-run changes nothing', async () => {
    const { setUp, installed, lines } = await openWithScript(SCRIPT)
    await setUp('--dry-run')
    expect(lines[0]).toMatch(/would install .* 1\.30\.0 into .* from NuGet, else pip; it is not there yet/)
    await setUp('--dry-run', '--index', 'https://me:key@index.example.com/simple')
    expect(lines[1]).toContain('from https://index.example.com/simple;')
    expect(await installed()).toEqual([])
  })
})

test('other platforms are refused, for which there is no provider', async () => {
  const { setUp } = await openInstallation({ platform: 'linux/arm64' })
  await expect(setUp('--dry-run')).rejects.toThrow('for linux/x64 only, and this is linux/arm64')
})

test('an unknown flag is named', async () => {
  const { setUp } = await openInstallation()
  await expect(setUp('--in', 'x')).rejects.toThrow("'--in'")
})
