/** A graph's parts in 8 bits, made once and kept for the next start beside the other converted weights. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Graph, Initializer, Int8Recipe } from '../../graph/ir.ts'
import { int8Shape, isInt8Recipe } from '../../graph/int8-recipe.ts'
import type { TensorRef } from '../../model/spec.ts'
import { keepFile } from '../weights/kept-file.ts'
import { fileName } from '../weights/sweep.ts'
import type { PlacedWeights } from '../weights.ts'
import type { Maxima } from './codes.ts'
import { CodeMaker } from './codes.ts'
import type { Int8Key } from './key.ts'

/** Every part begins at a multiple of it. */
const ALIGNMENT = 64
/** Read at once. */
const CHUNK_BYTES = 1 << 20

interface Place {
  readonly recipe: Int8Recipe
  readonly byteOffset: number
  readonly byteLength: number
}

export interface PlaceOptions {
  /** Where the numbers are kept. */
  readonly folder: string | undefined
  readonly key: Int8Key
  readonly maxima: Maxima
  readonly greatestCode: number
  /** Nothing vouches for codes that are there. */
  readonly isAnew: boolean
}

export interface PlacedCodes extends PlacedWeights {
  /** SHA-256 of the file that was made; undefined where one was found. */
  readonly digest?: Uint8Array | undefined
  /** Why the next start will not find it. */
  readonly unkept?: string | undefined
}

/** Throws `load_failed` where files cannot be read or written. */
export async function placeCodes(
  graph: Graph,
  { folder, key, maxima, greatestCode, isAnew }: PlaceOptions,
): Promise<PlacedCodes> {
  const places = layPlaces(graph.initializers)
  const all = [...places.values()]
  const last = all.at(-1)
  if (last === undefined) return { graph, release: async () => {} }
  let digest: Uint8Array | undefined
  const file = await keepFile(folder, {
    ...nameOf(key),
    byteLength: last.byteOffset + last.byteLength,
    isAnew,
    fill(write) {
      const hash = createHash('sha256')
      fill(all, new CodeMaker(maxima, greatestCode), (bytes) => {
        hash.update(bytes)
        write(bytes)
      })
      digest = hash.digest()
    },
  })
  const initializers = graph.initializers.map((initializer) => {
    const place = places.get(initializer)
    return place === undefined
      ? initializer
      : { value: initializer.value, source: tensorAt(file.path, place) }
  })
  return { graph: { ...graph, initializers }, release: file.release, digest, unkept: file.unkept }
}

/**
 * SHA-256 of the codes that the folder has; undefined where it has none that can be read. Takes about a second for a
 * gigabyte, a byte a weight, of a file that is about to be read anyway, and a megabyte of memory.
 */
export async function digestCodes(folder: string, key: Int8Key): Promise<Uint8Array | undefined> {
  try {
    const file = await open(join(folder, fileName(nameOf(key))))
    const hash = createHash('sha256')
    for await (const bytes of file.createReadStream({ highWaterMark: CHUNK_BYTES }))
      hash.update(bytes as Uint8Array)
    return hash.digest()
  } catch {
    return undefined
  }
}

function nameOf({ owner, digest }: Int8Key): Int8Key {
  return { owner: `${owner}-codes`, digest }
}

function layPlaces(initializers: readonly Initializer[]): Map<Initializer, Place> {
  const places = new Map<Initializer, Place>()
  let end = 0
  for (const initializer of initializers) {
    const { source: recipe } = initializer
    if (!isInt8Recipe(recipe)) continue
    const count = int8Shape(recipe).reduce((product, size) => product * size, 1)
    const byteOffset = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    const byteLength = recipe.makes === 'codes' ? count : 4 * count
    places.set(initializer, { recipe, byteOffset, byteLength })
    end = byteOffset + byteLength
  }
  return places
}

function fill(places: readonly Place[], maker: CodeMaker, write: (bytes: Uint8Array) => void): void {
  try {
    let end = 0
    for (const { recipe, byteOffset, byteLength } of places) {
      if (byteOffset > end) write(new Uint8Array(byteOffset - end))
      write(maker.make(recipe))
      end = byteOffset + byteLength
    }
  } finally {
    maker.close()
  }
}

function tensorAt(file: string, { recipe, byteOffset, byteLength }: Place): TensorRef {
  const dtype = recipe.makes === 'codes' ? 'I8' : 'F32'
  return { file, byteOffset, byteLength, dtype, shape: int8Shape(recipe) }
}
