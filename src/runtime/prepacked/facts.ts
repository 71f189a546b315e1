/** What lies beside a prepacked model, by which a damaged one is told. */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FACTS_FILE, MODEL_FILE, WEIGHTS_FILE } from './files.ts'
import { openPrivateFile } from './private-folder.ts'
import { sumWeights } from './sum-weights.ts'

export interface Facts {
  /** SHA-256 of the graph. */
  readonly model: string
  readonly weightsBytes: number
  /** By which damaged weights are told: `sumWeights`. */
  readonly weightsSum: string
  /** What the batch of the warm-up came to. */
  readonly output: readonly number[]
}

/** Of the graph and of the facts no more is read: they hold no weights. */
const MAX_BYTES = 64_000_000

export async function writeFacts(folder: string, output: Float32Array): Promise<Facts> {
  const model = hash(await readSmall(folder, MODEL_FILE))
  const facts: Facts = {
    model,
    weightsBytes: await sizeOf(folder, WEIGHTS_FILE),
    weightsSum: await sumWeights(folder),
    output: [...output],
  }
  await writeFile(join(folder, FACTS_FILE), JSON.stringify(facts), { flag: 'wx' })
  return facts
}

/** The graph and its facts. Of the weights only the size is looked at. Throws what is wrong with any of them. */
export async function readFacts(folder: string): Promise<{ model: Uint8Array<ArrayBuffer>; facts: Facts }> {
  const facts: unknown = JSON.parse((await readSmall(folder, FACTS_FILE)).toString('utf8'))
  if (!isFacts(facts)) throw new Error(`${FACTS_FILE} is damaged`)
  // Whoever maps a file beyond its end is killed.
  const weightsBytes = await sizeOf(folder, WEIGHTS_FILE)
  if (weightsBytes !== facts.weightsBytes)
    throw new Error(`${WEIGHTS_FILE} has ${weightsBytes} bytes instead of ${facts.weightsBytes}`)
  const model = new Uint8Array(await readSmall(folder, MODEL_FILE))
  if (hash(model) !== facts.model) throw new Error(`${MODEL_FILE} is not what was written`)
  return { model, facts }
}

/** Throws where the weights, as they were read, are others than those that were written. */
export function expectSameWeights(sum: string, { weightsSum }: Facts): void {
  if (sum !== weightsSum) throw new Error(`${WEIGHTS_FILE} is not what was written`)
}

/** 0 where a model is so small that its graph holds all of its weights. */
async function sizeOf(folder: string, name: string): Promise<number> {
  const file = await openPrivateFile(folder, name)
  try {
    return file === undefined ? 0 : (await file.stat()).size
  } finally {
    await file?.close()
  }
}

async function readSmall(folder: string, name: string): Promise<Buffer> {
  const file = await openPrivateFile(folder, name)
  if (file === undefined) throw new Error(`${name} is missing`)
  try {
    const { size } = await file.stat()
    if (size > MAX_BYTES) throw new Error(`${name} has ${size} bytes`)
    return await file.readFile()
  } finally {
    await file.close()
  }
}

function isFacts(value: unknown): value is Facts {
  if (typeof value !== 'object' || value === null) return false
  const { model, weightsBytes, weightsSum, output } = value as Record<string, unknown>
  return (
    typeof model === 'string' &&
    typeof weightsBytes === 'number' &&
    typeof weightsSum === 'string' &&
    Array.isArray(output) &&
    output.every((number) => typeof number === 'number')
  )
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
