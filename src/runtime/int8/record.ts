/** What calibration and the trial of a model in 8 bits found, kept so that the next start need not run it in float32. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { keepInFolder } from '../weights/kept-file.ts'
import { fileName } from '../weights/sweep.ts'
import type { Maxima } from './codes.ts'
import type { Int8Key } from './key.ts'
import type { Fidelity } from './protocol.ts'

export interface Int8Record {
  readonly maxima: Maxima
  readonly fidelity: Fidelity
}

/** Of each layer's input in order: its key, and how many columns it has. */
export type Inputs = readonly { readonly key: string; readonly width: number }[]

const HEADER_BYTES = 24

/** Undefined where the folder has none, or one that cannot be right. */
export async function findRecord(
  folder: string | undefined,
  key: Int8Key,
  watched: Inputs,
): Promise<Int8Record | undefined> {
  const inputs = [...new Map(watched.map((input) => [input.key, input])).values()]
  if (folder === undefined) return undefined
  const bytes = await readFile(join(folder, fileName(requestOf(key)))).catch(() => undefined)
  if (bytes?.length !== byteLengthOf(inputs)) return undefined
  const { buffer } = Uint8Array.from(bytes)
  const [meanCosine = NaN, leastCosine = NaN, texts = NaN] = new Float64Array(buffer, 0, 3)
  const all = new Float32Array(buffer, HEADER_BYTES)
  const isSound = [meanCosine, leastCosine].every((cosine) => Math.abs(cosine) <= 1 + 1e-6) && texts > 0
  if (!isSound || !all.every((value) => value >= 0 && value < Infinity)) return undefined
  return { maxima: splitMaxima(all, inputs), fidelity: { meanCosine, leastCosine, texts } }
}

/** Where the folder takes it; else the next start finds out again. */
export async function keepRecord(
  folder: string | undefined,
  key: Int8Key,
  { maxima, fidelity }: Int8Record,
): Promise<void> {
  if (folder === undefined) return
  const inputs = [...maxima].map(([input, { length }]) => ({ key: input, width: length }))
  await keepInFolder(folder, {
    ...requestOf(key),
    byteLength: byteLengthOf(inputs),
    fill(write) {
      const { meanCosine, leastCosine, texts } = fidelity
      write(new Uint8Array(Float64Array.of(meanCosine, leastCosine, texts).buffer))
      for (const { buffer, byteOffset, byteLength } of maxima.values())
        write(new Uint8Array(buffer, byteOffset, byteLength))
    },
  })
}

/** Of weights that serve several times the greatest of all. */
export function splitMaxima(all: Float32Array, inputs: Inputs): Maxima {
  const maxima = new Map<string, Float32Array>()
  let from = 0
  for (const { key, width } of inputs) {
    const own = all.slice(from, from + width)
    const known = maxima.get(key)
    maxima.set(key, known === undefined ? own : own.map((value, i) => Math.max(value, known[i] as number)))
    from += width
  }
  return maxima
}

function requestOf({ owner, digest }: Int8Key): Int8Key {
  return { owner: `${owner}-facts`, digest }
}

function byteLengthOf(inputs: Inputs): number {
  return HEADER_BYTES + 4 * inputs.reduce((sum, { width }) => sum + width, 0)
}
