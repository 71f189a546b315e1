import { describe, expect, test } from 'vitest'
import { CPU } from '../../../src/devices/device.ts'
import type { InputRole } from '../../../src/graph/contract.ts'
import { OUTPUT } from '../../../src/graph/contract.ts'
import { encodeGraph } from '../../../src/graph/encode.ts'
import { createSession, prepareLibrary, sessionOptions } from '../../../src/runtime/session.ts'

/** Multiplies a column by a line: as large as the two together make it. */
function productGraph(): Uint8Array<ArrayBuffer> {
  const output = { name: OUTPUT, dtype: 'f32', shape: ['N', 'M'] } as const
  return encodeGraph({
    inputs: [
      { name: 'mean_weights', dtype: 'f32', shape: ['N', 1] },
      { name: 'position_weights', dtype: 'f32', shape: [1, 'M'] },
    ],
    initializers: [],
    nodes: [{ op: 'Mul', inputs: ['mean_weights', 'position_weights'], attributes: {}, outputs: [output] }],
    outputs: [output],
  })
}

function feedsOf(count: number) {
  const data = new Float32Array(count).fill(3)
  return new Map<InputRole, { data: Float32Array; dims: number[] }>([
    ['mean_weights', { data, dims: [count, 1] }],
    ['position_weights', { data, dims: [1, count] }],
  ])
}

test('the library can be made ready before there is a model', async () => {
  await expect(prepareLibrary()).resolves.toBeUndefined()
})

test('a batch that no memory could hold is out_of_memory, and the next one runs', async () => {
  const session = await createSession(productGraph(), { device: CPU, threadCount: 1 })
  // A petabyte: more than a process can address, so that nothing is ever touched.
  await expect(session.run(feedsOf(2 ** 24))).rejects.toMatchObject({
    code: 'out_of_memory',
    message: expect.stringMatching(/^ONNX Runtime failed: .*memory/s),
  })
  expect((await session.run(feedsOf(2))).rows).toEqual(Float32Array.of(9, 9, 9, 9))
})

test('a batch that does not fit the graph is inference_failed', async () => {
  const session = await createSession(productGraph(), { device: CPU, threadCount: 1 })
  const feeds = new Map([...feedsOf(2)].slice(1))
  await expect(session.run(feeds)).rejects.toMatchObject({ code: 'inference_failed' })
})

test.each([
  ['load_failed', 'model.safetensors'],
  // Its words are all that there is to go by: here they quote the path.
  ['out_of_memory', 'CUDA failure 2: out of memory'],
  ['device_lost', 'CUDA failure 719: unspecified launch failure'],
])('a session that cannot be made is %s where ONNX Runtime says %j', async (code, words) => {
  const value = { name: OUTPUT, dtype: 'f32', shape: [1] } as const
  const source = {
    file: `/nowhere/${words}`,
    byteOffset: 0,
    byteLength: 4,
    dtype: 'F32',
    shape: [1],
  } as const
  const model = encodeGraph({ inputs: [], initializers: [{ value, source }], nodes: [], outputs: [value] })
  await expect(createSession(model, { device: CPU, threadCount: 1 })).rejects.toMatchObject({
    code,
    message: expect.stringMatching(/^ONNX Runtime made no session: /),
  })
})

describe('what ONNX Runtime is asked for', () => {
  const cuda = sessionOptions({ device: { kind: 'cuda', index: 3 }, threadCount: 2 })
  const cpu = sessionOptions({ device: CPU, threadCount: 2 })

  test('is the GPU of that number, or the CPU', () => {
    expect(cuda.executionProviders).toEqual([{ name: 'cuda', deviceId: 3 }])
    expect(cpu.executionProviders).toEqual(['cpu'])
    expect([cuda.intraOpNumThreads, cpu.intraOpNumThreads]).toEqual([2, 2])
  })

  test('between batches threads sleep at once, but for those of a CPU that are told to look on', () => {
    const entries = ({ extra }: ReturnType<typeof sessionOptions>) => (extra as { session: object }).session
    const spinning = sessionOptions({ device: CPU, threadCount: 2, spins: true })
    expect(entries(cpu)).toHaveProperty('force_spinning_stop', '1')
    expect(entries(cuda)).toHaveProperty('force_spinning_stop', '1')
    expect(entries(spinning)).toHaveProperty('force_spinning_stop', '0')
  })

  test('on a GPU, weights outside the arena; its entries are text, or they would be ignored', () => {
    expect(cuda.extra).toMatchObject({ session: { use_device_allocator_for_initializers: '1' } })
    expect(cpu.extra).not.toMatchObject({ session: { use_device_allocator_for_initializers: '1' } })
  })
})
