import { mkdir, readFile, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { FloatDtype, Graph, WeightRecipe } from '../../../src/graph/ir.ts'
import { shapeOf } from '../../../src/graph/recipe.ts'
import type { TensorDtype, TensorRef } from '../../../src/model/spec.ts'
import { Overflow } from '../../../src/runtime/overflow.ts'
import { placeWeights } from '../../../src/runtime/weights.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { makeFolder } from '../model/model-folder.ts'

const VALUE_DTYPES = { F32: 'f32', F16: 'f16', BF16: 'bf16' } as const

/** A tensor in a file of its own, behind three bytes of something else. */
async function stored(
  data: Float32Array | Uint16Array | Int8Array | Uint8Array,
  shape: readonly number[],
  dtype: TensorDtype,
): Promise<TensorRef> {
  const file = join(await makeFolder(), 'model.safetensors')
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  await writeFile(file, Buffer.concat([Buffer.alloc(3, 77), bytes]))
  return { file, byteOffset: 3, byteLength: bytes.length, dtype, shape }
}

const plain = (values: TensorRef) => ({ values, scale: undefined })

function graphOf(...recipes: readonly WeightRecipe[]): Graph {
  const initializers = recipes.map((source, index) => ({
    value: { name: `w${index}`, dtype: source.dtype, shape: shapeOf(source) },
    source,
  }))
  return { inputs: [], initializers, nodes: [], outputs: [] }
}

/** Bits of each recipe's weight, read where the placed graph says that they lie. */
async function made(folder: string | undefined, ...recipes: readonly WeightRecipe[]) {
  const { graph, release } = await placeWeights(graphOf(...recipes), folder)
  const all = []
  for (const { source, value } of graph.initializers) {
    const { file, byteOffset, byteLength, dtype, shape } = source as TensorRef
    expect(VALUE_DTYPES[dtype as keyof typeof VALUE_DTYPES]).toBe(value.dtype)
    expect(shape).toEqual(value.shape)
    const bytes = (await readFile(file)).subarray(byteOffset, byteOffset + byteLength)
    const copy = Uint8Array.from(bytes).buffer
    all.push([...(dtype === 'F32' ? new Float32Array(copy) : new Uint16Array(copy))])
  }
  return {
    all,
    release,
    files: [...new Set(graph.initializers.map(({ source }) => (source as TensorRef).file))],
  }
}

const f16 = (...values: number[]) => [...new Uint16Array(new Float16Array(values).buffer)]
const bf16 = (...values: number[]) =>
  [...new Uint16Array(Float32Array.from(values).buffer)].filter((_, i) => i % 2)

describe('a recipe', () => {
  test('narrows float32 to each precision', async () => {
    const values = await stored(Float32Array.of(1, -2.5, 3, 0.1), [2, 2], 'F32')
    const of = (dtype: FloatDtype): WeightRecipe => ({ dtype, parts: [plain(values)] })
    const { all } = await made(await makeFolder(), of('f16'), of('bf16'))
    expect(all[0]).toEqual(f16(1, -2.5, 3, 0.1))
    expect(all[1]?.slice(0, 3)).toEqual(bf16(1, -2.5, 3))
    expect(all[1]?.[3]).toBe(0x3dcd) // 0.1 = 0x3dcccccd, to the nearest
  })

  test('widens and changes halves', async () => {
    const half = await stored(Uint16Array.from(f16(1, -2.5, 0.125)), [3], 'F16')
    const brain = await stored(Uint16Array.from(bf16(1, -2.5, 0.125)), [3], 'BF16')
    const { all } = await made(
      await makeFolder(),
      { dtype: 'f32', parts: [plain(half)] },
      { dtype: 'bf16', parts: [plain(half)] },
      { dtype: 'f16', parts: [plain(brain)] },
    )
    expect(all).toEqual([[1, -2.5, 0.125], bf16(1, -2.5, 0.125), f16(1, -2.5, 0.125)])
  })

  test('multiplies int8 codes by the scale of their row', async () => {
    const values = await stored(Int8Array.of(1, -2, 127, 3, 4, -128), [3, 2], 'I8')
    const scale = await stored(Float32Array.of(0.5, 2, 0.1), [3, 1], 'F32')
    const halfScale = await stored(Uint16Array.from(f16(0.5, 2, 0.25)), [3, 1], 'F16')
    const { all } = await made(
      await makeFolder(),
      { dtype: 'f32', parts: [{ values, scale }] },
      { dtype: 'f16', parts: [{ values, scale: halfScale }] },
    )
    const tenth = Math.fround(0.1)
    expect(all[0]).toEqual([0.5, -1, 254, 6, Math.fround(4 * tenth), Math.fround(-128 * tenth)])
    expect(all[1]).toEqual(f16(0.5, -1, 254, 6, 1, -32))
  })

  test('multiplies fp8 codes by the scale of their block', async () => {
    // 1, 1.125, 2, 448, 0.5 in five columns; blocks of two rows and three columns, the first row of which lies above
    const row = [0x38, 0x39, 0x40, 0x7e, 0x30]
    const values = await stored(Uint8Array.from([...row, ...row, ...row]), [3, 5], 'F8_E4M3')
    const scale = await stored(Float32Array.of(1, 2, 4, 8), [2, 2], 'F32')
    const blocks = { rows: 2, columns: 3, rowsAbove: 1 }
    const { all } = await made(await makeFolder(), { dtype: 'f32', parts: [{ values, scale, blocks }] })
    const below = [4, 4.5, 8, 3584, 4]
    expect(all[0]).toEqual([1, 1.125, 2, 896, 1, ...below, ...below])
  })

  test('of fp8 codes with many blocks is whole, wherever it is cut', async () => {
    const [rows, columns] = [701, 3001]
    const codes = Uint8Array.from({ length: rows * columns }, (_, i) => 0x30 + (i % 17))
    const blocks = { rows: 128, columns: 128, rowsAbove: 0 }
    const [below, beside] = [Math.ceil(rows / 128), Math.ceil(columns / 128)]
    const scales = Float32Array.from({ length: below * beside }, (_, i) => 1 + i / 8)
    const values = await stored(codes, [rows, columns], 'F8_E4M3')
    const scale = await stored(scales, [below, beside], 'F32')
    const graph = graphOf({ dtype: 'f32', parts: [{ values, scale, blocks }] })
    const placed = await placeWeights(graph, await makeFolder())
    const [made] = placed.graph.initializers.map(({ source }) => source as TensorRef)
    const bytes = await readFile(made?.file ?? '')
    const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, codes.length)
    const numberOf = (code: number) => (1 + (code & 7) / 8) * 2 ** ((code >> 3) - 7)
    const wrong = numbers.findIndex((number, i) => {
      const place = Math.floor(i / columns / 128) * beside + Math.floor((i % columns) / 128)
      return number !== numberOf(codes[i] as number) * (scales[place] as number)
    })
    expect(wrong).toBe(-1)
  })

  test('joins rows of parts that lie in several files and dtypes', async () => {
    const first = await stored(Float32Array.of(1, 2), [1, 2], 'F32')
    const second = await stored(Uint16Array.from(f16(3, 4, 5, 6)), [2, 2], 'F16')
    const { all } = await made(await makeFolder(), { dtype: 'f16', parts: [plain(first), plain(second)] })
    expect(all[0]).toEqual(f16(1, 2, 3, 4, 5, 6))
  })

  test('lets parts take turns, so many rows at a time', async () => {
    const rows = (from: number) => Float32Array.from({ length: 8 }, (_, index) => from + index)
    const parts = await Promise.all([0, 100, 200].map((from) => stored(rows(from), [4, 2], 'F32')))
    const { all } = await made(await makeFolder(), { dtype: 'f32', parts: parts.map(plain), turnRows: 2 })
    const turn = (from: number) => [0, 100, 200].flatMap((part) => [0, 1, 2, 3].map((i) => part + from + i))
    expect(all[0]).toEqual([...turn(0), ...turn(4)])
  })

  test('adds one before it rounds', async () => {
    const values = await stored(Float32Array.of(2 ** -11, -1), [2], 'F32')
    const { all } = await made(await makeFolder(), { dtype: 'f16', parts: [plain(values)], plusOne: true })
    expect(all[0]).toEqual(f16(1 + 2 ** -11, 0))
    const half = await stored(Uint16Array.from(f16(0.5, -3)), [2], 'F16')
    const added = await made(await makeFolder(), { dtype: 'f16', parts: [plain(half)], plusOne: true })
    expect(added.all[0]).toEqual(f16(1.5, -2))
  })

  test('keeps the bits of what is only moved, NaN and infinities too', async () => {
    const bits = Uint16Array.of(0x7e01, 0xfc00, 0x7c00, 0x0001)
    const values = await stored(bits, [4, 1], 'F16')
    const other = await stored(bits, [4, 1], 'F16')
    const { all } = await made(await makeFolder(), {
      dtype: 'f16',
      parts: [values, other].map(plain),
      turnRows: 2,
    })
    expect(all[0]).toEqual([0x7e01, 0xfc00, 0x7e01, 0xfc00, 0x7c00, 1, 0x7c00, 1])
  })

  test('of more numbers than a block holds is whole', async () => {
    const rows = (1 << 19) + 2
    const data = Float32Array.from({ length: 3 * rows }, (_, index) => index % 2039)
    const values = await stored(data, [rows, 3], 'F32')
    const codes = data.map((x) => x % 100)
    const scales = Float32Array.from({ length: rows }, (_, row) => row % 7)
    const scaled = {
      values: await stored(Int8Array.from(codes), [rows, 3], 'I8'),
      scale: await stored(scales, [rows, 1], 'F32'),
    }
    const graph = graphOf({ dtype: 'f16', parts: [plain(values)] }, { dtype: 'f16', parts: [scaled] })
    const placed = await placeWeights(graph, await makeFolder())
    const [first, second] = placed.graph.initializers.map(({ source }) => source as TensorRef)
    const bytes = await readFile(first?.file ?? '')
    const halves = (ref: TensorRef | undefined) =>
      bytes.subarray(ref?.byteOffset, (ref?.byteOffset ?? 0) + 6 * rows)
    expect(halves(first).equals(halvesOf(data))).toBe(true)
    expect(halves(second).equals(halvesOf(codes.map((x, i) => x * (scales[Math.floor(i / 3)] ?? NaN))))).toBe(
      true,
    )
  })

  function halvesOf(values: Float32Array): Uint8Array {
    return new Uint8Array(Float16Array.from(values).buffer)
  }

  test('of a number that half precision cannot hold asks for a wider one', async () => {
    const values = await stored(Float32Array.of(1, 70_000), [2], 'F32')
    const folder = await makeFolder()
    await expect(made(folder, { dtype: 'f16', parts: [plain(values)] })).rejects.toThrow(Overflow)
    expect(await readdir(folder)).toEqual([])
    const { all } = await made(folder, { dtype: 'bf16', parts: [plain(values)] })
    expect(all[0]).toEqual([0x3f80, 0x4789])
  })

  test('of a file that ends early or is gone says so', async () => {
    const values = await stored(Float32Array.of(1, 2), [2], 'F32')
    const longer = { ...values, byteLength: 16, shape: [4] }
    await expectRefusal(
      async () => made(await makeFolder(), { dtype: 'f16', parts: [plain(longer)] }),
      'load_failed',
      'ends before byte 19',
    )
    await rm(values.file)
    await expectRefusal(
      async () => made(await makeFolder(), { dtype: 'f16', parts: [plain(values)] }),
      'load_failed',
      'cannot be read',
    )
  })
})

describe('the file', () => {
  async function halfOf(...numbers: number[]): Promise<WeightRecipe> {
    const values = await stored(Float32Array.from(numbers), [numbers.length], 'F32')
    return { dtype: 'f16', parts: [plain(values)] }
  }

  test('is not made where nothing is to be converted', async () => {
    const folder = await makeFolder()
    const values = await stored(Float32Array.of(1), [1], 'F32')
    const graph: Graph = {
      ...graphOf(),
      initializers: [{ value: { name: 'w', dtype: 'f32', shape: [1] }, source: values }],
    }
    expect((await placeWeights(graph, folder)).graph).toBe(graph)
    expect(await readdir(folder)).toEqual([])
  })

  test('holds all weights of a graph, each where it begins at a multiple of 64', async () => {
    const folder = await makeFolder()
    const recipes = await Promise.all([halfOf(1, 2, 3), halfOf(4), halfOf(5, 6)])
    const { all, files } = await made(folder, ...recipes)
    expect(all).toEqual([f16(1, 2, 3), f16(4), f16(5, 6)])
    expect(files).toHaveLength(1)
    const { graph } = await placeWeights(graphOf(...recipes), folder)
    expect(graph.initializers.map(({ source }) => (source as TensorRef).byteOffset)).toEqual([0, 64, 128])
  })

  test('is found again, and not written twice', async () => {
    const folder = join(await makeFolder(), 'not', 'there', 'yet')
    const recipe = await halfOf(1, 2)
    const { files } = await made(folder, recipe)
    const past = new Date(1e9)
    await utimes(files[0] ?? '', past, past)
    expect((await made(folder, recipe)).files).toEqual(files)
    expect((await stat(files[0] ?? '')).mtime).toEqual(past)
    expect(await readdir(folder)).toHaveLength(1)
  })

  test('is another one where the model or the recipe is', async () => {
    const folder = await makeFolder()
    const recipe = await halfOf(1, 2)
    await made(folder, recipe)
    await made(folder, { ...recipe, dtype: 'bf16' })
    const source = recipe.parts[0]?.values.file ?? ''
    await writeFile(source, Buffer.concat([Buffer.alloc(3), Buffer.from(Float32Array.of(3, 4).buffer)]))
    const { all } = await made(folder, recipe)
    expect(all[0]).toEqual(f16(3, 4))
    expect(await readdir(folder)).toHaveLength(3)
  })

  test('of an earlier version of the model is removed, once nobody can be about to open it', async () => {
    const folder = await makeFolder()
    const first = await halfOf(1, 2)
    const source = first.parts[0]?.values.file ?? ''
    await made(folder, { ...first, dtype: 'bf16' })
    const other = await made(folder, await halfOf(9))
    const versions: string[] = []
    for (const numbers of [
      [1, 2],
      [3, 4],
      [5, 6],
    ]) {
      await writeFile(
        source,
        Buffer.concat([Buffer.alloc(3), Buffer.from(Float32Array.from(numbers).buffer)]),
      )
      versions.push((await made(folder, first)).files[0] ?? '')
    }
    const [oldest = '', old = '', newest = ''] = versions
    expect(await readdir(folder)).toHaveLength(5)
    const hoursAgo = new Date(Date.now() - 7_200_000)
    // The second was made long ago as well, and found by some process just now.
    for (const file of [oldest, ...other.files]) await utimes(file, hoursAgo, hoursAgo)
    await utimes(old, new Date(), hoursAgo)
    const kept = await made(folder, first)
    expect(kept.files).toEqual([newest])
    const left = (await readdir(folder)).map((name) => join(folder, name))
    expect(left).toHaveLength(4)
    expect(left).not.toContain(oldest)
    // Another precision and another model are others' business.
    expect(left).toEqual(expect.arrayContaining([old, newest, ...other.files]))
  })

  test('is marked as in use by whoever finds it', async () => {
    const folder = await makeFolder()
    const recipe = await halfOf(1, 2)
    const { files } = await made(folder, recipe)
    await utimes(files[0] ?? '', 1e9, 1e9)
    await made(folder, recipe)
    const { atimeMs, mtimeMs } = await stat(files[0] ?? '')
    expect(mtimeMs).toBe(1e12)
    expect(Date.now() - atimeMs).toBeLessThan(60_000)
  })

  test('bears the name of its model and its precision, for who looks into the folder', async () => {
    const nameOf = async (path: string, dtype: FloatDtype) => {
      const root = await makeFolder()
      await mkdir(join(root, path), { recursive: true })
      const from = await stored(Float32Array.of(1), [1], 'F16')
      const file = join(root, path, 'model.safetensors')
      await rename(from.file, file)
      const parts = [plain({ ...from, file })]
      const { files } = await made(await makeFolder(), { dtype, parts }, { dtype: 'f32', parts })
      return basename(files[0] ?? '')
    }
    expect(await nameOf('models/my model', 'f16')).toMatch(/^my_model-[0-9a-f]{8}-f16-[0-9a-f]{32}\.bin$/)
    expect(await nameOf('hub/models--BAAI--bge-base/blobs', 'bf16')).toMatch(
      /^models--BAAI--bge-base-\w{8}-bf16-/,
    )
    expect(await nameOf('x'.repeat(250), 'f32')).toMatch(/^x{120}-\w{8}-f32-/)
  })

  test('of another length under its name is made anew', async () => {
    const folder = await makeFolder()
    const recipe = await halfOf(1, 2)
    const { files } = await made(folder, recipe)
    await writeFile(files[0] ?? '', 'cut')
    expect((await made(folder, recipe)).all[0]).toEqual(f16(1, 2))
  })

  test('is whole whoever makes it at the same time', async () => {
    const folder = await makeFolder()
    const recipe = await halfOf(1, 2, 3)
    const all = await Promise.all(Array.from({ length: 8 }, () => made(folder, recipe)))
    for (const one of all) expect(one.all[0]).toEqual(f16(1, 2, 3))
    expect(await readdir(folder)).toHaveLength(1)
  })

  test('that a killed process left unfinished is taken away, one being written is not', async () => {
    const folder = await makeFolder()
    const recipe = await halfOf(1, 2)
    const name = ((await made(folder, recipe)).files[0] ?? '').split('/').at(-1) ?? ''
    await rm(join(folder, name))
    const [left, busy] = ['1-aaaaaaaa', '2-bbbbbbbb'].map((writer) => join(folder, `${name}.${writer}.part`))
    await writeFile(left ?? '', 'half')
    await utimes(left ?? '', 1e9, 1e9)
    await writeFile(busy ?? '', 'half')
    await made(folder, recipe)
    expect((await readdir(folder)).sort()).toEqual([name, `${name}.2-bbbbbbbb.part`])
  })

  test('is named by its real path where the folder is a link', async () => {
    const folder = await makeFolder()
    await mkdir(join(folder, 'real'))
    await symlink(join(folder, 'real'), join(folder, 'link'))
    const { files } = await made(join(folder, 'link'), await halfOf(1))
    expect(files[0]).toContain('/real/')
  })

  test.each([
    ['no folder is named', () => Promise.resolve(undefined)],
    [
      'its folder cannot be made',
      async () => join((await stored(Int8Array.of(1), [1], 'I8')).file, 'below a file'),
    ],
  ])('goes to a temporary folder where %s, until it has been read', async (_, folderOf) => {
    const { all, files, release } = await made(await folderOf(), await halfOf(1, 2))
    expect(all[0]).toEqual(f16(1, 2))
    await release()
    await expect(stat(files[0] ?? '')).rejects.toThrow('ENOENT')
  })

  test('that a killed process left in a temporary folder is removed after a day, and nothing else is', async () => {
    const root = await makeFolder()
    const recipe = await halfOf(1)
    const daysAgo = new Date(Date.now() - 2 * 86_400_000)
    for (const [name, isOld] of [
      ['embeddings-weights-aaaaaa', true],
      ['embeddings-weights-bbbbbb', false],
      ['weights-that-anybody-made', true],
    ] as const) {
      await mkdir(join(root, name))
      if (isOld) await utimes(join(root, name), daysAgo, daysAgo)
    }
    vi.stubEnv('TMPDIR', root)
    try {
      const { release } = await made(undefined, recipe)
      expect(await readdir(root)).toHaveLength(3)
      await release()
      expect((await readdir(root)).sort()).toEqual(['embeddings-weights-bbbbbb', 'weights-that-anybody-made'])
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('that goes nowhere is refused with every place that was tried', async () => {
    const blocked = (await stored(Int8Array.of(1), [1], 'I8')).file
    const recipe = await halfOf(1)
    vi.stubEnv('TMPDIR', blocked)
    try {
      await expectRefusal(
        () => made(join(blocked, 'x'), recipe),
        'load_failed',
        'ENOTDIR',
        'set CACHE_DIR to a folder that has room',
        blocked,
      )
    } finally {
      vi.unstubAllEnvs()
    }
  })
})
