/** Models in 8 bits, from the texts that calibrate them to the vectors that they give. */
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeInt8Ask } from '../../../src/calibration/int8-ask.ts'
import { CALIBRATION_TEXTS } from '../../../src/calibration/calibration-texts.ts'
import { TRIAL_TEXTS } from '../../../src/calibration/trial-texts.ts'
import { CPU } from '../../../src/devices/device.ts'
import { buildGraph } from '../../../src/graph/build.ts'
import { inputKey } from '../../../src/graph/int8-recipe.ts'
import type { Int8Recipe } from '../../../src/graph/ir.ts'
import type { Int8Mode } from '../../../src/graph/targets/cpu-int8.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { ModelSpec } from '../../../src/model/spec.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'
import { findGreatestCode } from '../../../src/runtime/int8/code-range.ts'
import { CodeMaker } from '../../../src/runtime/int8/codes.ts'
import { compare } from '../../../src/runtime/int8/trial.ts'
import { loadGraph } from '../../../src/runtime/load-graph.ts'
import { createSession } from '../../../src/runtime/session.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'
import { BUNDLED_MODEL } from '../../open-model.ts'
import { fileTensor } from '../graph/run-graph.ts'
import { fixturePath, makeFolder } from '../model/model-folder.ts'

/** Loads in no time. */
const SMALL = fixturePath('bert-cls')

interface LoadOptions {
  readonly mode?: Int8Mode
  readonly cacheFolder?: string
  readonly isForced?: boolean
  readonly change?: (spec: ModelSpec) => Promise<ModelSpec>
  readonly open?: typeof createSession
}

async function load(folder: string, options: LoadOptions = {}) {
  const { mode = 'balanced', cacheFolder, isForced = false, change = async (spec) => spec } = options
  const spec = await change(await openFolder(folder))
  const tokenizers = new TokenizerThread()
  try {
    const int8 = await makeInt8Ask(mode, {
      spec,
      tokenizer: await tokenizers.open(tokenizerOf(spec)),
      isForced,
    })
    const ask = { spec, device: CPU, threadCount: 2, share: undefined, cacheFolder, int8 }
    return await loadGraph({ ...ask, target: `cpu-int8-${mode}` as const }, options.open)
  } finally {
    await tokenizers.close()
  }
}

/** Sessions that were opened, of graphs so large. */
function counting(): { open: typeof createSession; bytes: number[] } {
  const bytes: number[] = []
  return {
    bytes,
    open(model, options) {
      bytes.push(model.length)
      return createSession(model, options)
    },
  }
}

test('texts that calibrate are none of those that try, and there are enough of both', () => {
  expect(CALIBRATION_TEXTS.length).toBeGreaterThanOrEqual(32)
  expect(TRIAL_TEXTS.length).toBeGreaterThanOrEqual(64)
  expect(new Set([...CALIBRATION_TEXTS, ...TRIAL_TEXTS]).size).toBe(
    CALIBRATION_TEXTS.length + TRIAL_TEXTS.length,
  )
})

describe('the codes of a weight', () => {
  /** [3, 2], the columns of which differ a hundredfold. */
  const numbers = Float32Array.of(1, 0.01, -0.5, 0.02, 0, 0)

  async function make(given: Partial<Int8Recipe>, greatestCode = 127) {
    const weights = [{ values: await fileTensor(numbers, [3, 2], 4), scale: undefined }]
    const maxima = new Map([[inputKey(weights), Float32Array.of(1, 4)]])
    const maker = new CodeMaker(maxima, greatestCode)
    const recipe = { makes: 'codes', weights, smoothing: undefined, ...given } as const
    const bytes = maker.make(recipe)
    maker.close()
    return bytes
  }
  const floats = (bytes: Uint8Array) => [
    ...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  ]

  test('lie column by column, the largest of a row being the greatest code', async () => {
    expect([...new Int8Array((await make({})).buffer)]).toEqual([127, -127, 0, 1, 5, 0])
    expect(floats(await make({ makes: 'scales' }))).toEqual([1 / 127, 0.5 / 127, 1].map(Math.fround))
  })

  test('are as much smaller as the processor needs', async () => {
    const codes = [...new Int8Array((await make({}, 63)).buffer)]
    expect(Math.max(...codes.map(Math.abs))).toBe(63)
  })

  test('are of columns that share what is large with their input', async () => {
    const [first, second] = floats(await make({ makes: 'reciprocals', smoothing: 0.5 })) as [number, number]
    // s = √(1 / 1) and √(4 / 0.02)
    expect(first).toBeCloseTo(1, 6)
    expect(1 / second).toBeCloseTo(Math.sqrt(200), 4)
    const codes = [...new Int8Array((await make({ smoothing: 0.5 })).buffer)]
    expect(codes).toEqual([127, -127, 0, 18, 72, 0])
  })

  test('of inputs in two pieces cover four times what calibration saw', async () => {
    const [coarse = 0] = floats(await make({ makes: 'coarse' }))
    expect(coarse * 127).toBeCloseTo(16, 4)
    expect(floats(await make({ makes: 'fine' }))[0]).toBeCloseTo(coarse / 254, 9)
  })

  test('of an input that calibration has not seen are our own mistake', async () => {
    const maker = new CodeMaker(new Map(), 127)
    const weights = [{ values: await fileTensor(numbers, [3, 2]), scale: undefined }]
    expect(() => maker.make({ makes: 'codes', weights, smoothing: 0.5 })).toThrow(/has not seen/)
    maker.close()
  })
})

describe('the greatest code', () => {
  test('is 127 where sums come out right, 63 where they are cut off', async () => {
    const cutOff: typeof createSession = async (model, options) => {
      const session = await createSession(model, options)
      return {
        ...session,
        async run(feeds) {
          const outputs = await session.run(feeds)
          // Two products of 255 and 127 become 32,767.
          return { ...outputs, rows: outputs.rows.map((sum) => (sum * 32_767) / (2 * 255 * 127)) }
        },
      }
    }
    expect([63, 127]).toContain(await findGreatestCode(createSession, 2))
    expect(await findGreatestCode(cutOff, 2)).toBe(63)
  })
})

test('vectors are compared one by one, and what is no number is unlike', () => {
  const [a, b] = [Float32Array.of(1, 0), Float32Array.of(3, 4)]
  expect(compare([a, b], [a, b])).toEqual({ meanCosine: 1, leastCosine: 1, texts: 2 })
  expect(compare([a, b], [b, b])).toEqual({ meanCosine: 0.8, leastCosine: 0.6, texts: 2 })
  expect(compare([Float32Array.of(NaN, 1)], [a]).leastCosine).toBe(-1)
})

describe('the bundled model', () => {
  test.each([
    ['fast', 0.995],
    ['balanced', 0.998],
    ['faithful', 0.9995],
  ] as const)('in mode %s has vectors near those of float32', async (mode, least) => {
    const { fidelity, session } = await load(BUNDLED_MODEL, { mode })
    await session.release()
    expect(fidelity?.texts).toBe(TRIAL_TEXTS.length)
    expect(fidelity?.meanCosine).toBeGreaterThan(least)
    expect(fidelity?.meanCosine).toBeLessThan(1)
  })

  test('is calibrated once: the next start finds codes and cosine, and runs nothing in float32', async () => {
    const cacheFolder = await makeFolder()
    const [first, second] = [counting(), counting()]
    const a = await load(BUNDLED_MODEL, { cacheFolder, open: first.open })
    const b = await load(BUNDLED_MODEL, { cacheFolder, open: second.open })
    expect(b.fidelity).toEqual(a.fidelity)
    // What asks for the greatest code, then the model itself.
    expect([first.bytes.length, second.bytes.length]).toEqual([3, 2])
    await Promise.all([a, b].map(({ session }) => session.release()))
  })

  test('keeps a file of each mode beside that of another', async () => {
    const cacheFolder = await makeFolder()
    for (const mode of ['fast', 'faithful'] as const)
      await (await load(BUNDLED_MODEL, { cacheFolder, mode })).session.release()
    const names = (await readdir(cacheFolder)).map((name) =>
      name.replace(/^.*(int8-\w+-\w+)-\w{32}\.bin$/, '$1'),
    )
    expect(names.sort()).toEqual(
      ['fast', 'faithful'].flatMap((mode) => [`int8-${mode}-codes`, `int8-${mode}-facts`]).sort(),
    )
  })

  test('loads where the folder takes nothing', async () => {
    const cacheFolder = join(await makeFolder(), 'file')
    await writeFile(cacheFolder, '')
    const { session, fidelity, unkept } = await load(BUNDLED_MODEL, { cacheFolder })
    await session.release()
    expect(fidelity?.meanCosine).toBeGreaterThan(0.998)
    expect(unkept).toContain(`${cacheFolder} cannot be written to (`)
  })
})

describe('what was kept', () => {
  const overwrite = async (path: string) =>
    writeFile(path, new Uint8Array((await stat(path)).size).fill(0xff))
  /** After the SHA-256 stands the mean cosine. */
  const falsify = async (path: string) => {
    const bytes = await readFile(path)
    bytes.writeDoubleLE(0.9999, 32)
    await writeFile(path, bytes)
  }
  const flip = async (path: string) => {
    const bytes = await readFile(path)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 0x40
    await writeFile(path, bytes)
  }

  test.each([
    ['facts are of the right size and no facts', 'facts', overwrite],
    ['facts tell another cosine', 'facts', falsify],
    [
      'facts are gone and codes damaged',
      'codes',
      async (path: string) => {
        await flip(path)
        await rm(path.replace('-codes-', '-facts-'))
      },
    ],
    ['codes differ in one bit', 'codes', flip],
    ['codes are gone', 'codes', rm],
  ] as const)('is made anew where %s, and is then found', async (_, part, damage) => {
    const cacheFolder = await makeFolder()
    const first = await load(SMALL, { cacheFolder, isForced: true })
    await first.session.release()
    const names = (await readdir(cacheFolder)).filter((name) => name.includes('-int8-'))
    const contents = async () => Promise.all(names.map((name) => readFile(join(cacheFolder, name))))
    const sound = await contents()
    await damage(join(cacheFolder, names.find((name) => name.includes(`-${part}-`)) ?? ''))
    for (const sessions of [3, 2]) {
      const again = counting()
      const { fidelity, session } = await load(SMALL, { cacheFolder, isForced: true, open: again.open })
      await session.release()
      expect(again.bytes.length).toBe(sessions)
      expect(fidelity).toEqual(first.fidelity)
      expect((await contents()).map((bytes, i) => bytes.equals(sound[i] as Buffer))).toEqual([true, true])
    }
  })
})

describe('a model whose activations leave no room for the others', () => {
  /** In each row of the layer that narrows last one weight of ±4000, so large that the codes of all others are zero. */
  async function wild(spec: ModelSpec): Promise<ModelSpec> {
    const name = Object.keys(spec.tensors).find((key) =>
      key.endsWith('layer.5.output.dense.weight'),
    ) as string
    const tensor = spec.tensors[name] as ModelSpec['tensors'][string]
    const folder = await makeFolder()
    await mkdir(folder, { recursive: true })
    const stored = await readFile(tensor.file)
    const [rows = 0, columns = 0] = tensor.shape
    const scale = spec.tensors[`${name}_scale`] as ModelSpec['tensors'][string]
    const scales = new Float32Array(
      stored.buffer.slice(
        stored.byteOffset + scale.byteOffset,
        stored.byteOffset + scale.byteOffset + 4 * rows,
      ),
    )
    const codes = new Int8Array(stored.buffer, stored.byteOffset + tensor.byteOffset, rows * columns)
    const numbers = Float32Array.from(codes, (code, i) => code * (scales[Math.floor(i / columns)] as number))
    // Of the same input in every row, with signs that change from row to row.
    for (let row = 0; row < rows; row++) numbers[row * columns] = 4000 * ((row % 2) * 2 - 1)
    const values = await fileTensor(numbers, [rows, columns])
    const { [`${name}_scale`]: _, ...others } = spec.tensors
    return { ...spec, tensors: { ...others, [name]: values } }
  }

  test('is refused by its cosine, and loads where that is forced', async () => {
    await expect(load(BUNDLED_MODEL, { mode: 'fast', change: wild })).rejects.toMatchObject({
      code: 'model_unsupported',
      message: expect.stringMatching(
        /in int8 \(fast\) its vectors of 68 texts have a mean cosine of -?0\.\d{4} to those in fp32 \(least .*at least 0\.99 .*INT8_FORCE=1/,
      ),
    })
    const { session, fidelity } = await load(BUNDLED_MODEL, { mode: 'fast', change: wild, isForced: true })
    await session.release()
    expect(fidelity?.meanCosine).toBeLessThan(0.99)
  })
})

test('a model whose adapters change all linear layers is told what works', async () => {
  await expect(load(fixturePath('jina_flash/jina-v3-adapters'))).rejects.toMatchObject({
    code: 'model_unsupported',
    message: expect.stringMatching(/none of its linear layers can be computed in int8; DTYPES=fp32 /),
  })
})

test('graphs in 8 bits have no float32 product but in their heads', async () => {
  const spec = await openFolder(BUNDLED_MODEL)
  const ops = (mode: Int8Mode) => {
    const counts = new Map<string, number>()
    for (const { op } of buildGraph(spec, `cpu-int8-${mode}`).graph.nodes)
      counts.set(op, (counts.get(op) ?? 0) + 1)
    return Object.fromEntries([...counts].filter(([op]) => /Gemm|MatMul/.test(op)))
  }
  // Pooling is a product with the weights of an average.
  expect(ops('fast')).toEqual({ DynamicQuantizeMatMul: 24, MatMul: 1 })
  expect(ops('balanced')).toEqual({ DynamicQuantizeMatMul: 18, MatMulIntegerToFloat: 6, MatMul: 1 })
  expect(ops('faithful')).toEqual({ MatMulIntegerToFloat: 48, MatMul: 1 })
})
