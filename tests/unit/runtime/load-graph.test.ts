/** The bundled model in this very thread: what a load finds out about batches, and what it says where it cannot. */
import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import type { CudaDevice, Device } from '../../../src/devices/device.ts'
import { CPU } from '../../../src/devices/device.ts'
import { ServerError } from '../../../src/errors.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { ModelSpec } from '../../../src/model/spec.ts'
import { loadGraph } from '../../../src/runtime/load-graph.ts'
import { placeForAll } from '../../../src/runtime/load-sides.ts'
import { Overflow } from '../../../src/runtime/overflow.ts'
import type { LoadAsk } from '../../../src/runtime/protocol.ts'
import type { createSession } from '../../../src/runtime/session.ts'
import { BUNDLED_MODEL } from '../../open-model.ts'
import { makeFolder } from '../model/model-folder.ts'

let spec: ModelSpec
beforeAll(async () => {
  spec = await openFolder(BUNDLED_MODEL)
})

function load(share: { memoryBytes: number; maxRows: number } | undefined, of: ModelSpec = spec) {
  return loadGraph({ spec: of, target: 'cpu-f32', device: CPU, threadCount: 2, share })
}

describe('the size of batches', () => {
  test("is the target's where nothing is to be tried", async () => {
    expect((await load(undefined)).budget).toEqual({ batchTokens: 512, longestRowFits: true })
  })

  test('is found by running the model, up to what suits the target', async () => {
    expect((await load({ memoryBytes: 8e9, maxRows: 32 })).budget).toEqual({
      batchTokens: 512,
      longestRowFits: true,
    })
  })

  test('is no more than all rows of a batch can have', async () => {
    // The tokenizer cuts at 256.
    expect((await load({ memoryBytes: 8e9, maxRows: 1 })).budget.batchTokens).toBe(256)
  })

  test('starts from the memory that there is', async () => {
    const { batchTokens } = (await load({ memoryBytes: 1.1e9, maxRows: 32 })).budget
    expect(batchTokens).toBeLessThan(512)
    expect(batchTokens).toBeGreaterThanOrEqual(256)
  })
})

test('weights that are not there are load_failed, in the words of ONNX Runtime', async () => {
  const tensors = Object.fromEntries(
    Object.entries(spec.tensors).map(([name, tensor]) => [
      name,
      { ...tensor, file: '/nowhere/model.safetensors' },
    ]),
  )
  await expect(load(undefined, { ...spec, tensors })).rejects.toMatchObject({
    code: 'load_failed',
    message: expect.stringMatching(/^ONNX Runtime made no session: /),
  })
})

describe('a load that fails for want of memory', () => {
  const gpu: CudaDevice = {
    kind: 'cuda',
    index: 1,
    name: 'T4',
    totalBytes: 16e9,
    freeBytes: 0.05e9,
    computeCapability: 75,
  }
  const noRoom = 'CUDA failure 2: out of memory ; GPU=1 ; expr=cudaMalloc((void**)&p, size);'

  /** A device that has room for so many tokens, or does not even take the weights. */
  function loadOn(device: Device, room: number, share?: { memoryBytes: number; maxRows: number }) {
    const open: typeof createSession = async () => {
      if (room === 0) throw new ServerError('out_of_memory', `ONNX Runtime made no session: ${noRoom}`)
      return {
        run: async (feeds) => {
          if ((feeds.get('ids')?.data.length ?? 0) <= room)
            return { rows: new Float32Array(1), tokens: undefined }
          throw new ServerError('out_of_memory', `ONNX Runtime failed: ${noRoom}`)
        },
        release: async () => {},
      }
    }
    return loadGraph({ spec, target: 'cpu-f32', device, threadCount: 1, share }, open)
  }

  test.each([
    ['weights', 0, 'ONNX Runtime made no session'],
    ['the first few tokens', 1, 'ONNX Runtime failed'],
  ])('for %s, on a GPU, says how much is needed and how much there was', async (_, room, words) => {
    await expect(loadOn(gpu, room)).rejects.toMatchObject({
      code: 'load_failed',
      message:
        'cuda:1 has too little memory: the weights take 0.09 GB as fp32, 0.05 GB of 16.00 GB were free when the ' +
        `process started: ${words}: ${noRoom}`,
    })
  })

  test('on the CPU is what it is', async () => {
    await expect(loadOn(CPU, 0)).rejects.toMatchObject({
      code: 'load_failed',
      message: `ONNX Runtime made no session: ${noRoom}`,
    })
  })

  test('of its longest row is none: the model loads, with batches that fit', async () => {
    const { budget } = await loadOn(gpu, 200, { memoryBytes: 16e9, maxRows: 32 })
    expect(budget.longestRowFits).toBe(false)
    expect(budget.batchTokens).toBeLessThanOrEqual(200)
    expect(budget.batchTokens).toBeGreaterThan(100)
  })
})

/** Sessions of a GPU that is not there, in the order in which they were opened. */
interface Opened {
  readonly lengths: number[]
  /** Of the first token of each batch, where the model has some. */
  readonly adapters: (number | undefined)[]
  released: boolean
}

const H100: CudaDevice = {
  kind: 'cuda',
  index: 0,
  name: 'H100',
  totalBytes: 80e9,
  freeBytes: 79e9,
  computeCapability: 90,
}

/** A device that computes no numbers for rows of `from` tokens and more; its sessions are released as `release` does. */
function openOn(opened: Opened[], { from = Infinity, release = async () => {} } = {}): typeof createSession {
  return async () => {
    const one: Opened = { lengths: [], adapters: [], released: false }
    opened.push(one)
    return {
      run: async (feeds) => {
        const {
          dims: [B = 0],
        } = feeds.get('last_positions') ?? feeds.get('mean_weights') ?? { dims: [] }
        const longest = Math.max(...(feeds.get('positions')?.data ?? [])) + 1
        one.lengths.push(longest)
        one.adapters.push(feeds.get('adapters')?.data[0])
        const rows = new Float32Array(B * 385).fill(1)
        if (longest >= from) rows[rows.length - 1] = NaN
        return { rows, tokens: undefined }
      },
      release: async () => {
        one.released = true
        await release()
      },
    }
  }
}

/** For `cuda-f16` on an H100, unless told. */
async function askFor(given: Partial<LoadAsk> = {}): Promise<LoadAsk & { readonly cacheFolder: string }> {
  const cacheFolder = await makeFolder()
  const shared = { spec, target: 'cuda-f16', device: H100, threadCount: 1, share: undefined } as const
  return { ...shared, cacheFolder, ...given } as LoadAsk & { readonly cacheFolder: string }
}

describe('numbers that half precision cannot hold', () => {
  test('are none that the warm-up sees: the model is loaded', async () => {
    const opened: Opened[] = []
    await loadGraph(await askFor(), openOn(opened))
    expect(opened).toMatchObject([{ released: false }])
    // The tokenizer cuts at 256.
    expect(opened[0]?.lengths).toContain(256)
  })

  test.each([1, 200])('appear in rows of %i tokens: that is told, and the session is gone', async (from) => {
    const opened: Opened[] = []
    const loading = loadGraph(await askFor(), openOn(opened, { from }))
    await expect(loading).rejects.toThrow(new Overflow('activations leave the range of fp16'))
    expect(opened.map(({ released }) => released)).toEqual([true])
  })

  test('may appear with one adapter alone: all are tried', async () => {
    const folder = join(import.meta.dirname, '../../golden/jina_flash/jina-v3-adapters/model')
    const opened: Opened[] = []
    await loadGraph(await askFor({ spec: await openFolder(folder) }), openOn(opened))
    expect(new Set(opened[0]?.adapters)).toEqual(new Set([-1, 0, 1, 2, 3, 4]))
  })

  test('are weights: no session is opened in half precision, and nothing is kept', async () => {
    const file = join(await makeFolder(), 'model.safetensors')
    await writeFile(file, Buffer.from(new Float32Array(384).fill(1e5).buffer))
    const name = 'encoder.layer.0.output.LayerNorm.weight'
    const large = { file, byteOffset: 0, byteLength: 4 * 384, dtype: 'F32', shape: [384] } as const
    const ask = await askFor({ spec: { ...spec, tensors: { ...spec.tensors, [name]: large } } })
    const opened: Opened[] = []
    const overflow = new Overflow(`a weight in ${file} is beyond ±65504, the range of fp16`)
    await expect(loadGraph(ask, openOn(opened))).rejects.toThrow(overflow)
    await expect(placeForAll(ask)).rejects.toThrow(overflow)
    expect(await readdir(ask.cacheFolder)).toEqual([])
    await loadGraph({ ...ask, target: 'cuda-bf16' }, openOn(opened))
    expect(opened).toHaveLength(1)
    expect(await readdir(ask.cacheFolder)).toHaveLength(1)
  })

  test('appear in bf16: that is what the model computes', async () => {
    await loadGraph(await askFor({ target: 'cuda-bf16' }), openOn([], { from: 1 }))
  })
})

describe('weights that are converted for all devices', () => {
  test('are found by each that loads', async () => {
    const ask = await askFor()
    expect(await placeForAll(ask)).toEqual({ isKept: true })
    const [name = ''] = await readdir(ask.cacheFolder)
    const { ino } = await stat(join(ask.cacheFolder, name))
    await loadGraph(ask, openOn([]))
    expect(await readdir(ask.cacheFolder)).toEqual([name])
    expect((await stat(join(ask.cacheFolder, name))).ino).toBe(ino)
  })

  test('are none where the folder takes none, which is no failure', async () => {
    const file = join(await makeFolder(), 'a file')
    await writeFile(file, '')
    expect(await placeForAll(await askFor({ cacheFolder: file }))).toEqual({ isKept: false })
  })
})

describe('what a failed load holds', () => {
  test('is given back, and what fails then does not hide what failed first', async () => {
    const opened: Opened[] = []
    const release = () => Promise.reject(new Error('the session cannot be released'))
    const loading = loadGraph(await askFor(), openOn(opened, { from: 1, release }))
    await expect(loading).rejects.toThrow(Overflow)
    expect(opened).toMatchObject([{ released: true }])
  })

  test.each([
    ['no session is made', new ServerError('load_failed', 'ONNX Runtime made no session')],
    ['a session is made', undefined],
  ])('of files in a temporary folder is gone, where %s', async (_, failure) => {
    const root = await makeFolder()
    const ask = await askFor({ cacheFolder: undefined })
    vi.stubEnv('TMPDIR', root)
    try {
      const open = failure === undefined ? openOn([]) : () => Promise.reject(failure)
      const loading = loadGraph(ask, open)
      if (failure === undefined) await loading
      else await expect(loading).rejects.toBe(failure)
      expect(await readdir(root)).toEqual([])
    } finally {
      vi.unstubAllEnvs()
    }
  })
})
