/** Grows a graph node by node; a node whose operands do not fit throws where it is added. */
import { ServerError } from '../errors.ts'
import type { TensorRef } from '../model/spec.ts'
import type { InputRole } from './contract.ts'
import { INPUTS } from './contract.ts'
import type {
  Attribute,
  Dtype,
  Graph,
  GraphNode,
  Initializer,
  Int8Recipe,
  Shape,
  Value,
  WeightRecipe,
} from './ir.ts'
import { int8Shape } from './int8-recipe.ts'
import { ONNX_TYPES, formatShape } from './ir.ts'
import { inferOutputs } from './ops.ts'
import { prune } from './prune.ts'
import { TENSOR_DTYPES, shapeOf, tensorOf } from './recipe.ts'

export class GraphBuilder {
  readonly #inputs = new Map<InputRole, Value>()
  readonly #given: Value[] = []
  readonly #initializers: Initializer[] = []
  readonly #nodes: GraphNode[] = []
  readonly #shared = new Map<string, Value>()
  #count = 0
  #lengthStep = 1

  /** The roles asked for so far, in the order of the graph's inputs. */
  get roles(): readonly InputRole[] {
    return [...this.#inputs.keys()]
  }

  /** S is a multiple of it. */
  get lengthStep(): number {
    return this.#lengthStep
  }

  /** Asks for rows of a multiple of `step` tokens, a power of two: so the largest that a kernel wants suits all of them. */
  padLengths(step: number): void {
    this.#lengthStep = Math.max(this.#lengthStep, step)
  }

  /** `sizes`: what letters of its shape are, where the graph knows. */
  input(role: InputRole, sizes: Readonly<Record<string, number>> = {}): Value {
    const known = this.#inputs.get(role)
    if (known !== undefined) return known
    const { dtype, shape } = INPUTS[role]
    const value: Value = { name: role, dtype, shape: shape.map((letter) => sizes[letter] ?? letter) }
    this.#inputs.set(role, value)
    return value
  }

  /** An input that no role fills: whoever runs the graph has it from elsewhere. */
  given(value: Value): Value {
    this.#given.push(value)
    return value
  }

  /** A tensor of the model's files, in the dtype it is stored in. The same tensor is listed once. */
  tensor(ref: TensorRef): Value {
    if (ref.strides !== undefined) return this.#inRows(ref)
    // A whole tensor and its first block of rows begin at the same place.
    return this.share(`${ref.file}:${ref.byteOffset} ${ref.dtype}${formatShape(ref.shape)}`, () => {
      const dtype = TENSOR_DTYPES[ref.dtype]
      if (dtype === undefined)
        throw new ServerError('graph_invalid', `no graph holds a tensor of ${ref.dtype} as it is`)
      const value = { name: this.#name('w'), dtype, shape: ref.shape }
      this.#initializers.push({ value, source: ref })
      return value
    })
  }

  /**
   * A weight as a recipe makes it; where the file holds its very bytes, it is the tensor that lies there. The same recipe is
   * listed once.
   */
  weight(recipe: WeightRecipe): Value {
    const ready = tensorOf(recipe)
    if (ready !== undefined) return this.tensor(ready)
    return this.share(`recipe ${JSON.stringify(recipe)}`, () => {
      const value: Value = { name: this.#name('w'), dtype: recipe.dtype, shape: shapeOf(recipe) }
      this.#initializers.push({ value, source: recipe })
      return value
    })
  }

  /** No graph knows of strides: the tensor is made anew, row by row. */
  #inRows(ref: TensorRef): Value {
    const dtype = TENSOR_DTYPES[ref.dtype]
    if (dtype !== 'f32' && dtype !== 'f16' && dtype !== 'bf16')
      throw new ServerError('graph_invalid', `no tensor of ${ref.dtype} has strides`)
    return this.weight({ dtype, parts: [{ values: ref, scale: undefined }] })
  }

  /** A part of a linear layer in 8 bits. The same part is listed once. */
  int8(recipe: Int8Recipe): Value {
    return this.share(`int8 ${JSON.stringify(recipe)}`, () => {
      const dtype = recipe.makes === 'codes' ? 'i8' : 'f32'
      const value: Value = { name: this.#name('w'), dtype, shape: int8Shape(recipe) }
      this.#initializers.push({ value, source: recipe })
      return value
    })
  }

  /** A small constant carried by the graph itself. */
  constant(values: Int32Array | BigInt64Array | Float32Array | Uint8Array, shape: Shape): Value {
    const dtype = constantDtype(values)
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
    return this.#add(op, inputs, attributes)[0]
  }

  /** All outputs of a node that has several. `writesAll`: they are named though nobody may use them. */
  outputs(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Record<string, Attribute> = {},
    { writesAll = false } = {},
  ): readonly Value[] {
    return this.#add(op, inputs, attributes, { writesAll })
  }

  /** A node whose output's shape no operand tells. */
  shaped(
    op: string,
    inputs: readonly (Value | undefined)[],
    output: Omit<Value, 'name'>,
    attributes: Record<string, Attribute> = {},
  ): Value {
    return this.#add(op, inputs, attributes, { declared: { name: '', ...output } })[0]
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
    return this.shaped('Reshape', [x, dims], { dtype: x.dtype, shape })
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
      inputs: [...this.#given, ...this.#inputs.values()],
      initializers: this.#initializers,
      nodes: prune(this.#nodes, names.keys()).map((node) => ({
        ...node,
        inputs: node.inputs.map(renamed),
        outputs: node.outputs.map((output) => ({ ...output, name: renamed(output.name) })),
      })),
      outputs: Object.entries(outputs).map(([name, value]) => ({ ...value, name })),
    }
  }

  #add(
    op: string,
    operands: readonly (Value | undefined)[],
    attributes: Record<string, Attribute>,
    { declared, writesAll = false }: { readonly declared?: Value; readonly writesAll?: boolean } = {},
  ): readonly [Value, ...Value[]] {
    // Optional operands at the end need no place.
    const inputs = operands.slice(0, 1 + operands.findLastIndex((operand) => operand !== undefined))
    const facts = inferOutputs(op, inputs, attributes, declared)
    const outputs = facts.map((fact) => ({ name: this.#name('v'), ...fact }))
    const node = { op, inputs: inputs.map((value) => value?.name ?? ''), attributes, outputs }
    this.#nodes.push(writesAll ? { ...node, writesAll } : node)
    return outputs as [Value, ...Value[]]
  }

  #name(kind: string): string {
    return `${kind}${this.#count++}`
  }
}

function constantDtype(values: Int32Array | BigInt64Array | Float32Array | Uint8Array): Dtype {
  if (values instanceof Float32Array) return 'f32'
  if (values instanceof Uint8Array) return 'u8'
  return values instanceof Int32Array ? 'i32' : 'i64'
}
