import { spawnSync } from 'node:child_process'
import type * as fs from 'node:fs/promises'
import { mkdir, open, readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import type { Part } from '../../../src/model/part.ts'
import { claimPart, sweepParts } from '../../../src/model/part.ts'
import { makeFolder } from './model-folder.ts'

/** What another process does at the worst moment; once. */
const meanwhile = vi.hoisted(() => ({
  afterListing: undefined as (() => Promise<void>) | undefined,
  beforeRename: undefined as (() => Promise<void>) | undefined,
}))
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>()
  const once = async (moment: keyof typeof meanwhile) => {
    const act = meanwhile[moment]
    meanwhile[moment] = undefined
    await act?.()
  }
  const readdir = async (path: string) => {
    const names = await real.readdir(path)
    await once('afterListing')
    return names
  }
  const rename = async (from: string, to: string) => {
    await once('beforeRename')
    await real.rename(from, to)
  }
  return { ...real, readdir, rename }
})

afterEach(() => {
  vi.useRealTimers()
})

const THIS_HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
const OTHER_HOST = '0123abcd'

interface Foreign {
  readonly host?: string
  readonly pid?: number
  readonly bytes?: string
  readonly time?: string
  /** Since its last write. */
  readonly ageMs?: number
}

/** What another process has written of the blob. */
async function leavePart(blob: string, foreign: Foreign = {}): Promise<string> {
  const { host = OTHER_HOST, pid = 1, bytes = 'left', time = '1700000000000', ageMs = 0 } = foreign
  const path = `${blob}.${time}-${host}-${pid}-89abcdef-0000.incomplete`
  await mkdir(dirname(blob), { recursive: true })
  await writeFile(path, bytes)
  const at = new Date(Date.now() - ageMs)
  await utimes(path, at, at)
  return path
}

async function newBlob(): Promise<string> {
  return join(await makeFolder(), 'blobs', 'abc')
}

async function claimOwn(blob: string): Promise<Part> {
  const claim = await claimPart(blob)
  if (claim.owner !== 'self') throw new Error('it belongs to another')
  return claim.part
}

async function names(blob: string): Promise<string[]> {
  return readdir(dirname(blob))
}

test('bytes become the blob by one rename', async () => {
  const blob = await newBlob()
  const part = await claimOwn(blob)
  await part.write(Buffer.from('cd'), 2)
  await part.write(Buffer.from('ab'), 0)
  expect(await names(blob)).toEqual([expect.stringMatching(/^abc\..+\.incomplete$/)])
  expect(await part.finish(blob)).toBe(true)
  expect(await names(blob)).toEqual(['abc'])
  expect(await readFile(blob, 'utf8')).toBe('abcd')
})

test('what is written to now belongs to another', async () => {
  const blob = await newBlob()
  await leavePart(blob)
  expect(await claimPart(blob)).toEqual({ owner: 'other', bytes: 4 })
  expect(await names(blob)).toHaveLength(1)
})

test('a part of this process belongs to whoever claimed it first', async () => {
  const blob = await newBlob()
  const part = await claimOwn(blob)
  expect(await claimPart(blob)).toMatchObject({ owner: 'other' })
  await part.release()
})

test('a part that is released is free at once, with what it has', async () => {
  const blob = await newBlob()
  const part = await claimOwn(blob)
  await part.write(Buffer.from('abc'), 0)
  await part.release()
  const next = await claimOwn(blob)
  expect(await next.size()).toBe(3)
  await next.discard()
  expect(await names(blob)).toEqual([])
})

test('a part that nobody has written to for half a minute is taken over', async () => {
  const blob = await newBlob()
  await leavePart(blob, { ageMs: 29_000 })
  expect(await claimPart(blob)).toMatchObject({ owner: 'other' })
  const path = await leavePart(blob, { ageMs: 31_000 })
  const part = await claimOwn(blob)
  expect(await names(blob)).not.toContain(basename(path))
  expect(await part.size()).toBe(4)
  const read: Buffer[] = []
  for await (const bytes of part.read(4)) read.push(bytes)
  expect(Buffer.concat(read).toString()).toBe('left')
  await part.discard()
})

test('a part of a process that has ended on this machine is taken over at once', async () => {
  const { pid } = spawnSync(process.execPath, ['--version'])
  const blob = await newBlob()
  await leavePart(blob, { host: THIS_HOST, pid })
  await (await claimOwn(blob)).discard()
})

test('a process of another machine with a number that is free here may be alive', async () => {
  const { pid } = spawnSync(process.execPath, ['--version'])
  const blob = await newBlob()
  await leavePart(blob, { host: OTHER_HOST, pid })
  expect(await claimPart(blob)).toMatchObject({ owner: 'other' })
})

test("a part that was taken over is nobody else's from then on", async () => {
  const blob = await newBlob()
  await leavePart(blob, { ageMs: 60_000 })
  const part = await claimOwn(blob)
  expect(await claimPart(blob)).toMatchObject({ owner: 'other' })
  await part.discard()
})

test('a part of an earlier process with our number is taken over at once', async () => {
  const blob = await newBlob()
  await leavePart(blob, { host: THIS_HOST, pid: process.pid })
  await (await claimOwn(blob)).discard()
})

test('a part of a process that runs on this machine is left alone', async () => {
  const blob = await newBlob()
  await leavePart(blob, { host: THIS_HOST, pid: process.ppid })
  expect(await claimPart(blob)).toMatchObject({ owner: 'other' })
})

test('of several left parts the largest is continued, and a blob that is there sweeps the rest', async () => {
  const blob = await newBlob()
  await leavePart(blob, { bytes: 'a', time: '1700000000001', ageMs: 60_000 })
  await leavePart(blob, { bytes: 'abc', time: '1700000000002', ageMs: 60_000 })
  await leavePart(blob, { bytes: 'ab', time: '1700000000003', ageMs: 60_000 })
  const part = await claimOwn(blob)
  expect(await part.size()).toBe(3)
  await part.finish(blob)
  await leavePart(blob, { time: '1700000000004' })
  await sweepParts(blob)
  expect(await names(blob)).toEqual(['abc', expect.stringContaining('1700000000004')])
})

test('parts of other programs and other blobs are left alone', async () => {
  const blob = await newBlob()
  await mkdir(dirname(blob))
  const others = [
    'abc.1a2b3c4d.incomplete',
    'abc.incomplete',
    'abcd.1700000000000-0123abcd-1-89abcdef-0000.incomplete',
  ]
  for (const name of others) {
    await writeFile(join(dirname(blob), name), 'theirs')
    await utimes(join(dirname(blob), name), 0, 0)
  }
  const part = await claimOwn(blob)
  expect(await part.size()).toBe(0)
  await part.finish(blob)
  await sweepParts(blob)
  expect((await names(blob)).sort()).toEqual(['abc', ...others].sort())
})

test('whoever began later gives way to one that began at the same moment', async () => {
  const blob = await newBlob()
  meanwhile.afterListing = async () => {
    await leavePart(blob, { time: '1000000000000' })
  }
  expect(await claimPart(blob)).toEqual({ owner: 'other', bytes: 4 })
  expect(await names(blob)).toHaveLength(1)
})

test('whoever began earlier does not give way', async () => {
  const blob = await newBlob()
  meanwhile.afterListing = async () => {
    await leavePart(blob, { time: '9999999999999' })
  }
  await (await claimOwn(blob)).discard()
})

test('a left part that another takes over first is not ours', async () => {
  const blob = await newBlob()
  const path = await leavePart(blob, { ageMs: 60_000 })
  meanwhile.beforeRename = () => rm(path)
  expect(await claimPart(blob)).toMatchObject({ owner: 'other' })
})

test('a part that another has taken over makes no blob', async () => {
  const blob = await newBlob()
  const part = await claimOwn(blob)
  const [name = ''] = await names(blob)
  await rename(join(dirname(blob), name), join(dirname(blob), 'taken'))
  expect(await part.finish(blob)).toBe(false)
  expect(await names(blob)).toEqual(['taken'])
})

test('a part looks alive while its owner waits', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const blob = await newBlob()
  const part = await claimOwn(blob)
  const [name = ''] = await names(blob)
  const path = join(dirname(blob), name)
  await utimes(path, 0, 0)
  await vi.advanceTimersByTimeAsync(5_000)
  await vi.waitFor(async () => expect((await stat(path)).mtimeMs).toBeGreaterThan(Date.now() - 10_000))
  await part.discard()
})

test('whoever lives after all and writes on changes nothing of what was taken over', async () => {
  const blob = await newBlob()
  const left = await leavePart(blob, { bytes: 'left', ageMs: 60_000 })
  const alive = await open(left, 'r+')
  const part = await claimOwn(blob)
  await alive.write(Buffer.from('WRONG'), 0, 5, 2)
  await alive.truncate(3)
  await part.write(Buffer.from(' and more'), 4)
  expect(await part.finish(blob)).toBe(true)
  await alive.close()
  expect(await readFile(blob, 'utf8')).toBe('left and more')
  expect(await names(blob)).toEqual(['abc'])
})
