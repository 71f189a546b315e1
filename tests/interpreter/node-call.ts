/** A node as a kernel sees it. What a kernel does not read is told afterwards: no operand or attribute is passed over. */
import type { Attribute, Dtype, GraphNode } from '../../src/graph/ir.ts'
import type { Rounding, Tensor } from './tensor.ts'
import { round } from './tensor.ts'

export type Kernel = (call: NodeCall) => Tensor | readonly (Tensor | undefined)[]
export type KernelTable = Readonly<Record<string, Kernel>>

export class NodeCall {
  readonly #node: GraphNode
  readonly #operands: readonly (Tensor | undefined)[]
  readonly #rounding: Rounding
  readonly #read = new Set<string | number>()

  constructor(node: GraphNode, operands: readonly (Tensor | undefined)[], rounding: Rounding) {
    this.#node = node
    this.#operands = operands
    this.#rounding = rounding
  }

  get operandCount(): number {
    return this.#operands.length
  }

  operand(index: number): Tensor {
    const tensor = this.optional(index)
    if (tensor === undefined) throw new Error(`${this.#node.op}: input ${index} is missing`)
    return tensor
  }

  optional(index: number): Tensor | undefined {
    this.#read.add(index)
    return this.#operands[index]
  }

  int(name: string, fallback?: number): number {
    const attribute = this.#attribute(name)
    if (attribute === undefined && fallback !== undefined) return fallback
    if (attribute !== undefined && 'int' in attribute) return attribute.int
    throw new Error(`${this.#node.op}: attribute ${name} is no integer`)
  }

  float(name: string, fallback: number): number {
    const attribute = this.#attribute(name)
    if (attribute === undefined) return fallback
    // A graph carries it as float32.
    if ('float' in attribute) return Math.fround(attribute.float)
    throw new Error(`${this.#node.op}: attribute ${name} is no float`)
  }

  text(name: string, fallback: string): string {
    const attribute = this.#attribute(name)
    if (attribute === undefined) return fallback
    if ('string' in attribute) return attribute.string
    throw new Error(`${this.#node.op}: attribute ${name} is no string`)
  }

  ints(name: string): readonly number[] {
    const attribute = this.#attribute(name)
    if (attribute !== undefined && 'ints' in attribute) return attribute.ints
    throw new Error(`${this.#node.op}: attribute ${name} is no list of integers`)
  }

  /** Of what a kernel stores on its way, in place. */
  round(data: Float64Array, dtype: Dtype): Float64Array {
    return this.#rounding === 'declared' ? round(data, dtype) : data
  }

  /** Throws where an operand or an attribute was not read. */
  expectAllRead(): void {
    const operands = this.#operands.flatMap((tensor, index) =>
      tensor === undefined || this.#read.has(index) ? [] : [`input ${index}`],
    )
    const attributes = Object.keys(this.#node.attributes).filter((name) => !this.#read.has(name))
    const unread = [...operands, ...attributes]
    if (unread.length > 0)
      throw new Error(`${this.#node.op}: the interpreter does not know ${unread.join(', ')}`)
  }

  #attribute(name: string): Attribute | undefined {
    this.#read.add(name)
    return this.#node.attributes[name]
  }
}
