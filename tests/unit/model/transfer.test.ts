import { mkdir, readFile, readdir, rename, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import type { HubFile } from '../../../src/model/hub-cache.ts'
import type { Hub } from '../../../src/model/hub-request.ts'
import { transfer } from '../../../src/model/transfer.ts'
import type { FakeHub } from '../../fakes/hub.ts'
import { commitOf, etagOf, openHub } from '../../fakes/hub.ts'
import { expectRefusal } from './expect-refusal.ts'
import { NAME, faultTimes, isCdn } from './fetching.ts'
import { makeFolder } from './model-folder.ts'

const SIZE = 300_000
const WEIGHTS = Buffer.from(Uint8Array.from({ length: SIZE }, (_, i) => (i * i) % 251))
const FILES = new Map<string, Uint8Array>([
  ['model.safetensors', WEIGHTS],
  ['config.json', Buffer.from('{"model_type":"bert"}')],
  ['empty.json', new Uint8Array()],
])

afterEach(() => {
  vi.useRealTimers()
})

interface Transfer {
  readonly hub: FakeHub
  readonly folder: string
  readonly retries: string[]
  /** As the file's size grew. */
  readonly bytes: number[]
  readonly run: (path?: string, changes?: Partial<Hub>) => Promise<void>
  readonly file: (path: string) => HubFile
  readonly blob: (path?: string) => string
  readonly parts: () => Promise<string[]>
  /** Gives what an attempt has left other bytes. */
  readonly replacePart: (bytes: Uint8Array) => Promise<void>
}

/** `pieceBytes`: a server that stalls after so many breaks off when they have arrived. */
async function openTransfer(
  pieceBytes = 100_000,
  atPiece?: () => void,
  onWait = () => {},
): Promise<Transfer> {
  const commit = commitOf('transfer')
  const hub = await openHub({ [NAME]: { commit, files: FILES } })
  onTestFinished(() => hub.close())
  const folder = await makeFolder()
  const retries: string[] = []
  const bytes: number[] = []
  const way: Hub = {
    model: NAME,
    revision: 'main',
    endpoint: hub.endpoint,
    token: undefined,
    signal: new AbortController().signal,
    attempts: 3,
    backoffMs: 1,
    onRetry: (reason) => retries.push(reason),
  }
  const file = (path: string): HubFile => {
    const content = FILES.get(path) as Uint8Array
    return { path, size: content.length, etag: etagOf(path, content) }
  }
  const blob = (path = 'model.safetensors') => join(folder, 'blobs', file(path).etag)
  const run = (path = 'model.safetensors', changes: Partial<Hub> = {}) =>
    transfer(
      file(path),
      { ...way, ...changes },
      {
        folder,
        url: `${hub.endpoint}/${NAME}/resolve/${commit}/${path}`,
        onBytes: (done) => {
          bytes.push(done)
          if (done > 0 && done < SIZE && done % pieceBytes === 0) (atPiece ?? hub.cut)()
        },
        onWait,
      },
    )
  const parts = async () =>
    (await readdir(join(folder, 'blobs'))).filter((name) => name.endsWith('.incomplete'))
  const replacePart = async (content: Uint8Array) => {
    const [part = ''] = await parts()
    await writeFile(join(folder, 'blobs', part), content)
    // as it was left: not written to any more
    await utimes(join(folder, 'blobs', part), 0, 0)
  }
  return { hub, folder, retries, bytes, run, file, blob, parts, replacePart }
}

/** Where a request went on; 0 for the whole file. */
const starts = (hub: FakeHub) =>
  hub.requests.filter(isCdn).map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0))

test.each([...FILES.keys()])('%s arrives whole, under its hash', async (path) => {
  const { run, blob, parts } = await openTransfer()
  await run(path)
  expect(await readFile(blob(path))).toEqual(Buffer.from(FILES.get(path) as Uint8Array))
  expect(await parts()).toEqual([])
})

test('a blob that is there is not asked for', async () => {
  const { hub, bytes, run } = await openTransfer()
  await run()
  hub.requests.length = 0
  await run()
  expect(hub.requests).toEqual([])
  expect(bytes.at(-1)).toBe(SIZE)
})

test('a connection that breaks is continued where it broke', async () => {
  const { hub, retries, run, blob } = await openTransfer()
  hub.fault = faultTimes(2, isCdn, { stallAfterBytes: 100_000 })
  await run()
  expect(starts(hub)).toEqual([0, 100_000, 200_000])
  expect(await readFile(blob())).toEqual(WEIGHTS)
  expect(retries).toHaveLength(2)
})

test('a file may break off more often than a request is repeated, as long as it grows', async () => {
  const { hub, run, blob } = await openTransfer(30_000)
  hub.fault = faultTimes(9, isCdn, { stallAfterBytes: 30_000 })
  await run()
  expect(await readFile(blob())).toEqual(WEIGHTS)
})

test('a file that does not grow is given up, and what there is of it kept', async () => {
  const { hub, run, parts, folder } = await openTransfer(50_000)
  hub.fault = faultTimes(1, isCdn, { stallAfterBytes: 50_000 })
  const broken = hub.fault
  hub.fault = (request) => broken(request) ?? (isCdn(request) ? { status: 500 } : undefined)
  await expectRefusal(run, 'load_failed', NAME, 'answers with status 500')
  const [part = ''] = await parts()
  expect((await stat(join(folder, 'blobs', part))).size).toBe(50_000)
})

test('what an attempt has left is continued by the next, at once', async () => {
  const { hub, run, blob, parts } = await openTransfer()
  hub.fault = (request) => (isCdn(request) ? { stallAfterBytes: 100_000 } : undefined)
  await expectRefusal(() => run(undefined, { attempts: 1 }), 'load_failed', 'the connection broke')
  hub.fault = () => undefined
  hub.requests.length = 0
  await run()
  expect(starts(hub)).toEqual([100_000])
  expect(await readFile(blob())).toEqual(WEIGHTS)
  expect(await parts()).toEqual([])
})

test('a server that ignores ranges gives the file from its start', async () => {
  const { hub, retries, run, blob, bytes } = await openTransfer()
  const broken = faultTimes(1, isCdn, { stallAfterBytes: 100_000 })
  hub.fault = (request) => broken(request) ?? { ignoreRange: true }
  await run()
  expect(retries).toEqual([expect.stringContaining('the connection broke')])
  expect(await readFile(blob())).toEqual(WEIGHTS)
  expect(bytes.at(-1)).toBe(SIZE)
})

test('a server that ignores ranges and always breaks off is given up', async () => {
  const { hub, run } = await openTransfer()
  hub.fault = (request) => (isCdn(request) ? { stallAfterBytes: 100_000, ignoreRange: true } : undefined)
  await expectRefusal(run, 'load_failed', 'the connection broke')
  expect(starts(hub)).toEqual([0, 100_000, 100_000])
})

test('an answer for another range than was asked is not taken', async () => {
  const { hub, retries, run, blob } = await openTransfer()
  const broken = faultTimes(1, isCdn, { stallAfterBytes: 100_000 })
  const shifted = faultTimes(1, isCdn, {
    status: 206,
    headers: { 'content-range': `bytes 0-199999/${SIZE}` },
    body: WEIGHTS.subarray(0, 200_000),
  })
  hub.fault = (request) => broken(request) ?? shifted(request)
  await run()
  expect(retries[1]).toContain('was asked for from byte 100000 on; the answer is bytes 0-199999/300000')
  expect(await readFile(blob())).toEqual(WEIGHTS)
})

test('a length that is not the listed one is not taken', async () => {
  const { hub, run } = await openTransfer()
  hub.fault = (request) => (isCdn(request) ? { body: Buffer.from('<html>a login page</html>') } : undefined)
  await expectRefusal(run, 'load_failed', 'model.safetensors should bring 300000 bytes', 'it has 25')
})

test('a body without a length that is too short or too long is not taken', async () => {
  const { hub, retries, run, blob } = await openTransfer()
  const short = faultTimes(1, isCdn, { status: 200, body: 'short' })
  const long = faultTimes(1, isCdn, {
    status: 206,
    headers: { 'content-range': `bytes 5-/${SIZE}` },
    body: 'x'.repeat(SIZE),
  })
  hub.fault = (request) => short(request) ?? long(request)
  await run()
  expect(retries[0]).toContain('broke off after 5 of 300000 bytes')
  expect(retries[1]).toContain('longer than the hub lists')
  expect(await readFile(blob())).toEqual(WEIGHTS)
})

test.each(['model.safetensors', 'config.json'])('%s with a wrong hash is fetched once more', async (path) => {
  const { hub, retries, run, blob } = await openTransfer()
  const wrong = Buffer.alloc((FILES.get(path) as Uint8Array).length, 1)
  hub.fault = faultTimes(1, ({ path: url, host }) => host === 'cdn' || url.endsWith('.json'), { body: wrong })
  await run(path)
  expect(retries).toEqual([expect.stringContaining(`${path} arrived with the hash`)])
  expect(await readFile(blob(path))).toEqual(Buffer.from(FILES.get(path) as Uint8Array))
})

test('a hash that is wrong twice is an error, and nothing of the file is kept', async () => {
  const { hub, run, file, folder } = await openTransfer()
  hub.fault = (request) => (isCdn(request) ? { body: Buffer.alloc(SIZE, 1) } : undefined)
  const { etag } = file('model.safetensors')
  await expectRefusal(run, 'load_failed', NAME, 'model.safetensors arrived twice with another hash', etag)
  expect(await readdir(join(folder, 'blobs'))).toEqual([])
})

test('an earlier attempt that left wrong bytes costs a second transfer, never a wrong blob', async () => {
  const { hub, run, blob, replacePart } = await openTransfer()
  hub.fault = (request) => (isCdn(request) ? { stallAfterBytes: 100_000 } : undefined)
  await expectRefusal(() => run(undefined, { attempts: 1 }), 'load_failed')
  await replacePart(Buffer.alloc(100_000, 1))
  hub.fault = () => undefined
  await run()
  expect(await readFile(blob())).toEqual(WEIGHTS)
})

test('an earlier attempt that left too much is begun anew', async () => {
  const { hub, run, blob, replacePart } = await openTransfer()
  hub.fault = (request) => (isCdn(request) ? { stallAfterBytes: 100_000 } : undefined)
  await expectRefusal(() => run(undefined, { attempts: 1 }), 'load_failed')
  await replacePart(Buffer.alloc(SIZE + 1))
  hub.fault = () => undefined
  hub.requests.length = 0
  await run()
  expect(starts(hub)).toEqual([0])
  expect(await readFile(blob())).toEqual(WEIGHTS)
})

test('a file that the hub lists and does not have is named', async () => {
  const { hub, run } = await openTransfer()
  hub.fault = () => ({ status: 404, headers: { 'x-error-code': 'EntryNotFound' } })
  await expectRefusal(run, 'load_failed', 'model.safetensors is not there')
})

test('compressed answers are not asked for', async () => {
  const { hub, run } = await openTransfer()
  await run()
  expect(hub.requests.map(({ encoding }) => encoding)).toEqual(['identity', 'identity'])
})

test('a connection that falls silent is given up after half a minute, and continued', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const silent = () => void vi.advanceTimersByTimeAsync(30_000)
  const { hub, retries, run, blob } = await openTransfer(100_000, silent)
  hub.fault = faultTimes(1, isCdn, { stallAfterBytes: 100_000 })
  await run()
  expect(retries).toEqual([expect.stringContaining('nothing more of model.safetensors came for 30 s')])
  expect(starts(hub)).toEqual([0, 100_000])
  expect(await readFile(blob())).toEqual(WEIGHTS)
})

test('a connection that is slow and never silent is kept', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const pass = async () => {
    await vi.advanceTimersByTimeAsync(20_000)
    hub.flow()
  }
  const { hub, retries, run, blob } = await openTransfer(100_000, () => void pass())
  hub.fault = (request) => (isCdn(request) ? { stallAfterBytes: 100_000 } : undefined)
  await run()
  expect(retries).toEqual([])
  expect(await readFile(blob())).toEqual(WEIGHTS)
})

test('what another worker is fetching is waited for, and what nobody goes on with is swept', async () => {
  const waits: string[] = []
  const { hub, folder, bytes, run, blob, parts } = await openTransfer(100_000, undefined, () => {
    waits.push('wait')
  })
  const partOf = (random: string) => `${blob()}.1700000000000-0123abcd-1-89abcdef-${random}.incomplete`
  await mkdir(join(folder, 'blobs'))
  await writeFile(partOf('0000'), 'abc')
  await writeFile(partOf('1111'), 'ab')
  await utimes(partOf('1111'), 0, 0)
  const running = run()
  await vi.waitFor(() => expect(bytes).toEqual([3]), { timeout: 5000 })
  await writeFile(partOf('0000'), 'abcd')
  await vi.waitFor(() => expect(bytes).toContain(4), { timeout: 5000 })
  await writeFile(partOf('0000'), WEIGHTS)
  await rename(partOf('0000'), blob())
  await running
  expect(bytes.at(-1)).toBe(SIZE)
  expect(waits).toEqual(['wait'])
  expect(hub.requests).toEqual([])
  expect(await parts()).toEqual([])
})

test('an earlier attempt that left the whole file is checked, and not asked for', async () => {
  const { hub, run, blob, replacePart } = await openTransfer()
  hub.fault = (request) => (isCdn(request) ? { stallAfterBytes: 100_000 } : undefined)
  await expectRefusal(() => run(undefined, { attempts: 1 }), 'load_failed')
  await replacePart(WEIGHTS)
  hub.requests.length = 0
  await run()
  expect(hub.requests).toEqual([])
  expect(await readFile(blob())).toEqual(WEIGHTS)
})
