/** Grows a graph node by node; a node whose operands do not fit throws where it is added. */
import { ServerError } from '../errors.ts'
import type { TensorDtype, TensorRef } from '../model/spec.ts'
import type { InputRole } from './contract.ts'
import { INPUTS } from './contract.ts'
import type { Attribute, Dtype, Graph, GraphNode, Initializer, Shape, Value } from './ir.ts'
import { ONNX_TYPES, formatShape } from './ir.ts'
import { inferOutput } from './ops.ts'

const TENSOR_DTYPES: Readonly<Record<TensorDtype, Dtype>> = { F32: 'f32', F16: 'f16', BF16: 'bf16', I8: 'i8' }

export class GraphBuilder {
  readonly #inputs = new Map<InputRole, Value>()
  readonly #initializers: Initializer[] = []
  readonly #nodes: GraphNode[] = []
  readonly #shared = new Map<string, Value>()
  #count = 0

  /** The roles asked for so far, in the order of the graph's inputs. */
  get roles(): readonly InputRole[] {
    return [...this.#inputs.keys()]
  }

  input(role: InputRole): Value {
    const known = this.#inputs.get(role)
    if (known !== undefined) return known
    const value: Value = { name: role, ...INPUTS[role] }
    this.#inputs.set(role, value)
    return value
  }

  /** A tensor of the model's files, in the dtype it is stored in. The same tensor is listed once. */
  tensor(ref: TensorRef): Value {
    return this.share(`${ref.file}:${ref.byteOffset}`, () => {
      const value = { name: this.#name('w'), dtype: TENSOR_DTYPES[ref.dtype], shape: ref.shape }
      this.#initializers.push({ value, source: ref })
      return value
    })
  }

  /** A small constant carried by the graph itself. */
  constant(values: Int32Array | BigInt64Array | Float32Array, shape: Shape): Value {
    const dtype = values instanceof Float32Array ? 'f32' : values instanceof Int32Array ? 'i32' : 'i64'
    const count = shape.reduce<number>((product, dim) => product * Number(dim), 1)
    if (count !== values.length) {
      throw new ServerError('graph_invalid', `${values.length} values do not fill ${formatShape(shape)}`)
    }
    const value: Value = { name: this.#name('c'), dtype, shape }
    const source = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    this.#initializers.push({ value, source })
    return value
  }

  node(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Record<string, Attribute> = {},
  ): Value {
    return this.#add(op, inputs, attributes, undefined)
  }

  cast(x: Value, dtype: Dtype): Value {
    return x.dtype === dtype ? x : this.node('Cast', [x], { to: { int: ONNX_TYPES[dtype] } })
  }

  gather(table: Value, indices: Value): Value {
    return this.node('Gather', [table, indices], { axis: { int: 0 } })
  }

  concat(values: readonly Value[], axis: number): Value {
    const [only] = values
    return values.length === 1 && only !== undefined
      ? only
      : this.node('Concat', values, { axis: { int: axis } })
  }

  /** `shape` may keep leading letters of `x` and fold others into one product. */
  reshape(x: Value, shape: Shape): Value {
    const sizes = shape.map((dim, axis) => (typeof dim === 'number' ? dim : dim === x.shape[axis] ? 0 : -1))
    if (sizes.filter((size) => size === -1).length > 1) {
      throw new ServerError('graph_invalid', `${formatShape(shape)} leaves ONNX two dimensions to guess`)
    }
    const dims = this.share(`reshape ${sizes.join()}`, () =>
      this.constant(BigInt64Array.from(sizes, BigInt), [sizes.length]),
    )
    return this.#add('Reshape', [x, dims], {}, { name: '', dtype: x.dtype, shape })
  }

  /** Makes a value once for each key. */
  share(key: string, make: () => Value): Value {
    const known = this.#shared.get(key)
    if (known !== undefined) return known
    const value = make()
    this.#shared.set(key, value)
    return value
  }

  /** The graph's outputs, each under its key; a value can be one output only. */
  finish(outputs: Readonly<Record<string, Value>>): Graph {
    const names = new Map(Object.entries(outputs).map(([name, value]) => [value.name, name]))
    const renamed = (name: string): string => names.get(name) ?? name
    return {
      inputs: [...this.#inputs.values()],
      initializers: this.#initializers,
      nodes: this.#nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map(renamed),
        output: { ...node.output, name: renamed(node.output.name) },
      })),
      outputs: Object.entries(outputs).map(([name, value]) => ({ ...value, name })),
    }
  }

  #add(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Record<string, Attribute>,
    declared?: Value,
  ) {
    const output: Value = { name: this.#name('v'), ...inferOutput(op, inputs, attributes, declared) }
    this.#nodes.push({ op, inputs: inputs.map((value) => value?.name ?? ''), attributes, output })
    return output
  }

  #name(kind: string): string {
    return `${kind}${this.#count++}`
  }
}
