import { spawn } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import type { FakeHub } from '../fakes/hub.ts'
import { commitOf, openHub } from '../fakes/hub.ts'

const NAME = 'org/model'
const MEGABYTE = 1_000_000
const WEIGHTS = Buffer.from(Uint8Array.from({ length: 4 * MEGABYTE }, (_, i) => (i * i) % 251))
const FILES = new Map<string, Uint8Array>([
  ['config.json', Buffer.from('{}')],
  ['tokenizer.json', Buffer.from('{}')],
  ['model.safetensors', WEIGHTS],
])

interface Line {
  readonly event: string
  readonly doneBytes?: number
  readonly path?: string
}

interface Child {
  /** The first line from now on that is as asked; the process ending instead is a failure. */
  readonly line: (matches: (line: Line) => boolean) => Promise<Line>
  readonly path: () => Promise<string>
  readonly kill: () => void
}

async function openCache(): Promise<{ hub: FakeHub; blobs: string; start: () => Child }> {
  const hub = await openHub({ [NAME]: { commit: commitOf('processes'), files: FILES } })
  const cache = await mkdtemp(join(tmpdir(), 'hub-'))
  onTestFinished(async () => {
    await hub.close()
    await rm(cache, { recursive: true })
  })
  return {
    hub,
    blobs: join(cache, 'models--org--model/blobs'),
    start: () => startChild([hub.endpoint, cache, NAME]),
  }
}

function startChild(args: readonly string[]): Child {
  const file = join(import.meta.dirname, 'fetch-child.ts')
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const waiting = new Set<(line: Line | undefined) => void>()
  const seen: Line[] = []
  const tell = (line: Line | undefined) => {
    for (const take of waiting) take(line)
  }
  createInterface({ input: child.stdout })
    .on('line', (text) => {
      const line = JSON.parse(text) as Line
      seen.push(line)
      tell(line)
    })
    .on('close', () => tell(undefined))
  const line = (matches: (line: Line) => boolean) =>
    new Promise<Line>((resolve, reject) => {
      const early = seen.find(matches)
      if (early !== undefined) return resolve(early)
      waiting.add((next) => {
        if (next === undefined) reject(new Error('the process ended'))
        else if (matches(next)) resolve(next)
      })
    })
  return {
    line,
    path: async () => (await line(({ event }) => event === 'done')).path ?? '',
    kill: () => void child.kill('SIGKILL'),
  }
}

/** The first request for the weights brings a megabyte and no more. */
function stallOnce(hub: FakeHub): void {
  let hasStalled = false
  hub.fault = ({ host }) => {
    if (host !== 'cdn' || hasStalled) return undefined
    hasStalled = true
    return { stallAfterBytes: MEGABYTE }
  }
}

/** It has everything but what the stalled connection withholds. */
const hasStalled = ({ doneBytes = 0 }: Line) => doneBytes >= MEGABYTE

const ranges = (hub: FakeHub) => hub.requests.filter(({ host }) => host === 'cdn').map(({ range }) => range)

async function expectWhole(path: string, blobs: string): Promise<void> {
  expect(await readFile(join(path, 'model.safetensors'))).toEqual(WEIGHTS)
  expect((await readdir(blobs)).filter((name) => name.endsWith('.incomplete'))).toEqual([])
}

test('of two processes one fetches and the other waits for it', async () => {
  const { hub, blobs, start } = await openCache()
  stallOnce(hub)
  const first = start()
  await first.line(hasStalled)
  const second = start()
  await second.line(({ event }) => event === 'fetch_waiting')
  hub.cut()
  const path = await first.path()
  expect(await second.path()).toBe(path)
  expect(ranges(hub)).toEqual([undefined, 'bytes=1000000-'])
  await expectWhole(path, blobs)
})

test('processes that start at the same time all end with the model', async () => {
  const { blobs, start } = await openCache()
  const paths = await Promise.all([start().path(), start().path(), start().path()])
  expect(new Set(paths).size).toBe(1)
  await expectWhole(paths[0] ?? '', blobs)
})

test('after a kill the next process continues at once where the other was', async () => {
  const { hub, blobs, start } = await openCache()
  stallOnce(hub)
  const first = start()
  await first.line(hasStalled)
  first.kill()
  await expect(first.path()).rejects.toThrow('the process ended')
  const path = await start().path()
  expect(ranges(hub)).toEqual([undefined, 'bytes=1000000-'])
  await expectWhole(path, blobs)
})

test('a process that waits takes over when the other is killed', async () => {
  const { hub, blobs, start } = await openCache()
  stallOnce(hub)
  const first = start()
  await first.line(hasStalled)
  const second = start()
  await second.line(({ event }) => event === 'fetch_waiting')
  first.kill()
  await expectWhole(await second.path(), blobs)
  expect(ranges(hub)).toEqual([undefined, 'bytes=1000000-'])
})
