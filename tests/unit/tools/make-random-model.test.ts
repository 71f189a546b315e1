/** Model folders of random weights: the names that families ask for, known sizes, and bytes that depend on the seed alone. */
import { readFileSync, readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findFamily } from '../../../src/graph/families/registry.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import { makeRandomModel, tryModel } from '../../../tools/make-random-model.ts'
import type { ShapeName } from '../../../tools/random-model/shapes.ts'
import { SHAPES, findShape, isShapeName } from '../../../tools/random-model/shapes.ts'
import { listTensors } from '../../../tools/random-model/tensors.ts'
import { makeFolder } from '../model/model-folder.ts'

const TINY = Object.keys(SHAPES)
  .filter(isShapeName)
  .filter((name) => name.startsWith('tiny-'))

async function make(shape: ShapeName, options: { dtype?: 'fp32' | 'fp16' | 'bf16'; seed?: number } = {}) {
  const { dtype = 'fp16', seed = 1 } = options
  const folder = join(await makeFolder(), shape)
  await makeRandomModel(folder, { shape, dtype, seed })
  return folder
}

/** Header and data of a safetensors file. */
function readWeights(folder: string) {
  const bytes = readFileSync(join(folder, 'model.safetensors'))
  const length = Number(bytes.readBigUInt64LE())
  const data = bytes.subarray(8 + length)
  return { dataStart: 8 + length, data: new Uint8Array(data).buffer, whole: bytes }
}

test.each(TINY)(
  '%s loads where its family is supported, and unlike texts get unlike finite vectors',
  async (shape) => {
    const folder = await make(shape)
    const cosines = tryModel(folder)
    if (!isSupported(shape))
      return expect(cosines).rejects.toThrow(`"${SHAPES[shape].family}" is not supported`)
    for (const cosine of await cosines) {
      expect(Math.abs(cosine)).toBeGreaterThan(0.001)
      expect(cosine).toBeLessThan(0.97)
    }
  },
)

function isSupported(shape: ShapeName): boolean {
  try {
    return findFamily({ name: shape, modelType: SHAPES[shape].family, tensors: {} }) !== undefined
  } catch {
    return false
  }
}

// as the models' own files have it, without what only pre-training needs
test.each([
  ['bge-small', 33_360_000],
  ['bge-base', 109_482_240],
  ['bge-large', 335_141_888],
  ['bge-m3', 567_754_752],
  ['modernbert-base', 149_014_272],
  ['qwen3-embedding-0.6b', 595_776_512],
])('%s has as many weights as the model whose size it takes', (name, count) => {
  const sizes = listTensors(findShape(name)).map(({ shape }) =>
    shape.reduce((product, size) => product * size, 1),
  )
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(count)
})

test('the same seed gives the same bytes, another one others', async () => {
  const [one, same, other] = await Promise.all([
    make('tiny-bert'),
    make('tiny-bert'),
    make('tiny-bert', { seed: 2 }),
  ])
  const bytes = readWeights(one).whole
  expect(readWeights(same).whole.equals(bytes)).toBe(true)
  expect(readWeights(other).whole.equals(bytes)).toBe(false)
})

describe('weights', () => {
  test('are normal numbers of the spread that their tensor asks for', async () => {
    const folder = await make('tiny-bert', { dtype: 'fp32' })
    const { dataStart, data } = readWeights(folder)
    const { tensors } = await openFolder(folder, 'tiny')
    for (const { name, shape, mean, spread } of listTensors(SHAPES['tiny-bert'])) {
      const { byteOffset, byteLength, shape: stored } = tensors[name] as (typeof tensors)[string]
      expect(stored).toEqual(shape)
      const values = new Float32Array(data, byteOffset - dataStart, byteLength / 4)
      // five standard errors: of what was drawn, and of the 65,536 numbers that it was drawn from
      const error = spread * (1 / Math.sqrt(values.length) + 1 / 256)
      expect(Math.abs(meanOf(values) - mean)).toBeLessThan(5 * error)
      const deviation = Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)))
      expect(Math.abs(deviation / spread - 1)).toBeLessThan(5 / Math.sqrt(2 * values.length) + 0.01)
    }
  })

  test('do not repeat from block to block, nor from tensor to tensor', async () => {
    const { data } = readWeights(await make('tiny-xlm-roberta'))
    const words = new Uint16Array(data, 0, 64 * 32_000)
    expect(words.subarray(0, 4096)).not.toEqual(words.subarray(1 << 20, (1 << 20) + 4096))
    const positions = new Uint16Array(data, words.byteLength, 4096)
    expect(words.subarray(0, 4096)).not.toEqual(positions)
  })

  test('of fp16 and bf16 are those of fp32, rounded to the nearest', async () => {
    const single = new Float32Array(readWeights(await make('tiny-bert', { dtype: 'fp32' })).data)
    const half = new Float16Array(readWeights(await make('tiny-bert', { dtype: 'fp16' })).data)
    const brain = new Uint16Array(readWeights(await make('tiny-bert', { dtype: 'bf16' })).data)
    expect([half.length, brain.length]).toEqual([single.length, single.length])
    for (let i = 0; i < 20_000; i++) {
      const value = single[i] as number
      // of a bfloat16 and its two neighbours it is the nearest to the float32 that it stands for
      const far = (bits: number) => Math.abs(bfloatOf(bits) - value)
      const bits = brain[i] as number
      const isNearest = far(bits) <= far(bits + 1) && far(bits) <= far(bits - 1)
      if (!isNearest || half[i] !== Math.f16round(value)) expect.unreachable(`number ${i}: ${value}`)
    }
  })
})

function meanOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function bfloatOf(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0] as number
}

test('fewer layers are made where told', async () => {
  const folder = join(await makeFolder(), 'one-layer')
  await makeRandomModel(folder, { shape: 'tiny-bert', dtype: 'fp16', seed: 1, layers: 1 })
  const { tensors, config } = await openFolder(folder, 'tiny')
  expect(config).toMatchObject({ num_hidden_layers: 1 })
  expect(Object.keys(tensors).filter((name) => name.includes('layer.1.'))).toEqual([])
})

test('a folder that holds the same model is left as it is; any other is refused and left too', async () => {
  const folder = await make('tiny-bert')
  const model = { shape: 'tiny-bert', dtype: 'fp16', seed: 1 } as const
  await writeFile(join(folder, 'note'), 'mine')
  expect(await makeRandomModel(folder, model)).toBe(false)
  await expect(makeRandomModel(folder, { ...model, seed: 2 })).rejects.toThrow('exists and is not')
  expect(readFileSync(join(folder, 'note'), 'utf8')).toBe('mine')
})

test('what cannot be made leaves nothing behind', async () => {
  const parent = await makeFolder()
  const folder = join(parent, 'model')
  const unknown = { shape: 'bge-huge', dtype: 'fp16', seed: 1 } as const
  await expect(makeRandomModel(folder, unknown)).rejects.toThrow('"bge-huge" is unknown; there are bge-small')
  // where the folder should go, something else comes in the way while it is written
  const made = makeRandomModel(folder, { shape: 'tiny-bert', dtype: 'fp16', seed: 1 })
  await mkdir(join(folder, 'taken'), { recursive: true })
  await expect(made).rejects.toThrow(/ENOTEMPTY|EEXIST/)
  expect(readdirSync(parent)).toEqual(['model'])
})
