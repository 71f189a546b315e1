/** What lies beside a prepacked model, by which a damaged one is told. */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { FACTS_FILE, MODEL_FILE, WEIGHTS_FILE } from './files.ts'
import { openPrivateFile } from './private-folder.ts'

export interface Facts {
  /** SHA-256 of the graph. */
  readonly model: string
  readonly weightsBytes: number
  /** CRC-32 of the weights: enough against damage, and twice as fast as SHA-256, which counts for gigabytes at each start. */
  readonly weightsSum: number
  /** What the batch of the warm-up came to. */
  readonly output: readonly number[]
}

/** Of the graph and of the facts no more is read: they hold no weights. */
const MAX_BYTES = 64_000_000

const PIECE_BYTES = 4_000_000

export async function writeFacts(folder: string, output: Float32Array): Promise<Facts> {
  const model = hash(await readSmall(folder, MODEL_FILE))
  const facts: Facts = { model, ...(await sumWeights(folder)), output: [...output] }
  await writeFile(join(folder, FACTS_FILE), JSON.stringify(facts), { flag: 'wx' })
  return facts
}

/** The graph and its facts. All weights are read once. Throws what is wrong with any of them. */
export async function readFacts(folder: string): Promise<{ model: Uint8Array<ArrayBuffer>; facts: Facts }> {
  const facts: unknown = JSON.parse((await readSmall(folder, FACTS_FILE)).toString('utf8'))
  if (!isFacts(facts)) throw new Error(`${FACTS_FILE} is damaged`)
  const { weightsBytes, weightsSum } = await sumWeights(folder)
  if (weightsBytes !== facts.weightsBytes)
    throw new Error(`${WEIGHTS_FILE} has ${weightsBytes} bytes instead of ${facts.weightsBytes}`)
  if (weightsSum !== facts.weightsSum) throw new Error(`${WEIGHTS_FILE} is not what was written`)
  const model = new Uint8Array(await readSmall(folder, MODEL_FILE))
  if (hash(model) !== facts.model) throw new Error(`${MODEL_FILE} is not what was written`)
  return { model, facts }
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

/** Of no bytes where a model is so small that its graph holds all of them. */
async function sumWeights(folder: string): Promise<Pick<Facts, 'weightsBytes' | 'weightsSum'>> {
  const file = await openPrivateFile(folder, WEIGHTS_FILE)
  try {
    return await sumPieces(file)
  } finally {
    await file?.close()
  }
}

async function sumPieces(file: FileHandle | undefined): Promise<Pick<Facts, 'weightsBytes' | 'weightsSum'>> {
  const piece = Buffer.alloc(PIECE_BYTES)
  let [weightsBytes, weightsSum] = [0, 0]
  while (file !== undefined) {
    const { bytesRead } = await file.read(piece, 0, piece.length, null)
    if (bytesRead === 0) break
    weightsBytes += bytesRead
    weightsSum = crc32(piece.subarray(0, bytesRead), weightsSum)
  }
  return { weightsBytes, weightsSum }
}

function isFacts(value: unknown): value is Facts {
  if (typeof value !== 'object' || value === null) return false
  const { model, weightsBytes, weightsSum, output } = value as Record<string, unknown>
  return typeof model === 'string' && isNumbers([weightsBytes, weightsSum]) && isNumbers(output)
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
