/** The process that writes: that it does, and that it can be ended at any moment. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openFolder } from '../../../../src/model/open-folder.ts'
import { keepPrepacked } from '../../../../src/runtime/prepacked/keep.ts'
import { fixturePath, makeFolder } from '../../model/model-folder.ts'

async function askFor(cache: string) {
  const spec = await openFolder(fixturePath('bert-mean-normalize'))
  return { spec, target: 'cpu-f32', folder: join(cache, 'prepacked'), cacheFolder: cache } as const
}

/** A program in place of the one that writes. */
async function programOf(text: string): Promise<URL> {
  const path = join(await makeFolder(), 'child.mjs')
  await writeFile(path, text)
  return pathToFileURL(path)
}

/** What has ended may wait for somebody to ask how. */
function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/stat`
  return existsSync(path) && !/\) [ZX]/.test(readFileSync(path, 'utf8'))
}

/** Writes a part and goes on for ever. */
const HANGS = `
import { mkdirSync } from 'node:fs'
process.once('message', ({ folder, token }) => mkdirSync(folder + '/x-' + '0'.repeat(32) + '.' + token + '.part', { recursive: true }))
setInterval(() => {}, 1000)
`

test('a process of its own writes the model, and ends', async () => {
  const ask = await askFor(await makeFolder())
  expect(await keepPrepacked(ask, new AbortController().signal)).toEqual({ bytes: expect.any(Number) })
  expect(await readdir(ask.folder)).toHaveLength(1)
})

test('where the process that asked is killed, it ends its work, and then itself', async () => {
  const ask = await askFor(await makeFolder())
  const keep = new URL('../../../../src/runtime/prepacked/keep.ts', import.meta.url)
  const asking = await programOf(`
import { existsSync, readFileSync } from 'node:fs'
import { keepPrepacked } from '${keep.href}'
const ask = ${JSON.stringify(ask)}
void keepPrepacked(ask, new AbortController().signal)
console.log(readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim())
setInterval(() => existsSync(ask.folder) && process.kill(process.pid, 'SIGKILL'), 1)
`)
  const { signal, stdout } = spawnSync(process.execPath, [fileURLToPath(asking)], { timeout: 20_000 })
  expect(signal).toBe('SIGKILL')
  const child = Number(stdout.toString())
  onTestFinished(() => void (isAlive(child) && process.kill(child, 'SIGKILL')))
  await vi.waitFor(async () => {
    expect(await readdir(ask.folder)).toEqual([expect.stringMatching(/-[0-9a-f]{32}$/)])
    expect(isAlive(child)).toBe(false)
  }, 10_000)
})

test('told to stop, it ends at once, and what there was of a part is gone', async () => {
  const ask = await askFor(await makeFolder())
  const stop = new AbortController()
  const keeping = keepPrepacked(ask, stop.signal, await programOf(HANGS))
  await vi.waitFor(async () => expect(await readdir(ask.folder)).toHaveLength(1), 10_000)
  stop.abort()
  expect(await keeping).toEqual({ skipped: 'its process ended with SIGKILL' })
  expect(await readdir(ask.folder)).toEqual([])
})

test('a process that dies is one sentence', async () => {
  const ask = await askFor(await makeFolder())
  const entry = await programOf('process.exit(7)')
  expect(await keepPrepacked(ask, new AbortController().signal, entry)).toHaveProperty('skipped')
})

test('after the end nothing is begun', async () => {
  const ask = await askFor(await makeFolder())
  expect(await keepPrepacked(ask, AbortSignal.abort())).toEqual({ skipped: 'the process ends' })
})
