/** Weights that a graph wants otherwise than the files hold them, made once and kept for the next start. */
import { createHash } from 'node:crypto'
import type { Dtype, Graph, Initializer, WeightRecipe } from '../graph/ir.ts'
import { isRecipe, shapeOf } from '../graph/recipe.ts'
import type { TensorDtype, TensorRef } from '../model/spec.ts'
import { FLOAT_BYTES } from './weights/convert.ts'
import type { FileRequest } from './weights/kept-file.ts'
import { keepFile, keepInFolder } from './weights/kept-file.ts'
import { WeightMaker } from './weights/make-weight.ts'
import { identityOf, ownerOfFile } from './weights/owner.ts'

/** Counts up when the same recipes come to other bytes. */
const FORMAT = 1
/** Every weight begins at a multiple of it. */
const ALIGNMENT = 64

const STORED = { f32: 'F32', f16: 'F16', bf16: 'BF16' } as const satisfies Partial<Record<Dtype, TensorDtype>>

export interface PlacedWeights {
  /** All large initializers lie in files. */
  readonly graph: Graph
  /** For when the session has read them. */
  readonly release: () => Promise<void>
}

interface Placed {
  readonly recipe: WeightRecipe
  readonly byteOffset: number
  readonly byteLength: number
}

/**
 * Carries out a graph's recipes; without any, nothing is read or written. `folder`: where the numbers are kept; `part`: what
 * of the model the graph is, where it is a part with files of its own. Throws `Overflow` where a weight is beyond the range of the precision, `load_failed` where files cannot be read or written.
 */
export async function placeWeights(
  graph: Graph,
  folder: string | undefined,
  part?: string,
): Promise<PlacedWeights> {
  const places = layPlaces(graph.initializers)
  const request = await requestOf([...places.values()], part)
  if (request === undefined) return { graph, release: async () => {} }
  const file = await keepFile(folder, request)
  const initializers = graph.initializers.map((initializer) => {
    const place = places.get(initializer)
    return place === undefined
      ? initializer
      : { value: initializer.value, source: tensorAt(file.path, place) }
  })
  return { graph: { ...graph, initializers }, release: file.release }
}

/** Makes them for whoever places them next. False where the folder does not take them. Throws as `placeWeights` does. */
export async function keepWeights(graph: Graph, folder: string, part?: string): Promise<boolean> {
  const request = await requestOf([...layPlaces(graph.initializers).values()], part)
  return request === undefined || typeof (await keepInFolder(folder, request)) !== 'string'
}

async function requestOf(places: readonly Placed[], part?: string): Promise<FileRequest | undefined> {
  const last = places.at(-1)
  if (last === undefined) return undefined
  return {
    owner: part === undefined ? ownerOf(places) : `${ownerOf(places)}-${part}`,
    digest: await digestOf(places),
    byteLength: last.byteOffset + last.byteLength,
    fill: (write) => fill(places, write),
  }
}

/** Model and precision, by which a file is known: two of them for one model, or part of it, would be one too many. */
function ownerOf(places: readonly Placed[]): string {
  const file = places[0]?.recipe.parts[0]?.values.file ?? ''
  // Norms and heads are float32 in every precision.
  const dtype = places.find(({ recipe }) => recipe.dtype !== 'f32')?.recipe.dtype ?? 'f32'
  return `${ownerOfFile(file)}-${dtype}`
}

function layPlaces(initializers: readonly Initializer[]): Map<Initializer, Placed> {
  const places = new Map<Initializer, Placed>()
  let end = 0
  for (const initializer of initializers) {
    const { source: recipe } = initializer
    if (!isRecipe(recipe)) continue
    const count = shapeOf(recipe).reduce((product, size) => product * size, 1)
    const byteOffset = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    const byteLength = count * FLOAT_BYTES[recipe.dtype]
    places.set(initializer, { recipe, byteOffset, byteLength })
    end = byteOffset + byteLength
  }
  return places
}

function fill(places: readonly Placed[], write: (bytes: Uint8Array) => void): void {
  const maker = new WeightMaker()
  try {
    let end = 0
    for (const { recipe, byteOffset, byteLength } of places) {
      if (byteOffset > end) write(new Uint8Array(byteOffset - end))
      maker.make(recipe, write)
      end = byteOffset + byteLength
    }
  } finally {
    maker.close()
  }
}

function tensorAt(file: string, { recipe, byteOffset, byteLength }: Placed): TensorRef {
  return { file, byteOffset, byteLength, dtype: STORED[recipe.dtype], shape: shapeOf(recipe) }
}

/** Of all that the bytes depend on: the files as they are, and what is made of them. */
async function digestOf(places: readonly Placed[]): Promise<string> {
  const recipes = places.map(({ recipe }) => recipe)
  const names = new Set(
    recipes.flatMap(({ parts }) =>
      parts.flatMap(({ values, scale }) => [values.file, ...(scale ? [scale.file] : [])]),
    ),
  )
  const files = await Promise.all([...names].sort().map(identityOf))
  const facts = JSON.stringify({ format: FORMAT, files, recipes })
  return createHash('sha256').update(facts).digest('hex').slice(0, 32)
}
