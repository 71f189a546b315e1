/**
 * `node tools/make-random-model.ts SHAPE FOLDER`: a model folder of a well-known size with random weights, made where it is
 * measured, so that nothing large has to be fetched. Speed, memory and equality of vectors can be seen with it; quality not.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { loadConfig } from '../src/config.ts'
import { messageOf } from '../src/errors.ts'
import { startService } from '../src/start.ts'
import { modelFiles } from './random-model/model-files.ts'
import { SHAPES, findShape } from './random-model/shapes.ts'
import { listTensors } from './random-model/tensors.ts'
import type { WeightDtype } from './random-model/write-weights.ts'
import { WEIGHT_DTYPES, writeWeights } from './random-model/write-weights.ts'

export interface RandomModel {
  readonly shape: string
  readonly dtype: WeightDtype
  readonly seed: number
  /** Fewer, or more, than the shape has. */
  readonly layers?: number | undefined
}

/** What was asked for, beside the files: a folder that holds the same need not be made again. */
const BIRTH = 'random-model.json'
/** Counts up where the same request gives other bytes. */
const FORMAT = 1

/**
 * Makes the folder, whole or not at all; one that holds the same model already is left as it is. Resolves to whether it was
 * made. Throws where the shape is unknown, or where the folder holds something else.
 */
export async function makeRandomModel(folder: string, model: RandomModel): Promise<boolean> {
  const { shape: name, dtype, seed, layers } = model
  const shape = findShape(name, layers)
  const birth = JSON.stringify({ format: FORMAT, shape: name, dtype, seed, layers: shape.layers })
  if (existsSync(folder)) {
    if (readBirth(folder) === birth) return false
    throw new Error(`${folder} exists and is not ${birth}; remove it, or name another folder`)
  }
  const partial = `${resolve(folder)}.partial-${process.pid}`
  try {
    for (const [file, content] of Object.entries(modelFiles(shape, dtype))) {
      await mkdir(dirname(join(partial, file)), { recursive: true })
      await writeFile(join(partial, file), JSON.stringify(content))
    }
    await mkdir(join(partial, '2_Normalize'))
    await writeWeights(join(partial, 'model.safetensors'), listTensors(shape), { dtype, seed })
    await writeFile(join(partial, BIRTH), birth)
    await rename(partial, folder)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
  return true
}

function readBirth(folder: string): string | undefined {
  const path = join(folder, BIRTH)
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

/**
 * Loads the folder on the CPU and embeds three texts. Resolves to the cosines of the first with the others. Throws why it
 * cannot be loaded: a family that is not supported yet, for one.
 */
export async function tryModel(folder: string): Promise<number[]> {
  const config = loadConfig({ MODEL_NAMES: `tried=${folder}`, EXECUTION_PROVIDER: 'cpu' }, [])
  const { engine, close } = await startService({ config, log: () => {} })
  try {
    const texts = ['a short text', 'rain falls on the hills', 'prices of steel and copper rose '.repeat(20)]
    const { vectors, dimensions } = await engine.embed({ kind: 'embed', model: undefined, texts })
    const [first, ...others] = texts.map((_, row) =>
      vectors.subarray(row * dimensions, (row + 1) * dimensions),
    )
    return others.map((other) => other.reduce((sum, value, i) => sum + value * (first?.[i] ?? 0), 0))
  } finally {
    await close()
  }
}

const USAGE = `make-random-model SHAPE FOLDER [--dtype ${WEIGHT_DTYPES.join('|')}] [--seed N] [--layers N] [--try]
  shapes: ${Object.keys(SHAPES).join(', ')}
  --try: also load the folder on the CPU, and say whether this version can`

async function main(argv: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      dtype: { type: 'string', default: 'fp16' },
      seed: { type: 'string', default: '1' },
      layers: { type: 'string' },
      try: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(USAGE)
  const [shape, folder] = positionals
  if (shape === undefined || folder === undefined || positionals.length > 2) throw new Error(USAGE)
  const dtype = WEIGHT_DTYPES.find((name) => name === values.dtype)
  if (dtype === undefined) {
    throw new Error(`--dtype: "${values.dtype}" is none of ${WEIGHT_DTYPES.join(', ')}`)
  }
  const layers = values.layers === undefined ? undefined : readCount('--layers', values.layers)
  const seed = readCount('--seed', values.seed)
  const start = performance.now()
  const made = await makeRandomModel(folder, { shape, dtype, seed, layers })
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(made ? `${folder}: ${shape} in ${dtype}, ${seconds} s` : `${folder}: was there already`)
  if (!values.try) return
  const cosines = await tryModel(folder)
  console.log(
    `loads; unlike texts have cosines of ${cosines.map((cosine) => cosine.toFixed(3)).join(' and ')}`,
  )
}

function readCount(flag: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`${flag}: "${text}" is not a whole number from 1`)
  return Number(text)
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2))
  } catch (error) {
    console.error(messageOf(error))
    process.exitCode = 1
  }
}
