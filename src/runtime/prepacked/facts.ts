/** What lies beside a prepacked model, by which a damaged one is told. */
import { createHash } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FACTS_FILE, MODEL_FILE, WEIGHTS_FILE } from './files.ts'

export interface Facts {
  /** SHA-256 of the graph. */
  readonly model: string
  /** Bytes of the weights, of gigabytes too many to be read through at each start. */
  readonly weightsBytes: number
  /** What the batch of the warm-up came to. */
  readonly output: readonly number[]
}

/** Of the graph no more is read: it holds no weights. */
const MAX_MODEL_BYTES = 64_000_000

export async function writeFacts(folder: string, output: Float32Array): Promise<Facts> {
  const model = hash(await readFile(join(folder, MODEL_FILE)))
  const facts: Facts = { model, weightsBytes: await weightsBytes(folder), output: [...output] }
  await writeFile(join(folder, FACTS_FILE), JSON.stringify(facts), { flag: 'wx' })
  return facts
}

/** The graph and its facts. Throws what is wrong with them. */
export async function readFacts(folder: string): Promise<{ model: Uint8Array<ArrayBuffer>; facts: Facts }> {
  const facts: unknown = JSON.parse(await readFile(join(folder, FACTS_FILE), 'utf8'))
  if (!isFacts(facts)) throw new Error(`${FACTS_FILE} is damaged`)
  const found = await weightsBytes(folder)
  if (found !== facts.weightsBytes)
    throw new Error(`${WEIGHTS_FILE} has ${found} bytes instead of ${facts.weightsBytes}`)
  const path = join(folder, MODEL_FILE)
  const { size } = await stat(path)
  if (size > MAX_MODEL_BYTES) throw new Error(`${MODEL_FILE} has ${size} bytes`)
  const model = new Uint8Array(await readFile(path))
  if (hash(model) !== facts.model) throw new Error(`${MODEL_FILE} is not what was written`)
  return { model, facts }
}

/** 0 where a model is so small that its graph holds all of them. */
async function weightsBytes(folder: string): Promise<number> {
  return stat(join(folder, WEIGHTS_FILE)).then(
    ({ size }) => size,
    () => 0,
  )
}

function isFacts(value: unknown): value is Facts {
  if (typeof value !== 'object' || value === null) return false
  const { model, weightsBytes: bytes, output } = value as Record<string, unknown>
  return typeof model === 'string' && typeof bytes === 'number' && isNumbers(output)
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((number) => typeof number === 'number')
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Of the greatest number: kernels of other threads may add in another order, and damage is rarely as small. */
const TOLERANCE = 1e-3

/** Whether a session gives what was written down. */
export function isSameOutput(found: Float32Array, { output }: Facts): boolean {
  if (found.length !== output.length) return false
  const greatest = output.reduce((most, number) => Math.max(most, Math.abs(number)), 0)
  return output.every((number, i) => Math.abs((found[i] as number) - number) <= TOLERANCE * greatest)
}
