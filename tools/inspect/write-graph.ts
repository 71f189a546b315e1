import { writeFile } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import { encodeGraph } from '../../src/graph/encode.ts'
import type { Graph, Initializer } from '../../src/graph/ir.ts'
import { shapeOf } from '../../src/graph/recipe.ts'

/** What stands in place of a file for weights whose numbers no file holds yet. */
export const MADE_LATER = 'made-when-the-model-is-loaded'

const STORED = { f32: ['F32', 4], f16: ['F16', 2], bf16: ['BF16', 2] } as const

/**
 * Writes the graph for people to look at. Weights stay where they lie, named by their path from the folder of `path`, as
 * ONNX has it; those that loading would make first are named MADE_LATER. Resolves to how many those are.
 */
export async function writeGraph(path: string, graph: Graph): Promise<number> {
  const folder = dirname(resolve(path))
  let made = 0
  const initializers = graph.initializers.map((initializer): Initializer => {
    const { value, source } = initializer
    if (source instanceof Uint8Array) return initializer
    if ('file' in source) return { value, source: { ...source, file: relative(folder, source.file) } }
    made++
    if ('makes' in source) return { value, source: madeInt8(value) }
    const [dtype, bytes] = STORED[source.dtype]
    const shape = shapeOf(source)
    const byteLength = shape.reduce((product, size) => product * size, bytes)
    return { value, source: { file: MADE_LATER, byteOffset: 0, byteLength, dtype, shape } }
  })
  await writeFile(path, encodeGraph({ ...graph, initializers }))
  return made
}

/** A part of a linear layer in 8 bits. */
function madeInt8({ dtype, shape }: Initializer['value']): Initializer['source'] {
  const sizes = shape.map(Number)
  const byteLength = sizes.reduce((product, size) => product * size, dtype === 'i8' ? 1 : 4)
  return { file: MADE_LATER, byteOffset: 0, byteLength, dtype: dtype === 'i8' ? 'I8' : 'F32', shape: sizes }
}
