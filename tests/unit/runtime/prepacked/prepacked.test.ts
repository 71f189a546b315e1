/** Models written and opened again, in this very thread, with ONNX Runtime itself. */
import {
  chmod,
  cp,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { CPU } from '../../../../src/devices/device.ts'
import { ServerError } from '../../../../src/errors.ts'
import { openFolder } from '../../../../src/model/open-folder.ts'
import type { ModelSpec } from '../../../../src/model/spec.ts'
import { loadGraph } from '../../../../src/runtime/load-graph.ts'
import type { PrepackAsk } from '../../../../src/runtime/prepacked/protocol.ts'
import { writePrepacked } from '../../../../src/runtime/prepacked/write.ts'
import type { SessionOptions } from '../../../../src/runtime/session.ts'
import { createSession } from '../../../../src/runtime/session.ts'
import { runFirst } from '../../../../src/runtime/warm-up.ts'
import { fixturePath, makeFolder } from '../../model/model-folder.ts'

const HOUR_MS = 3_600_000

let cache: string
let folder: string
let spec: ModelSpec
beforeEach(async () => {
  cache = await makeFolder()
  folder = join(cache, 'prepacked')
  spec = await openFolder(fixturePath('bert-mean-normalize'))
})

function write(of: ModelSpec = spec, changes: Partial<PrepackAsk> = {}) {
  return writePrepacked({
    spec: of,
    target: 'cpu-f32',
    folder,
    cacheFolder: cache,
    token: 'abcd',
    ...changes,
  })
}

/** The reply, the numbers of the first batch, and the sessions that were asked for. */
async function load(of: ModelSpec = spec, prepackedFolder = folder) {
  const asked: SessionOptions[] = []
  const { prepacked, session, graph } = await loadGraph(
    {
      spec: of,
      target: 'cpu-f32',
      device: CPU,
      threadCount: 2,
      spins: true,
      share: undefined,
      cacheFolder: cache,
      prepackedFolder,
    },
    (model, options) => {
      asked.push(options)
      return createSession(model, options)
    },
  )
  const { rows } = await runFirst(graph, session)
  await session.release()
  return { prepacked, rows, asked }
}

/** The one folder that was written. */
async function kept(): Promise<string> {
  const names = await readdir(folder)
  expect(names).toHaveLength(1)
  return join(folder, names[0] as string)
}

test('a model that was written is opened by the next load, and gives the same numbers to the bit', async () => {
  const first = await load()
  expect(first.prepacked).toEqual({ isUsed: false })
  expect(await write()).toEqual({ bytes: (await stat(join(await kept(), 'weights.bin'))).size })
  const second = await load()
  expect(second.prepacked).toEqual({ isUsed: true })
  expect(first.asked).toMatchObject([{ spins: true }])
  expect(second.asked).toMatchObject([{ spins: true, prepacked: { isRead: true } }])
  expect(second.rows).toEqual(first.rows)
})

test('packed weights are written, and mapped by the session that uses them', async () => {
  await write()
  expect(await readFile(join(await kept(), 'model.onnx'), 'latin1')).toContain('prepacked_0')
  const ask = { spec, target: 'cpu-f32', device: CPU, threadCount: 1, share: undefined } as const
  const { session } = await loadGraph({ ...ask, prepackedFolder: folder })
  expect(await readFile('/proc/self/maps', 'utf8')).toContain(join(await kept(), 'weights.bin'))
  await session.release()
})

test('no handle is left open, of what was taken and of what was not', async () => {
  const open = async () => {
    const handles = await readdir('/proc/self/fd')
    const paths = await Promise.all(handles.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
    return paths.filter((path) => path.startsWith(cache))
  }
  await write()
  await load()
  expect(await open()).toEqual([])
  await writeFile(join(await kept(), 'facts.json'), '')
  await load()
  await chmod(folder, 0o777)
  await load()
  expect(await open()).toEqual([])
})

test('what was written is whole, and for all to read and for this user alone to write', async () => {
  const umask = process.umask(0)
  onTestFinished(() => void process.umask(umask))
  await write()
  const files = await readdir(await kept())
  expect(files.sort()).toEqual(['facts.json', 'model.onnx', 'weights.bin'])
  for (const path of [folder, await kept()]) expect((await stat(path)).mode & 0o777).toBe(0o755)
  for (const file of files) expect((await stat(join(await kept(), file))).mode & 0o777).toBe(0o644)
})

test('without a folder nothing is looked for', async () => {
  await write()
  const { prepacked, session } = await loadGraph({
    spec,
    target: 'cpu-f32',
    device: CPU,
    threadCount: 1,
    share: undefined,
  })
  await session.release()
  expect(prepacked).toBeUndefined()
})

test('weights that must be made are not made again', async () => {
  const fp8 = await openFolder(fixturePath('quantized/bert-fp8-channel'))
  const first = await load(fp8)
  await write(fp8)
  const made = (await readdir(cache)).filter((name) => name.endsWith('.bin'))
  expect(made).toHaveLength(1)
  await rm(join(cache, made[0] as string))
  const { prepacked, rows } = await load(fp8)
  expect(prepacked).toEqual({ isUsed: true })
  expect(rows).toEqual(first.rows)
  expect(await readdir(cache)).toEqual(['prepacked'])
})

test('a model whose weights changed is another one', async () => {
  const own = join(await makeFolder(), 'model')
  await cp(fixturePath('bert-mean-normalize'), own, { recursive: true })
  const before = await openFolder(own)
  await write(before)
  expect((await load(before)).prepacked).toEqual({ isUsed: true })
  const later = new Date(Date.now() + 5000)
  await utimes(join(own, 'model.safetensors'), later, later)
  expect((await load(await openFolder(own))).prepacked).toEqual({ isUsed: false })
})

test('layers of an image, which forget fractions of seconds, find theirs', async () => {
  const own = join(await makeFolder(), 'model')
  await cp(fixturePath('bert-mean-normalize'), own, { recursive: true })
  const weights = join(own, 'model.safetensors')
  await utimes(weights, 1_700_000_000.7, 1_700_000_000.7)
  await write(await openFolder(own))
  await utimes(weights, 1_700_000_000, 1_700_000_000)
  expect((await load(await openFolder(own))).prepacked).toEqual({ isUsed: true })
})

describe('what is damaged is told, removed and written anew:', () => {
  test.each<[string, (path: string) => Promise<void>, string]>([
    [
      'weights cut short',
      (path) => truncate(join(path, 'weights.bin'), 5000),
      'weights.bin has 5000 bytes instead of',
    ],
    [
      'another graph',
      (path) => writeFile(join(path, 'model.onnx'), 'graph'),
      'model.onnx is not what was written',
    ],
    ['no facts', (path) => writeFile(join(path, 'facts.json'), ''), 'JSON'],
    [
      'facts of another kind',
      (path) => writeFile(join(path, 'facts.json'), '{"model":1}'),
      'facts.json is damaged',
    ],
    [
      'a huge graph',
      (path) => truncate(join(path, 'model.onnx'), 65_000_000),
      'model.onnx has 65000000 bytes',
    ],
    ['weights that changed', zeroWeights, 'weights.bin is not what was written'],
    ['a single bit of the last weight', flipLastBit, 'weights.bin is not what was written'],
    ['other numbers', changeOutput, 'gives other numbers than when it was written'],
    ['a pipe for facts', (path) => makePipe(path, 'facts.json'), 'facts.json: it is not a regular file'],
    ['a pipe for the graph', (path) => makePipe(path, 'model.onnx'), 'model.onnx: it is not a regular file'],
    ['a pipe for weights', (path) => makePipe(path, 'weights.bin'), 'weights.bin: it is not a regular file'],
    [
      'huge facts',
      (path) => truncate(join(path, 'facts.json'), 10_000_000_000),
      'facts.json has 10000000000 bytes',
    ],
    [
      'weights that others may write to',
      (path) => chmod(join(path, 'weights.bin'), 0o666),
      'weights.bin: others may write to it (mode 666)',
    ],
    [
      'a graph that others may write to',
      (path) => chmod(join(path, 'model.onnx'), 0o666),
      'model.onnx: others may write to it (mode 666)',
    ],
  ])('%s', async (_, damage, reason) => {
    const { rows } = await load()
    await write()
    await damage(await kept())
    const damaged = await load()
    expect(damaged.prepacked).toEqual({ isUsed: false, ignored: expect.stringContaining(reason) })
    expect(damaged.rows).toEqual(rows)
    expect(await readdir(folder)).toEqual([])
    expect(await write()).toHaveProperty('bytes')
    expect((await load()).prepacked).toEqual({ isUsed: true })
  })

  async function flipLastBit(path: string): Promise<void> {
    const file = join(path, 'weights.bin')
    const bytes = await readFile(file)
    bytes.writeUInt8((bytes.at(-1) as number) ^ 1, bytes.length - 1)
    await writeFile(file, bytes)
  }

  async function changeOutput(path: string): Promise<void> {
    const file = join(path, 'facts.json')
    const facts = JSON.parse(await readFile(file, 'utf8'))
    facts.output[0] += 1
    await writeFile(file, JSON.stringify(facts))
  }

  async function makePipe(path: string, name: string): Promise<void> {
    await rm(join(path, name))
    execFileSync('mkfifo', [join(path, name)])
  }

  async function zeroWeights(path: string): Promise<void> {
    const file = join(path, 'weights.bin')
    await writeFile(file, Buffer.alloc((await stat(file)).size))
  }
})

test('what finds no memory is loaded without, and stays for the next start', async () => {
  await write()
  const ask = { spec, target: 'cpu-f32', device: CPU, threadCount: 1, share: undefined } as const
  const { prepacked, session } = await loadGraph({ ...ask, prepackedFolder: folder }, (model, options) => {
    if (options.prepacked === undefined) return createSession(model, options)
    throw new ServerError('out_of_memory', 'Failed to allocate memory')
  })
  await session.release()
  expect(prepacked?.ignored).toContain('Failed to allocate memory')
  expect((await load()).prepacked).toEqual({ isUsed: true })
})

describe('a folder that others may write to', () => {
  test('is neither read nor written', async () => {
    await write()
    await chmod(folder, 0o777)
    const { prepacked } = await load()
    expect(prepacked).toEqual({ isUsed: false, ignored: `${folder}: others may write to it (mode 777)` })
    expect(await readdir(folder)).toHaveLength(1)
    expect(await write()).toEqual({ skipped: `${folder}: others may write to it (mode 777)` })
  })

  test('is refused within one of our own too', async () => {
    await write()
    const own = await kept()
    await chmod(own, 0o770)
    const reason = `${own}: others may write to it (mode 770)`
    expect((await load()).prepacked?.ignored).toBe(reason)
    expect(await write()).toEqual({ skipped: reason })
  })

  test('is named where it is a link within one of our own', async () => {
    await write()
    const own = await kept()
    const other = join(await makeFolder(), 'other')
    await rename(own, other)
    await symlink(other, own)
    const reason = `${own}: it is no folder, or a link to one`
    expect((await load()).prepacked?.ignored).toBe(reason)
    expect(await write()).toEqual({ skipped: reason })
  })

  test('is no less refused behind a link', async () => {
    await write()
    const other = await makeFolder()
    await symlink(folder, join(other, 'prepacked'))
    const { prepacked } = await load(spec, join(other, 'prepacked'))
    expect(prepacked?.ignored).toContain('it is no folder, or a link to one')
    expect(await write(spec, { folder: join(other, 'prepacked') })).toHaveProperty('skipped')
  })
})

describe('a folder of models', () => {
  test('keeps one that is there, and says so', async () => {
    await write()
    const before = await readFile(join(await kept(), 'facts.json'))
    expect(await write()).toEqual({ skipped: 'another process wrote it' })
    expect(await readFile(join(await kept(), 'facts.json'))).toEqual(before)
  })

  test('is written by one of two that begin at the same moment', async () => {
    const replies = await Promise.all([write(spec, { token: 'a' }), write(spec, { token: 'b' })])
    expect(replies).toContainEqual({ bytes: expect.any(Number) })
    expect(replies).toContainEqual({
      skipped: expect.stringMatching(/^another process (wrote|is writing) it$/),
    })
    await kept()
    expect((await load()).prepacked).toEqual({ isUsed: true })
  })

  test.each([
    ['a start that finds the newest', () => load()],
    ['a process that would write it', () => write()],
  ])(
    'loses the past of a model an hour after it was last asked for, and nothing else: by %s',
    async (_, start) => {
      await write()
      const name = (await readdir(folder))[0] as string
      const owner = name.slice(0, -33)
      const past = join(folder, `${owner}-${'0'.repeat(32)}`)
      const recent = join(folder, `${owner}-${'1'.repeat(32)}`)
      const others = join(folder, `${owner}-other-${'0'.repeat(32)}`)
      for (const path of [past, recent, others]) await cp(join(folder, name), path, { recursive: true })
      const old = new Date(Date.now() - 2 * HOUR_MS)
      for (const path of [past, others]) await utimes(join(path, 'facts.json'), old, old)
      // asked for of late, though written long ago
      await utimes(join(recent, 'facts.json'), new Date(), old)
      await start()
      expect((await readdir(folder)).map((entry) => join(folder, entry)).sort()).toEqual(
        [join(folder, name), recent, others].sort(),
      )
    },
  )

  test('a load marks the model that it takes, whether or not reading does', async () => {
    await write()
    const facts = join(await kept(), 'facts.json')
    const old = new Date(Date.now() - 2 * HOUR_MS)
    await utimes(facts, old, old)
    const marked = (await stat(facts, { bigint: true })).ctimeNs
    await load()
    const { atimeMs, mtimeMs, ctimeNs } = await stat(facts, { bigint: true })
    expect(Date.now() - Number(atimeMs)).toBeLessThan(HOUR_MS)
    expect(Date.now() - Number(mtimeMs)).toBeGreaterThan(HOUR_MS)
    // Only who sets times changes this one.
    expect(ctimeNs).toBeGreaterThan(marked)
  })

  test('is left to who is writing the same model, and taken over from who stopped', async () => {
    await write()
    const whole = await kept()
    const part = `${whole}.f00d.part`
    await cp(whole, part, { recursive: true })
    await writeFile(join(whole, 'facts.json'), '')
    await load()
    expect(await readdir(folder)).toEqual([part.slice(folder.length + 1)])
    expect(await write()).toEqual({ skipped: 'another process is writing it' })
    const old = new Date(Date.now() - HOUR_MS)
    for (const path of [join(part, 'weights.bin'), part]) await utimes(path, old, old)
    expect(await write()).toHaveProperty('bytes')
    expect(await readdir(folder)).toEqual([whole.slice(folder.length + 1)])
  })
})

test('a model that there is no room for is not written', async () => {
  const huge = { file: '/nowhere', byteOffset: 0, byteLength: 4e15, dtype: 'F32', shape: [1e15] } as const
  const reply = await write({ ...spec, tensors: { ...spec.tensors, 'pooler.huge': huge } })
  expect(reply).toEqual({
    skipped: expect.stringMatching(/^8000001000 MB of disk are needed, \d+ MB are free$/),
  })
  expect(await readdir(folder)).toEqual([])
})

test('a model that cannot be made leaves nothing behind', async () => {
  const { tensors } = spec
  const broken = Object.fromEntries(
    Object.entries(tensors).map(([name, ref]) => [name, { ...ref, byteOffset: ref.byteOffset + 1e9 }]),
  )
  expect(await write({ ...spec, tensors: broken })).toEqual({
    skipped: expect.stringContaining('no session'),
  })
  expect(await readdir(folder)).toEqual([])
})
