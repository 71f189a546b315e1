/** A graph's parts in 8 bits, made once and kept for the next start beside the other converted weights. */
import type { Graph, Initializer, Int8Recipe } from '../../graph/ir.ts'
import { int8Shape, isInt8Recipe } from '../../graph/int8-recipe.ts'
import type { TensorRef } from '../../model/spec.ts'
import { keepFile } from '../weights/kept-file.ts'
import type { PlacedWeights } from '../weights.ts'
import type { Maxima } from './codes.ts'
import { CodeMaker } from './codes.ts'
import type { Int8Key } from './key.ts'

/** Every part begins at a multiple of it. */
const ALIGNMENT = 64

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
}

/** Throws `load_failed` where files cannot be read or written. */
export async function placeCodes(
  graph: Graph,
  { folder, key, maxima, greatestCode }: PlaceOptions,
): Promise<PlacedWeights> {
  const places = layPlaces(graph.initializers)
  const all = [...places.values()]
  const last = all.at(-1)
  if (last === undefined) return { graph, release: async () => {} }
  const file = await keepFile(folder, {
    owner: `${key.owner}-codes`,
    digest: key.digest,
    byteLength: last.byteOffset + last.byteLength,
    fill: (write) => fill(all, new CodeMaker(maxima, greatestCode), write),
  })
  const initializers = graph.initializers.map((initializer) => {
    const place = places.get(initializer)
    return place === undefined
      ? initializer
      : { value: initializer.value, source: tensorAt(file.path, place) }
  })
  return { graph: { ...graph, initializers }, release: file.release }
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
