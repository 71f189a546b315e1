import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CudaDevice } from '../../../src/devices/device.ts'
import { ModelLane } from '../../../src/engine/model-lane.ts'
import type { ServerError } from '../../../src/errors.ts'
import type { TargetName } from '../../../src/graph/target.ts'
import { InferenceThread } from '../../../src/runtime/inference-thread.ts'
import type { InferenceOptions, LoadedRunner } from '../../../src/runtime/inference-thread.ts'
import { Overflow } from '../../../src/runtime/overflow.ts'
import { NO_ADAPTER, joinRows } from '../../../src/runtime/runner.ts'
import { requestOf } from '../../fakes/lane.ts'
import { fakeModel } from '../../fakes/model.ts'
import { ALONE, LETHAL, LOSING } from '../../fakes/paired-ids.ts'

const ENTRY = new URL('../../fakes/paired-inference-thread.ts', import.meta.url)
const GPU: CudaDevice = {
  kind: 'cuda',
  index: 1,
  name: 'H100',
  totalBytes: 80e9,
  freeBytes: 79e9,
  computeCapability: 90,
}

let thread: InferenceThread
let losses: ServerError[]
beforeEach(() => {
  thread = new InferenceThread(ENTRY)
  losses = []
})
afterEach(() => thread.close())

function load(options: Partial<InferenceOptions> = {}): Promise<LoadedRunner> {
  return thread.load(fakeModel().spec, {
    target: 'cuda-f32',
    device: GPU,
    threadCount: 1,
    onLoss: (error) => losses.push(error),
    ...options,
  })
}

const SHARE = { memoryBytes: 4096, maxRows: 32 }

function batchOf(id: number) {
  const row = { typeStart: 1, unpooledTokens: 0, adapter: NO_ADAPTER, wantsTokens: false }
  return joinRows([{ ids: Int32Array.of(id), ...row }])
}

describe('two batches deep', () => {
  test('a batch is posted before the one ahead of it has returned', async () => {
    const runner = { ...(await load()), depth: 2 }
    const lane = new ModelLane({
      name: 'paired',
      runner,
      limits: { maxRows: 1, maxTokens: 512, maxPaddedTokens: 1024 },
      queueSize: 10,
      queueTokens: 5120,
      now: () => 0,
    })
    // The thread answers a batch when the next is there: one that was held back until then would never be answered.
    const answers = await Promise.all([
      lane.submit(requestOf([[1]])),
      lane.submit(requestOf([[2]])),
      lane.submit(requestOf([[ALONE]])),
    ])
    expect(answers.map(({ rows }) => rows.length)).toEqual([2, 2, 2])
  })

  test('what is posted is handed over, not copied', async () => {
    const runner = await load()
    const batch = batchOf(ALONE)
    await runner.run(batch)
    const { ids, bounds, typeStarts, unpooledTokens, adapters } = batch
    for (const { buffer } of [ids, bounds, typeStarts, unpooledTokens, adapters])
      expect(buffer.detached).toBe(true)
  })
})

describe('numbers that a target cannot hold', () => {
  test('are told as an overflow, by the load and by the placing of weights', async () => {
    await expect(load({ target: 'cuda-f16' })).rejects.toThrow(Overflow)
    await expect(load({ target: 'cuda-f16' })).rejects.toThrow('beyond fp16')
    const { spec } = fakeModel()
    const placed = (target: TargetName) => thread.place({ spec, target, cacheFolder: '/nowhere' })
    await expect(placed('cuda-f16')).rejects.toThrow(Overflow)
    await placed('cuda-bf16')
  })

  test('are not tried again by a thread that replaces this one: it loads what was loaded last', async () => {
    await load()
    await expect(load({ target: 'cuda-f16' })).rejects.toThrow(Overflow)
    const runner = await load({ target: 'cuda-bf16' })
    await expect(runner.run(batchOf(LETHAL))).rejects.toMatchObject({ code: 'thread_died' })
    expect((await runner.run(batchOf(ALONE))).rows[1]).toBe(1)
  })
})

describe('the size of batches', () => {
  test('is what was found when the model was loaded', async () => {
    expect((await load({ share: SHARE })).batchTokens).toBe(4096)
  })

  test('is not searched for again by a thread that replaces one that died', async () => {
    const runner = await load({ share: SHARE })
    expect((await runner.run(batchOf(ALONE))).rows[0]).toBe(4096)
    await expect(runner.run(batchOf(LETHAL))).rejects.toMatchObject({ code: 'thread_died' })
    expect((await runner.run(batchOf(ALONE))).rows[0]).toBe(0)
    expect(runner.batchTokens).toBe(4096)
  })
})

describe('a GPU that is lost', () => {
  test('is named, told once, and never healthy again', async () => {
    const runner = await load()
    expect(runner.healthy).toBe(true)
    const lost = {
      code: 'device_lost',
      message: 'cuda:1 takes no more work from this process: CUDA failure 700: an illegal memory access',
    }
    const results = await Promise.allSettled([runner.run(batchOf(LOSING)), runner.run(batchOf(LOSING))])
    expect(results).toMatchObject([{ reason: lost }, { reason: lost }])
    expect(runner.healthy).toBe(false)
    expect(losses).toMatchObject([lost])
  })

  test('is given nothing more', async () => {
    const runner = await load()
    await expect(runner.run(batchOf(LOSING))).rejects.toMatchObject({ code: 'device_lost' })
    await expect(runner.run(batchOf(ALONE))).rejects.toMatchObject({ code: 'device_lost' })
    // Given to the thread, it would have ended it.
    await expect(runner.run(batchOf(LETHAL))).rejects.toMatchObject({ code: 'device_lost' })
    expect(losses).toHaveLength(1)
  })
})
