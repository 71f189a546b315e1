/** A start on GPUs that are not there: their threads are scripted, all else is real. */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import type { CudaDevice, Device, Devices } from '../../src/devices/device.ts'
import { CPU } from '../../src/devices/device.ts'
import { ServerError } from '../../src/errors.ts'
import type { ModelSpec } from '../../src/model/spec.ts'
import type { InferenceOptions, LoadedRunner } from '../../src/runtime/inference-thread.ts'
import { InferenceThread } from '../../src/runtime/inference-thread.ts'
import { Overflow } from '../../src/runtime/overflow.ts'
import type { LoadReply, PlaceAsk } from '../../src/runtime/protocol.ts'
import type { RunningService } from '../../src/start.ts'
import { startService } from '../../src/start.ts'
import { Threads } from '../../src/threads.ts'
import { openHub, repositoryOf } from '../fakes/hub.ts'
import { recordLog } from '../fakes/recording-log.ts'
import { FakeRunner, settle } from '../fakes/runner.ts'
import { BUNDLED_MODEL } from '../open-model.ts'
import { makeFolder } from './model/model-folder.ts'

const ENTRY = new URL('../fakes/paired-inference-thread.ts', import.meta.url)

interface Load {
  readonly spec: ModelSpec
  readonly options: InferenceOptions
  readonly finish: (loaded?: Partial<LoadReply>) => void
  readonly fail: (error: Error) => void
}

/** Loads that are under way, or were. */
let loads: Load[]

/** Weights that were placed for all devices, and what comes of it. */
let placed: PlaceAsk[]
let placing: () => Promise<void>

class ScriptedThread extends InferenceThread {
  constructor() {
    super(ENTRY)
  }

  override place(ask: PlaceAsk): Promise<void> {
    placed.push(ask)
    return placing()
  }

  override load(spec: ModelSpec, options: InferenceOptions): Promise<LoadedRunner> {
    const { promise, resolve, reject } = Promise.withResolvers<LoadedRunner>()
    const finish = (changes: Partial<LoadReply> = {}) => {
      const runner = new FakeRunner({ depth: 2, automatic: true })
      runners.push(runner)
      const found: Omit<LoadReply, keyof FakeRunner['limits']> & Partial<LoadReply> = {
        towers: {},
        batchTokens: 4096,
        longestRowFits: true,
        provider: 'cuda',
        dtype: 'fp16',
        depth: 2,
        maxBatchTokens: 65_535,
        unusedTensors: [],
        loadMs: 5,
        ...changes,
      }
      const loaded: LoadReply = { ...runner.limits, ...found }
      const { batchTokens, provider, dtype } = found
      resolve(Object.assign(runner, { loaded, batchTokens, provider, dtype }))
    }
    loads.push({ spec, options, finish, fail: reject })
    return promise
  }
}

/** Tokenizers that were asked for: a model asks for its own when it takes its turn on the devices. */
let tokenizerCount: number

class ScriptedThreads extends Threads {
  constructor() {
    super()
    const open = this.tokenizer.open.bind(this.tokenizer)
    this.tokenizer.open = (spec) => {
      tokenizerCount++
      return open(spec)
    }
  }

  override takeInference(): InferenceThread {
    const thread = new ScriptedThread()
    threads.push(thread)
    return thread
  }
}

let threads: InferenceThread[] = []
let runners: FakeRunner[] = []
let services: RunningService[] = []
afterEach(async () => {
  for (const end of [...services, ...threads]) await end.close()
  services = []
  threads = []
  runners = []
})

function gpu(index: number, options: Partial<CudaDevice> = {}): CudaDevice {
  const memory = { totalBytes: 80e9, freeBytes: 60e9 }
  return { kind: 'cuda', index, name: 'H100', computeCapability: 90, ...memory, ...options }
}

function start(devices: Devices | Promise<Devices>, env: Record<string, string> = {}) {
  loads = []
  placed = []
  placing = async () => {}
  tokenizerCount = 0
  const recorded = recordLog()
  const config = loadConfig({ MODEL_NAMES: `one=${BUNDLED_MODEL}`, ...env }, [])
  const starting = startService({ config, log: recorded.log, threads: new ScriptedThreads(), devices })
  const running = starting.then((service) => {
    services.push(service)
    return service
  })
  // Looked at later.
  running.catch(() => {})
  return { running, ...recorded }
}

/** All models have asked for their turn. */
async function modelsOpen(count: number): Promise<void> {
  while (tokenizerCount < count) await settle()
  await settle()
}

async function loadsUnderWay(count: number): Promise<void> {
  while (loads.length < count) await settle()
}

const OTHER_MODEL = fileURLToPath(new URL('../golden/bert/bert-cls/model', import.meta.url))

test('between batches the cores are kept warm for one model, and free where there are others', async () => {
  const spins: unknown[] = []
  for (const names of [`one=${BUNDLED_MODEL}`, `one=${BUNDLED_MODEL};two=${OTHER_MODEL}`]) {
    const { running } = start([CPU], { MODEL_NAMES: names })
    await loadsUnderWay(names.split(';').length)
    spins.push(loads.map(({ options }) => options.spins))
    for (const { finish } of loads) finish()
    await running
  }
  expect(spins).toEqual([[true], [false, false]])
})

describe('CPU_SESSIONS', () => {
  const cores = availableParallelism()

  test.each([
    ['1', 1],
    ['2', Math.min(2, cores)],
    ['256', cores],
  ])('%s loads a model as often, at most once a core, and shares the cores out', async (text, count) => {
    const { running, named } = start([CPU], { CPU_SESSIONS: text })
    await loadsUnderWay(count)
    expect(loads.map(({ options: { device, threadCount } }) => [device, threadCount])).toEqual(
      Array.from({ length: count }, () => [CPU, Math.floor(cores / count)]),
    )
    for (const { finish } of loads) finish()
    const { engine } = await running
    expect(named('devices_chosen')).toMatchObject([{ devices: Array(count).fill('cpu') }])
    expect((await engine.embed(EMBED)).dimensions).toBe(3)
  })

  test('is not for GPUs', async () => {
    const { running } = start([gpu(0)], { CPU_SESSIONS: '2' })
    await loadsUnderWay(1)
    loads[0]?.finish()
    await running
    expect(loads).toHaveLength(1)
  })

  test.runIf(cores > 1)('says once what is wrong with all', async () => {
    const { running } = start([CPU], { CPU_SESSIONS: '2' })
    await loadsUnderWay(2)
    for (const { fail } of loads) fail(new ServerError('load_failed', 'no session'))
    await expect(running).rejects.toMatchObject({
      message: expect.stringMatching(/^one \(\S+\): no session$/),
    })
  })
})

const TWO = { MODEL_NAMES: `one=${BUNDLED_MODEL};two=${OTHER_MODEL}` }
const EMBED = { kind: 'embed', model: undefined, texts: ['hello world'] } as const

describe('on several GPUs', () => {
  test('a model loads on all of them side by side, and serves as one', async () => {
    const { running, lines } = start([gpu(0), gpu(3)])
    await loadsUnderWay(2)
    expect(loads.map(({ options }) => options.device)).toEqual([gpu(0), gpu(3)])
    loads[1]?.finish({ batchTokens: 2000, loadMs: 7.4 })
    loads[0]?.finish()
    const { engine } = await running
    expect(engine.models()).toMatchObject([
      { id: 'one', maxBatchTokens: 2000, provider: 'cuda', healthy: true },
    ])
    expect((await engine.embed(EMBED)).dimensions).toBe(3)
    const shared = { event: 'model_loaded', level: 'info', model: 'one', provider: 'cuda', dtype: 'fp16' }
    expect(lines).toEqual([
      { event: 'devices_chosen', level: 'info', devices: ['cuda:0 (H100)', 'cuda:3 (H100)'] },
      { ...shared, device: 'cuda:0', loadMs: 5, maxBatchTokens: 4096, unusedTensors: 0 },
      { ...shared, device: 'cuda:3', loadMs: 7, maxBatchTokens: 2000, unusedTensors: 0 },
    ])
  })

  test('that are in int8 say which sides of a model are not', async () => {
    const { running, lines } = start([gpu(0)])
    await loadsUnderWay(1)
    const fidelity = { meanCosine: 0.9999, leastCosine: 0.999, texts: 3 }
    loads[0]?.finish({ dtype: 'int8', fidelity, towers: { image: { maxTokens: 50 } } })
    await running
    expect(lines.filter(({ event }) => event === 'dtype_replaced')).toEqual([
      {
        event: 'dtype_replaced',
        level: 'info',
        model: 'one',
        requested: 'int8',
        used: 'fp32',
        reason: 'int8 is calibrated with texts, not with what the model reads besides: image',
      },
    ])
  })

  test('the first converts the weights, and only then all load', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { running } = start([gpu(0), gpu(1), gpu(2)], { CACHE_DIR: '/cache' })
    placing = () => promise
    while (placed.length === 0) await settle()
    await settle()
    expect(placed).toMatchObject([{ target: 'cuda-f16', cacheFolder: '/cache' }])
    expect(loads).toEqual([])
    resolve()
    await loadsUnderWay(3)
    expect(placed).toHaveLength(1)
    for (const { finish } of loads) finish()
    await running
  })

  test('one alone places its weights when it loads', async () => {
    const { running } = start([gpu(0)])
    await loadsUnderWay(1)
    expect(placed).toEqual([])
    loads[0]?.finish()
    await running
  })

  test('one that fails to load fails the start, and is named', async () => {
    const { running } = start([gpu(0), gpu(1)])
    await loadsUnderWay(2)
    loads[0]?.finish()
    loads[1]?.fail(new ServerError('load_failed', 'ONNX Runtime made no session'))
    await expect(running).rejects.toMatchObject({
      code: 'load_failed',
      message: `one (${BUNDLED_MODEL}): cuda:1: ONNX Runtime made no session`,
    })
  })

  test('that all fail are all named, once', async () => {
    const { running } = start([gpu(0), gpu(1)])
    await loadsUnderWay(2)
    loads[0]?.fail(new ServerError('load_failed', 'broken'))
    loads[1]?.fail(new ServerError('load_failed', 'cuda:1 has too little memory'))
    await expect(running).rejects.toThrow(/: cuda:0: broken\ncuda:1 has too little memory$/)
  })

  test('of unlike kinds, all compute what the least of them can', async () => {
    const { running } = start([gpu(0), gpu(1, { computeCapability: 75 })], { DTYPES: 'bf16' })
    await loadsUnderWay(2)
    expect(loads.map(({ options }) => options.target)).toEqual(['cuda-f32', 'cuda-f32'])
    for (const { finish } of loads) finish()
    await running
  })
})

describe('several models', () => {
  test('on GPUs load one after the other, so that each finds the weights of those before it', async () => {
    const { running } = start([gpu(0), gpu(1)], TWO)
    await modelsOpen(2)
    const [first, second] = loads
    expect(loads).toHaveLength(2)
    expect(first?.spec.name).toBe(second?.spec.name)
    first?.finish()
    await settle()
    expect(loads).toHaveLength(2)
    second?.finish()
    await loadsUnderWay(4)
    for (const { finish } of loads.slice(2)) finish()
    expect((await running).engine.models().map(({ id }) => id)).toEqual(['one', 'two'])
  })

  test('on GPUs are all loaded, or tried, though one failed: every failure is told', async () => {
    const { running } = start([gpu(0)], TWO)
    for (const turn of [1, 2]) {
      await loadsUnderWay(turn)
      const { spec, fail } = loads.at(-1) as Load
      fail(new ServerError('load_failed', `broken is ${spec.name}`))
    }
    await expect(running).rejects.toThrow(/^one .*: broken is one\ntwo .*: broken is two$/s)
  })

  test('on the CPU load side by side', async () => {
    const { running } = start([CPU], TWO)
    await loadsUnderWay(2)
    for (const { finish } of loads) finish()
    await running
  })
})

describe('the memory that batches are fitted to', () => {
  async function shares(devices: Devices, env: Record<string, string> = {}) {
    const { running } = start(devices, env)
    const count = env['MODEL_NAMES'] === undefined ? 1 : 2
    for (let load = 0; load < count; load++) {
      await loadsUnderWay(load + 1)
      loads[load]?.finish()
    }
    await running
    return loads.map(({ options }) => options.share)
  }

  test('is what was free, in equal parts for all models', async () => {
    expect(await shares([gpu(0)])).toEqual([{ memoryBytes: 60e9, maxRows: 32 }])
    expect(await shares([gpu(0)], { ...TWO, BATCH_SIZES: '8;16' })).toEqual(
      expect.arrayContaining([
        { memoryBytes: 30e9, maxRows: 8 },
        { memoryBytes: 30e9, maxRows: 16 },
      ]),
    )
  })

  test('is not asked for where MAX_BATCH_TOKENS says it, nor on the CPU', async () => {
    expect(await shares([gpu(0)], { MAX_BATCH_TOKENS: '9000' })).toEqual([undefined])
    expect(services[0]?.engine.models()[0]?.maxBatchTokens).toBe(9000)
    expect(await shares([CPU])).toEqual([undefined])
  })

  test('more tokens than the kernels of a target can count are none that a batch gets', async () => {
    const { running, named } = start([gpu(0), gpu(1)], { MAX_BATCH_TOKENS: '16000000' })
    await loadsUnderWay(2)
    loads[0]?.finish()
    loads[1]?.finish()
    expect((await running).engine.models()).toMatchObject([{ maxBatchTokens: 65_535 }])
    expect(named('model_loaded')).toMatchObject([{ maxBatchTokens: 65_535 }, { maxBatchTokens: 65_535 }])
  })

  test('too little for the longest row is one line in the log', async () => {
    const { running, named } = start([gpu(0)])
    await loadsUnderWay(1)
    loads[0]?.finish({ longestRowFits: false, maxTokens: 8192 })
    await running
    expect(named('longest_row_unfit')).toEqual([
      { event: 'longest_row_unfit', level: 'warn', model: 'one', device: 'cuda:0', maxTokens: 8192 },
    ])
  })
})

test('what befalls a thread or its GPU is told with both their names', async () => {
  const { running, lines } = start([gpu(2)])
  await loadsUnderWay(1)
  loads[0]?.finish()
  await running
  const { onDeath, onRevival, onLoss } = (loads[0] as Load).options
  onDeath?.(new ServerError('thread_died', 'exit code 3'))
  onRevival?.(12.3)
  onLoss?.(new ServerError('device_lost', 'gone'))
  const shared = { model: 'one', device: 'cuda:2' }
  expect(lines.slice(2)).toEqual([
    { event: 'thread_died', level: 'error', ...shared, error: 'exit code 3' },
    { event: 'thread_revived', level: 'warn', ...shared, loadMs: 12 },
    { event: 'device_lost', level: 'error', ...shared, error: 'gone' },
  ])
})

describe('a dtype that the device lacks', () => {
  const devices: readonly [Device] = [CPU]

  test('is replaced, and that is said', async () => {
    const { running, named } = start(devices, { DTYPES: 'fp16' })
    await loadsUnderWay(1)
    loads[0]?.finish()
    const { engine } = await running
    expect(loads[0]?.options.target).toBe('cpu-f32')
    expect(engine.models()[0]?.dtypeRequested).toBe('fp16')
    expect(named('dtype_replaced')).toMatchObject([{ level: 'warn', requested: 'fp16', used: 'fp32' }])
  })

  test('is refused where STRICT_DTYPES says so', async () => {
    const { running } = start(devices, { DTYPES: 'fp16', STRICT_DTYPES: '1' })
    await expect(running).rejects.toMatchObject({
      code: 'model_unsupported',
      message: expect.stringMatching(/asks for fp16; .*, and STRICT_DTYPES is set$/),
    })
  })
})

describe('a model whose numbers half precision cannot hold', () => {
  const reason = 'activations leave the range of fp16'
  const targets = () => loads.map(({ options }) => options.target)

  test.each(['auto', 'fp16'])(
    'is loaded again in a wider precision, DTYPES %s, and that is said',
    async (dtype) => {
      const { running, named } = start([gpu(0)], { DTYPES: dtype })
      await loadsUnderWay(1)
      loads[0]?.fail(new Overflow(reason))
      await loadsUnderWay(2)
      loads[1]?.finish({ dtype: 'bf16' })
      expect((await running).engine.models()).toMatchObject([{ dtype: 'bf16', dtypeRequested: dtype }])
      expect(targets()).toEqual(['cuda-f16', 'cuda-bf16'])
      expect(named('dtype_replaced')).toMatchObject([
        { level: 'warn', requested: dtype, used: 'bf16', reason },
      ])
      expect(named('model_loaded')).toMatchObject([{ dtype: 'bf16' }])
    },
  )

  test('goes there on all GPUs, though one alone has seen it: to what the least of them can', async () => {
    const { running, named } = start([gpu(0), gpu(1, { computeCapability: 75 })])
    await loadsUnderWay(2)
    loads[0]?.finish()
    loads[1]?.fail(new Overflow(reason))
    await loadsUnderWay(4)
    expect(targets()).toEqual(['cuda-f16', 'cuda-f16', 'cuda-f32', 'cuda-f32'])
    expect(placed.map(({ target }) => target)).toEqual(['cuda-f16', 'cuda-f32'])
    for (const { finish } of loads.slice(2)) finish({ dtype: 'fp32' })
    expect((await running).engine.models()).toMatchObject([{ dtype: 'fp32' }])
    expect(named('dtype_replaced')).toHaveLength(1)
    expect(named('model_loaded')).toMatchObject([{ dtype: 'fp32' }, { dtype: 'fp32' }])
  })

  test('is loaded for nothing where its weights already do not fit', async () => {
    const { running } = start([gpu(0), gpu(1)])
    placing = async () => {
      if (placed.length === 1) throw new Overflow('a weight is beyond ±65504')
    }
    await loadsUnderWay(2)
    expect(targets()).toEqual(['cuda-bf16', 'cuda-bf16'])
    for (const { finish } of loads) finish()
    await running
  })

  test('that also fails otherwise is not tried again', async () => {
    const { running } = start([gpu(0), gpu(1)])
    await loadsUnderWay(2)
    loads[0]?.fail(new Overflow(reason))
    loads[1]?.fail(new ServerError('load_failed', 'broken'))
    await expect(running).rejects.toThrow(/: cuda:1: broken$/)
    expect(loads).toHaveLength(2)
  })

  test('is refused where fp16 is asked for and STRICT_DTYPES is set, not where nothing is asked for', async () => {
    for (const [dtype, isRefused] of [
      ['fp16', true],
      ['auto', false],
    ] as const) {
      const { running } = start([gpu(0)], { DTYPES: dtype, STRICT_DTYPES: '1' })
      await loadsUnderWay(1)
      loads[0]?.fail(new Overflow(reason))
      if (isRefused) {
        await expect(running).rejects.toMatchObject({ code: 'model_unsupported' })
        expect(loads).toHaveLength(1)
      } else {
        await loadsUnderWay(2)
        loads[1]?.finish()
        await running
      }
    }
  })
})

describe('while devices are looked at', () => {
  const missing = `${BUNDLED_MODEL}/not-there`

  test('models are fetched already, and loaded when the devices are known', async () => {
    await using hub = await openHub({ 'org/model': await repositoryOf(BUNDLED_MODEL) })
    const { promise, resolve } = Promise.withResolvers<Devices>()
    const env = { MODEL_NAMES: 'org/model', HF_ENDPOINT: hub.endpoint, HF_HOME: await makeFolder() }
    const { running, named } = start(promise, env)
    while (named('model_fetched').length === 0) await settle()
    expect(named('devices_chosen')).toEqual([])
    resolve([CPU])
    await loadsUnderWay(1)
    loads[0]?.finish()
    expect((await running).engine.models()).toMatchObject([{ id: 'org/model' }])
  })

  test('what is wrong with a model is told when they are known', async () => {
    const { running } = start([CPU], { MODEL_NAMES: `one=${missing}` })
    await expect(running).rejects.toThrow(missing)
  })

  test('a device that cannot be used is the only reason, and no model is loaded', async () => {
    const config = loadConfig(
      { MODEL_NAMES: `one=${missing}`, EXECUTION_PROVIDER: 'cuda', DEVICES: '63' },
      [],
    )
    const starting = startService({ config, log: () => {}, threads: new ScriptedThreads() })
    await expect(starting).rejects.toMatchObject({ code: 'provider_unavailable' })
    expect(threads).toEqual([])
  })
})

test('converted weights are kept where CACHE_DIR says, else beside the cache of the hub', async () => {
  for (const [env, folder] of [
    [{ CACHE_DIR: '/cache' }, '/cache'],
    [{ HF_HOME: '/volume/hf' }, '/volume/hf/runpod-worker-embeddings'],
  ] as const) {
    start([gpu(0)], env)
    await loadsUnderWay(1)
    expect(loads[0]?.options.cacheFolder).toBe(folder)
    loads[0]?.finish()
  }
})

test('a device that runs out of memory is one line in the log', async () => {
  const { running, named } = start([gpu(0)])
  await loadsUnderWay(1)
  loads[0]?.finish()
  const { engine } = await running
  const texts = Array.from({ length: 16 }, (_, index) => `text number ${index}`)
  for (const runner of runners) runner.paddedRoom = 20
  expect((await engine.embed({ ...EMBED, texts })).vectors).toHaveLength(16 * 3)
  await settle()
  const told = named('batch_budget_changed')
  expect(told).toMatchObject([{ level: 'warn', model: 'one' }])
  expect(told[0]).toHaveProperty('maxBatchTokens', engine.models()[0]?.maxBatchTokens)
})
