import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { LogEvent } from '../../src/base/log.ts'
import { loadConfig } from '../../src/config.ts'
import type { RunningService } from '../../src/start.ts'
import { startService } from '../../src/start.ts'
import { copyFixture, fixturePath, makeFolder } from './model/model-folder.ts'

const opened: RunningService[] = []

/** The bundled model. */
async function start(env: Record<string, string>, onReuse?: (...facts: readonly unknown[]) => void) {
  const service = await startService({ config: loadConfig(env, []), log: () => {}, onReuse })
  opened.push(service)
  return service
}

afterEach(async () => {
  for (const service of opened.splice(0)) await service.close()
})

const EMBED = { kind: 'embed', model: undefined, texts: ['hello world'] } as const
const DECODE = { kind: 'decode', model: undefined, vocabulary: 'client', skipSpecialTokens: true } as const

test('CACHE_MB keeps results, and reuse is told', async () => {
  const told: unknown[] = []
  const { engine } = await start({ CACHE_MB: '1' }, (...facts) => told.push(facts))
  const first = await engine.embed(EMBED)
  const again = await engine.embed(EMBED)
  expect(again.vectors).toEqual(first.vectors)
  expect(told).toEqual([['all-MiniLM-L6-v2-int8', 1, 'cache']])
  expect(engine.cacheStats()?.entries).toBe(1)
  // A megabyte holds a few hundred vectors of 384 numbers: older ones made room.
  await engine.embed({ ...EMBED, texts: Array.from({ length: 600 }, (_, n) => `${n}`) })
  expect(engine.cacheStats()?.bytes).toBeLessThanOrEqual(1_000_000)
  expect(engine.cacheStats()?.bytes).toBeGreaterThan(990_000)
})

test('without CACHE_MB nothing is kept', async () => {
  const told: unknown[] = []
  const { engine } = await start({}, (...facts) => told.push(facts))
  await engine.embed(EMBED)
  await engine.embed(EMBED)
  expect(engine.cacheStats()).toBeUndefined()
  expect(told).toEqual([])
})

test('MAX_QUEUE_TOKENS bounds the tokens that wait', async () => {
  const { engine } = await start({ MAX_QUEUE_TOKENS: '1' })
  const texts = Array.from({ length: 500 }, (_, n) => `text ${n}`)
  const first = engine.embed({ ...EMBED, texts })
  await vi.waitFor(() => expect(engine.models()[0]?.stats.queuedItems).toBeGreaterThan(0), { interval: 1 })
  await expect(engine.embed(EMBED)).rejects.toMatchObject({
    code: 'overloaded',
    message: expect.stringContaining('would pass its limit of 1 (MAX_QUEUE_TOKENS)'),
  })
  await first
})

test.each([
  ['cl100k', [15_339, 1917], 'hello world'],
  ['native', [7592, 2088], 'hello world'],
])('TOKEN_INPUT=%s reads %j as such', async (TOKEN_INPUT, ids, text) => {
  const { engine } = await start({ TOKEN_INPUT })
  expect(await engine.decode({ ...DECODE, ids: [ids] })).toEqual({ texts: [text] })
})

test('closed, it has no thread left that would read integers', async () => {
  const { engine, close } = await start({})
  await engine.decode({ ...DECODE, ids: [[15_339]] })
  await close()
  await expect(engine.decode({ ...DECODE, ids: [[15_339]] })).rejects.toMatchObject({ code: 'stopping' })
})

test('TOKEN_INPUT=reject refuses integers', async () => {
  const { engine } = await start({ TOKEN_INPUT: 'reject' })
  await expect(engine.decode({ ...DECODE, ids: [[7592]] })).rejects.toMatchObject({
    message: 'TOKEN_INPUT=reject: integer inputs are refused; send text',
  })
})

describe('CACHE_DIR', () => {
  const MODEL_NAMES = `one=${fixturePath('bert-mean-normalize')};two=${fixturePath('bert-cls')}`

  /** What was logged of models until the service closed, having kept them or not. */
  async function run(env: Record<string, string>, keeps: boolean): Promise<readonly LogEvent[]> {
    const events: LogEvent[] = []
    const config = loadConfig({ MODEL_NAMES, EXECUTION_PROVIDER: 'cpu', PORT: '0', ...env }, [])
    const service = await startService({ config, log: (_, event) => void events.push(event) })
    if (keeps) await service.keepModels()
    await service.close()
    return events.filter(({ event }) => event === 'model_loaded' || event.startsWith('prepacked'))
  }

  test('has models kept as they lie in memory, once the service is asked to, for the next start', async () => {
    const CACHE_DIR = await makeFolder()
    const loaded = (prepacked: boolean) => ({ event: 'model_loaded', prepacked })
    const first = await run({ CACHE_DIR }, true)
    expect(first).toMatchObject([
      loaded(false),
      loaded(false),
      { event: 'prepacked' },
      { event: 'prepacked' },
    ])
    expect(new Set(first.slice(2).map((event) => 'model' in event && event.model))).toEqual(
      new Set(['one', 'two']),
    )
    expect(await run({ CACHE_DIR }, true)).toMatchObject([loaded(true), loaded(true)])
    const [name] = await readdir(join(CACHE_DIR, 'prepacked'))
    await writeFile(join(CACHE_DIR, 'prepacked', name as string, 'facts.json'), '')
    const damaged = await run({ CACHE_DIR }, true)
    expect(damaged.filter(({ event }) => event !== 'model_loaded')).toMatchObject([
      { event: 'prepacked_ignored', reason: expect.stringContaining('JSON') },
      { event: 'prepacked' },
    ])
  })

  test('of a service that only starts and ends gets nothing', async () => {
    const CACHE_DIR = await makeFolder()
    await run({ CACHE_DIR }, false)
    expect(await readdir(CACHE_DIR)).toEqual([])
  })

  test('that is not set means that nothing is looked for or kept', async () => {
    const HF_HOME = await makeFolder()
    const events = await run({ HF_HOME }, true)
    expect(events.map(({ event }) => event)).toEqual(['model_loaded', 'model_loaded'])
    for (const event of events) expect(event).not.toHaveProperty('prepacked')
    expect(await readdir(HF_HOME)).toEqual([])
  })
})

describe('a model in int8', () => {
  async function startInt8(env: Record<string, string>) {
    const lines: unknown[] = []
    const config = loadConfig({ DTYPES: 'int8', ...env }, [])
    const service = await startService({
      config,
      log: (level, event) => void lines.push({ level, ...event }),
    })
    await service.close()
    return lines
  }

  test('tells its cosine, and warns of a folder that keeps nothing', async () => {
    const CACHE_DIR = join(await makeFolder(), 'file')
    await writeFile(CACHE_DIR, '')
    const lines = await startInt8({ MODEL_NAMES: fixturePath('bert-cls'), CACHE_DIR, INT8_FORCE: '1' })
    expect(lines).toContainEqual(expect.objectContaining({ level: 'info', event: 'int8_fidelity' }))
    expect(lines).toContainEqual({
      level: 'warn',
      event: 'int8_unkept',
      model: 'model',
      reason: expect.stringContaining(`${CACHE_DIR} cannot be written to`),
    })
  })

  test('that is loaded by force says its cosine as a warning', async () => {
    const MODEL_NAMES = await copyFixture('bert-cased')
    await spoilWeights(join(MODEL_NAMES, 'model.safetensors'))
    const env = { MODEL_NAMES, CACHE_DIR: await makeFolder(), INT8_MODE: 'fast', INT8_FORCE: '1' }
    expect(await startInt8(env)).toContainEqual(
      expect.objectContaining({ level: 'warn', event: 'int8_fidelity' }),
    )
  })

  /** One weight in each row is so large that the codes of all others are zero. */
  async function spoilWeights(path: string): Promise<void> {
    const bytes = await readFile(path)
    const headerBytes = Number(bytes.readBigUInt64LE(0))
    type Header = Record<string, { shape: [number, number]; data_offsets: [number, number] }>
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Header
    for (const [name, { shape, data_offsets: offsets }] of Object.entries(header)) {
      if (!/layer.*dense\.weight$/.test(name)) continue
      const [rows, columns] = shape
      for (let row = 0; row < rows; row++)
        bytes.writeFloatLE(4000 * ((row % 2) * 2 - 1), 8 + headerBytes + offsets[0] + 4 * row * columns)
    }
    await writeFile(path, bytes)
  }
})

describe('a folder of ONNX files alone', () => {
  const startExported = async (fixture: string, env: Record<string, string>) => {
    const events: LogEvent[] = []
    const MODEL_NAMES = `one=${fixturePath(fixture)}`
    const config = loadConfig({ MODEL_NAMES, EXECUTION_PROVIDER: 'cpu', PORT: '0', ...env }, [])
    const service = await startService({ config, log: (_, event) => void events.push(event) })
    opened.push(service)
    return { service, events }
  }

  test('is served by the file that DTYPES chooses, and that is said', async () => {
    const { service, events } = await startExported('_dynamic/exported-model_quantized', { DTYPES: 'int8' })
    expect(service.engine.models()).toMatchObject([{ dtype: 'int8', dtypeRequested: 'int8' }])
    expect((await service.engine.embed(EMBED)).dimensions).toBe(32)
    expect(events).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({
          event: 'exported_chosen',
          file: 'onnx/model_quantized.onnx',
          dtype: 'int8',
        }),
      ]),
    )
    expect(events.map(({ event }) => event)).not.toContain('dtype_replaced')
  })

  test('is served by the nearest file, unless STRICT_DTYPES is set', async () => {
    const { service, events } = await startExported('_dynamic/exported-model_quantized', {})
    expect(service.engine.models()).toMatchObject([{ dtype: 'int8', dtypeRequested: 'auto' }])
    expect(events.map(({ event }) => event)).not.toContain('dtype_replaced')
    const strict = { DTYPES: 'fp16', STRICT_DTYPES: '1' }
    await expect(startExported('_dynamic/exported-model_quantized', strict)).rejects.toMatchObject({
      code: 'model_unsupported',
      message: expect.stringContaining('onnx/model_quantized.onnx is the nearest') as string,
    })
  })

  test('is not kept packed: what is behind it is small, and it is not ours', async () => {
    const CACHE_DIR = await makeFolder()
    const { service, events } = await startExported('exported/exported-dense', { CACHE_DIR })
    await service.keepModels()
    expect(await readdir(CACHE_DIR)).toEqual([])
    expect(events.filter(({ event }) => event.startsWith('prepacked'))).toEqual([])
  })
})
