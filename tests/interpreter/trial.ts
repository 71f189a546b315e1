/** One operator on numbers drawn at random, for the interpreter and for ONNX Runtime's CPU kernel. */
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { encodeGraph } from '../../src/graph/encode.ts'
import type { Attribute, Dtype, Graph, GraphNode, Value } from '../../src/graph/ir.ts'
import { ONNX_TYPES } from '../../src/graph/ir.ts'
import { seededRandom } from '../../tools/random.ts'
import { KERNELS, prepare } from './interpret.ts'
import { NodeCall } from './node-call.ts'
import type { Tensor } from './tensor.ts'
import { round, sizeOf } from './tensor.ts'

export type Attributes = Readonly<Record<string, Attribute>>

interface Run {
  readonly graph: Graph
  readonly feeds: ReadonlyMap<string, Tensor>
}

export interface Trial extends Run {
  /** Whether an output was rounded to 16 bits. */
  readonly isHalf: boolean
  /** What ONNX Runtime computes, where it is not the same. */
  readonly reference?: Run
  /** Whether a number of the output means something; all do unless told. */
  readonly counts?: (index: number) => boolean
}

interface Range {
  readonly reach?: number
  /** −reach unless told. */
  readonly least?: number
  readonly dtype?: Dtype
}

/** Draws the sizes and the numbers of a trial. */
export class Draw {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  /** least to most, both possible */
  int(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1))
  }

  pick<X>(choices: readonly [X, ...X[]]): X {
    return choices[this.int(0, choices.length - 1)] as X
  }

  chance(): boolean {
    return this.#random() < 0.5
  }

  /** Evenly from `least` to `reach`. */
  floats(dims: readonly number[], range: Range = {}): Tensor {
    const { reach = 2, least = -reach, dtype = 'f32' } = range
    const data = Float64Array.from({ length: sizeOf(dims) }, () => least + this.#random() * (reach - least))
    return { dtype, dims, data: round(data, dtype) }
  }

  ints(dims: readonly number[], least: number, most: number, dtype: Dtype = 'i32'): Tensor {
    return { dtype, dims, data: Float64Array.from({ length: sizeOf(dims) }, () => this.int(least, most)) }
  }

  /** Several axes of a few numbers each. */
  dims(rank: number): number[] {
    return Array.from({ length: rank }, () => this.int(1, 5))
  }
}

export function tensorOf(dtype: Dtype, dims: readonly number[], numbers: Iterable<number>): Tensor {
  return { dtype, dims, data: Float64Array.from(numbers) }
}

/**
 * Collects the nodes of a trial. What goes in is fed, so that ONNX Runtime folds nothing; what onnxruntime-node can
 * neither be fed nor fetched travels as float32.
 */
export class TrialGraph {
  readonly #inputs: Value[] = []
  readonly #nodes: GraphNode[] = []
  readonly #values = new Map<string, Tensor>()
  readonly #feeds = new Map<string, Tensor>()

  feed(tensor: Tensor): string {
    if (isHalf(tensor.dtype)) return this.cast(this.feed({ ...tensor, dtype: 'f32' }), tensor.dtype)
    const name = `x${this.#feeds.size}`
    this.#inputs.push({ name, dtype: tensor.dtype, shape: tensor.dims })
    this.#feeds.set(name, tensor)
    this.#values.set(name, tensor)
    return name
  }

  /** The names of the outputs whose indices are wanted. */
  node(
    op: string,
    operands: readonly (Tensor | string | undefined)[],
    attributes: Attributes = {},
    wanted: readonly number[] = [0],
  ): string[] {
    const inputs = operands.map((operand) =>
      operand === undefined ? '' : typeof operand === 'string' ? operand : this.feed(operand),
    )
    const bare: GraphNode = { op, inputs, attributes, outputs: [] }
    const call = new NodeCall(
      bare,
      inputs.map((name) => this.#values.get(name)),
      'declared',
    )
    const made = [KERNELS[op]?.(call)].flat()
    const outputs = Array.from({ length: Math.max(...wanted) + 1 }, (_, index): Value => {
      const tensor = made[index]
      if (!wanted.includes(index) || tensor === undefined) return { name: '', dtype: 'f32', shape: [] }
      const name = `v${this.#values.size}`
      this.#values.set(name, tensor)
      return { name, dtype: tensor.dtype, shape: tensor.dims }
    })
    this.#nodes.push({ ...bare, outputs })
    return outputs.flatMap(({ name }) => (name === '' ? [] : [name]))
  }

  cast(name: string, to: Dtype): string {
    return this.node('Cast', [name], { to: { int: ONNX_TYPES[to] } })[0] as string
  }

  finish(names: readonly string[]): Trial {
    const fetched = names.map((name) =>
      isHalf(this.#values.get(name)?.dtype) ? this.cast(name, 'f32') : name,
    )
    const outputs = fetched.map((name) => {
      const { dtype, dims } = this.#values.get(name) as Tensor
      return { name, dtype, shape: dims }
    })
    const graph = { inputs: this.#inputs, initializers: [], nodes: this.#nodes, outputs }
    return { graph, feeds: this.#feeds, isHalf: fetched.join() !== names.join() }
  }
}

function isHalf(dtype: Dtype | undefined): boolean {
  return dtype === 'f16' || dtype === 'bf16'
}

export function trialOf(
  op: string,
  operands: readonly (Tensor | undefined)[],
  attributes: Attributes = {},
  wanted: readonly number[] = [0],
): Trial {
  const trial = new TrialGraph()
  return trial.finish(trial.node(op, operands, attributes, wanted))
}

/** The farthest that the two are apart, as a part of the largest number of the output. */
export async function distanceOf(trial: Trial): Promise<number> {
  const interpreted = [...prepare(trial.graph)(trial.feeds).values()]
  const expected = await runOnnx(trial.reference ?? trial)
  let worst = 0
  for (const [output, tensor] of interpreted.entries()) {
    const reference = expected[output] as { dims: readonly number[]; data: Float64Array }
    if (reference.dims.join() !== tensor.dims.join())
      throw new Error(`[${tensor.dims.join()}] is not ONNX Runtime's [${reference.dims.join()}]`)
    const largest = reference.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6)
    for (const [i, value] of reference.data.entries()) {
      if (trial.counts?.(i) === false) continue
      worst = Math.max(worst, distance(value, tensor.data[i] as number) / largest)
    }
  }
  return worst
}

function distance(a: number, b: number): number {
  const isSame = Object.is(a, b) || a === b
  return isSame ? 0 : Number.isNaN(a - b) ? Infinity : Math.abs(a - b)
}

async function runOnnx({ graph, feeds }: Run) {
  const session = await InferenceSession.create(encodeGraph(graph), {
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
  })
  try {
    const tensors = Object.fromEntries([...feeds].map(([name, tensor]) => [name, toOnnx(tensor)]))
    const outputs = await session.run(tensors)
    return graph.outputs.map(({ name }) => {
      const { dims, data } = outputs[name] as OrtTensor
      return { dims, data: Float64Array.from(data as Iterable<number>, Number) }
    })
  } finally {
    await session.release()
  }
}

function toOnnx({ dtype, dims, data }: Tensor): OrtTensor {
  switch (dtype) {
    case 'f32':
      return new OrtTensor('float32', Float32Array.from(data), dims)
    case 'u8':
      return new OrtTensor('uint8', Uint8Array.from(data), dims)
    case 'i8':
      return new OrtTensor('int8', Int8Array.from(data), dims)
    case 'i32':
      return new OrtTensor('int32', Int32Array.from(data), dims)
    case 'i64':
      return new OrtTensor('int64', BigInt64Array.from(data, BigInt), dims)
    case 'bool':
      return new OrtTensor('bool', Uint8Array.from(data), dims)
    case 'f16':
    case 'bf16':
      throw new Error(`onnxruntime-node takes no ${dtype}`)
    default:
      return dtype satisfies never
  }
}
