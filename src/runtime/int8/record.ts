/** What calibration and the trial of a model in 8 bits found, kept so that the next start need not run it in float32. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { keepInFolder } from '../weights/kept-file.ts'
import { fileName } from '../weights/sweep.ts'
import type { Maxima } from './codes.ts'
import type { Int8Key } from './key.ts'
import { digestCodes } from './place.ts'
import type { Fidelity } from './protocol.ts'

export interface Int8Record {
  readonly maxima: Maxima
  readonly fidelity: Fidelity
}

/** Of each layer's input in order: its key, and how many columns it has. */
export type Inputs = readonly { readonly key: string; readonly width: number }[]

/** A SHA-256 comes first: of the digest of the codes, then of all that follows here. */
const SEAL_BYTES = 32
const FIDELITY_BYTES = 24

/** Undefined where the folder has none, or where it or the codes beside it are not what was written together. */
export async function findRecord(
  folder: string | undefined,
  key: Int8Key,
  watched: Inputs,
): Promise<Int8Record | undefined> {
  const inputs = [...new Map(watched.map((input) => [input.key, input])).values()]
  if (folder === undefined) return undefined
  const bytes = await readFile(join(folder, fileName(requestOf(key)))).catch(() => undefined)
  if (bytes?.length !== byteLengthOf(inputs)) return undefined
  const codes = await digestCodes(folder, key)
  const facts = Uint8Array.from(bytes.subarray(SEAL_BYTES))
  if (codes === undefined || !bytes.subarray(0, SEAL_BYTES).equals(sealOf(codes, facts))) return undefined
  const [meanCosine = NaN, leastCosine = NaN, texts = NaN] = new Float64Array(facts.buffer, 0, 3)
  const all = new Float32Array(facts.buffer, FIDELITY_BYTES)
  return { maxima: splitMaxima(all, inputs), fidelity: { meanCosine, leastCosine, texts } }
}

/**
 * In place of any that is there, since it was not found. `codes`: SHA-256 of the file of codes. Gives the reason where the
 * folder does not take it, so that the next start finds out again.
 */
export async function keepRecord(
  folder: string,
  key: Int8Key,
  { maxima, fidelity }: Int8Record,
  codes: Uint8Array,
): Promise<string | undefined> {
  const inputs = [...maxima].map(([input, { length }]) => ({ key: input, width: length }))
  const { meanCosine, leastCosine, texts } = fidelity
  const facts = Buffer.concat([
    bytesOf(Float64Array.of(meanCosine, leastCosine, texts)),
    ...[...maxima.values()].map(bytesOf),
  ])
  const kept = await keepInFolder(folder, {
    ...requestOf(key),
    byteLength: byteLengthOf(inputs),
    isAnew: true,
    fill(write) {
      write(sealOf(codes, facts))
      write(facts)
    },
  })
  return typeof kept === 'string' ? kept : undefined
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
  return SEAL_BYTES + FIDELITY_BYTES + 4 * inputs.reduce((sum, { width }) => sum + width, 0)
}

function sealOf(codes: Uint8Array, facts: Uint8Array): Uint8Array {
  return createHash('sha256').update(codes).update(facts).digest()
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
