import type { Dtype, Graph, Value } from '../../src/graph/ir.ts'

const BYTES: Readonly<Record<Dtype, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  u8: 1,
  i8: 1,
  i32: 4,
  i64: 8,
  bool: 1,
}

export interface WeightMemory {
  /** Of all weights as the kernels read them. */
  readonly bytes: number
  /** Of those that are the very bytes of the model's files; the rest is computed or made when the model is loaded. */
  readonly asStored: number
}

/** What a graph's weights take once a session has computed all that depends on weights alone. Nothing is read. */
export function weightMemory({ initializers, nodes, outputs }: Graph): WeightMemory {
  const constants = new Map<string, { readonly bytes: number; readonly isStored: boolean }>()
  for (const { value, source } of initializers) {
    const isStored = !(source instanceof Uint8Array) && 'file' in source
    constants.set(value.name, { bytes: bytesOf(value), isStored })
  }
  const held = new Set(outputs.map(({ name }) => name))
  for (const node of nodes) {
    const inputs = node.inputs.filter((name) => name !== '')
    if (inputs.length > 0 && inputs.every((name) => constants.has(name))) {
      for (const value of node.outputs) constants.set(value.name, { bytes: bytesOf(value), isStored: false })
    } else {
      for (const name of inputs) held.add(name)
    }
  }
  const weights = [...held].flatMap((name) => constants.get(name) ?? [])
  const sum = (some: typeof weights): number => some.reduce((total, { bytes }) => total + bytes, 0)
  return { bytes: sum(weights), asStored: sum(weights.filter(({ isStored }) => isStored)) }
}

/** A shape of weights has numbers only. */
function bytesOf({ dtype, shape }: Value): number {
  return shape.reduce<number>((product, dim) => product * Number(dim), BYTES[dtype])
}
