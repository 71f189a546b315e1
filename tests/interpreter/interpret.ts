/** Evaluates a graph node by node, plainly: what a graph means, without ONNX Runtime and without a GPU. */
import type { Dim, Graph, GraphNode, Shape } from '../../src/graph/ir.ts'
import { formatShape } from '../../src/graph/ir.ts'
import type { Feed } from '../../src/runtime/feeds.ts'
import { ATTENTION } from './kernels/attention.ts'
import { ELEMENTWISE } from './kernels/elementwise.ts'
import { MATRIX } from './kernels/matrix.ts'
import { NORMS } from './kernels/norms.ts'
import { QUANTIZED } from './kernels/quantized.ts'
import { SHAPING } from './kernels/shaping.ts'
import type { KernelTable } from './node-call.ts'
import { NodeCall } from './node-call.ts'
import { readInitializer } from './read-initializer.ts'
import type { Rounding, Tensor } from './tensor.ts'
import { round, sizeOf } from './tensor.ts'

export const KERNELS: KernelTable = {
  ...ELEMENTWISE,
  ...SHAPING,
  ...MATRIX,
  ...NORMS,
  ...ATTENTION,
  ...QUANTIZED,
}

/** The graph's outputs by name, for one batch. */
export type Interpreted = (feeds: Iterable<readonly [string, Feed | Tensor]>) => ReadonlyMap<string, Tensor>

/**
 * Reads the weights, and computes once what depends on nothing else. `rounding`: `declared` rounds what each node makes to
 * the dtype that it declares, so that what a precision costs is seen; values beyond its range become infinite. `none`
 * shows whether the graph means the right thing. Throws where a node has an operand or an attribute that its kernel does
 * not know, or makes another shape than it declares.
 */
export function prepare(graph: Graph, rounding: Rounding = 'declared'): Interpreted {
  const constants = new Map<string, Tensor>(
    graph.initializers.map((initializer) => [initializer.value.name, readInitializer(initializer, rounding)]),
  )
  const nodes: GraphNode[] = []
  for (const node of graph.nodes) {
    const isConstant = node.inputs.every((name) => name === '' || constants.has(name))
    if (isConstant) runNode(node, constants, new Map(), rounding)
    else nodes.push(node)
  }
  return (feeds) => {
    const values = new Map(constants)
    const letters = new Map<string, number>()
    const given = new Map(feeds)
    for (const { name, dtype, shape } of graph.inputs) {
      const feed = given.get(name)
      if (feed === undefined) throw new Error(`nothing is fed to ${name}`)
      bind(shape, feed.dims, letters, name)
      values.set(name, { dtype, dims: feed.dims, data: Float64Array.from(feed.data) })
    }
    for (const node of nodes) runNode(node, values, letters, rounding)
    return new Map(graph.outputs.map(({ name }) => [name, values.get(name) as Tensor]))
  }
}

function runNode(
  node: GraphNode,
  values: Map<string, Tensor>,
  letters: Map<string, number>,
  rounding: Rounding,
): void {
  const kernel = KERNELS[node.op]
  if (kernel === undefined) throw new Error(`the interpreter has no operator ${node.op}`)
  const operands = node.inputs.map((name) => {
    const value = values.get(name)
    if (value === undefined && name !== '') throw new Error(`${node.op} uses ${name} before it is made`)
    return value
  })
  const call = new NodeCall(node, operands, rounding)
  const made = [kernel(call)].flat()
  call.expectAllRead()
  for (const [index, { name, dtype, shape }] of node.outputs.entries()) {
    if (name === '') continue
    const tensor = made[index]
    if (tensor === undefined) throw new Error(`${node.op}: the interpreter makes no output ${index}`)
    if (tensor.dtype !== dtype)
      throw new Error(`${node.op} makes ${name} as ${tensor.dtype}, declared ${dtype}`)
    bind(shape, tensor.dims, letters, name)
    // Outputs may share their numbers with operands, which must stay as they are.
    const data = rounding === 'none' ? tensor.data : round(tensor.data.slice(), dtype)
    values.set(name, { ...tensor, data })
  }
}

/** Holds the dimensions that a value has against those it declares; a letter met first takes what it is. */
function bind(shape: Shape, dims: readonly number[], letters: Map<string, number>, name: string): void {
  const fits = shape.length === dims.length && shape.every((dim, axis) => isSize(dim, dims[axis] as number))
  if (!fits) throw new Error(`${name} is [${dims.join(', ')}], declared ${formatShape(shape)}`)

  function isSize(dim: Dim, size: number): boolean {
    if (typeof dim === 'number') return dim === size
    if (/^[A-Z]$/.test(dim) && !letters.has(dim)) letters.set(dim, size)
    const known = valueOf(dim, letters)
    return known === undefined || known === size
  }
}

/** Of a letter, a product such as `B*S` or a sum such as `B+1`; undefined where a letter is not known yet. */
function valueOf(dim: string, letters: ReadonlyMap<string, number>): number | undefined {
  const [letter = dim, more = '0'] = dim.split('+')
  const factors = letter.split('*').map((factor) => letters.get(factor) ?? Number(factor))
  const value = sizeOf(factors) + Number(more)
  return Number.isNaN(value) ? undefined : value
}
