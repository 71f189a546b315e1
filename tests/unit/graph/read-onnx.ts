/**
 * A reader of ONNX files for tests: protocol buffers after their own description, field numbers after onnx.proto.
 * It shares nothing with the writer in src/graph/encode.ts, so that a mistake there is not made twice.
 */

export interface OnnxNode {
  readonly op: string
  readonly domain: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, OnnxAttribute>>
}

export interface OnnxAttribute {
  readonly type: number
  readonly float?: number
  readonly int?: bigint
  readonly string?: string
  readonly ints?: readonly bigint[]
}

export interface OnnxTensor {
  readonly name: string
  readonly type: number
  readonly dims: readonly number[]
  readonly raw: Uint8Array | undefined
  readonly location: number
  readonly external: Readonly<Record<string, string>>
}

export interface OnnxValue {
  readonly name: string
  readonly type: number
  /** undefined: of unknown rank. */
  readonly dims: readonly (number | string)[] | undefined
}

export function readOnnx(bytes: Uint8Array) {
  const model = new Fields(bytes)
  const graph = new Fields(model.bytes(7))
  return {
    irVersion: model.int(1),
    producer: model.text(2),
    opsets: model.each(8, (opset) => ({ domain: opset.text(1), version: opset.int(2) })),
    name: graph.text(2),
    nodes: graph.each(1, readNode),
    initializers: graph.each(5, readTensor),
    inputs: graph.each(11, readValue),
    outputs: graph.each(12, readValue),
  }
}

function readNode(node: Fields): OnnxNode {
  return {
    op: node.text(4),
    domain: node.text(7),
    name: node.text(3),
    inputs: node.texts(1),
    outputs: node.texts(2),
    attributes: Object.fromEntries(node.each(5, (field) => [field.text(1), readAttribute(field)])),
  }
}

function readAttribute(field: Fields): OnnxAttribute {
  return {
    type: field.int(20),
    ...(field.has(2) && { float: field.float(2) }),
    ...(field.has(3) && { int: BigInt.asIntN(64, field.varint(3)) }),
    ...(field.has(4) && { string: field.text(4) }),
    ...(field.has(8) && { ints: field.varints(8).map((value) => BigInt.asIntN(64, value)) }),
  }
}

function readTensor(tensor: Fields): OnnxTensor {
  return {
    name: tensor.text(8),
    type: tensor.int(2),
    dims: tensor.varints(1).map(Number),
    raw: tensor.has(9) ? tensor.bytes(9) : undefined,
    location: tensor.has(14) ? tensor.int(14) : 0,
    external: Object.fromEntries(tensor.each(13, (entry) => [entry.text(1), entry.text(2)])),
  }
}

function readValue(value: Fields): OnnxValue {
  const tensor = new Fields(new Fields(value.bytes(2)).bytes(1))
  const dims = tensor.has(2)
    ? new Fields(tensor.bytes(2)).each(1, (dim) => (dim.has(1) ? dim.int(1) : dim.text(2)))
    : undefined
  return { name: value.text(1), type: tensor.int(1), dims }
}

/** The fields of one message by number, each with its values in the order they stand in. */
class Fields {
  readonly #values = new Map<number, (bigint | Uint8Array)[]>()

  constructor(bytes: Uint8Array) {
    let at = 0
    const varint = (): bigint => {
      let value = 0n
      for (let shift = 0n; ; shift += 7n) {
        const byte = bytes[at++]
        if (byte === undefined || shift > 63n) throw new Error('a varint does not end')
        value |= BigInt(byte & 127) << shift
        if (byte < 128) return value
      }
    }
    const take = (length: number): Uint8Array => {
      if (at + length > bytes.length) throw new Error('a field is cut off')
      at += length
      return bytes.subarray(at - length, at)
    }
    while (at < bytes.length) {
      const tag = Number(varint())
      const wire = tag & 7
      if (wire !== 0 && wire !== 2 && wire !== 5) throw new Error(`wire type ${wire}`)
      const value = wire === 0 ? varint() : take(wire === 5 ? 4 : Number(varint()))
      this.#values.set(tag >> 3, [...(this.#values.get(tag >> 3) ?? []), value])
    }
  }

  has(field: number): boolean {
    return this.#values.has(field)
  }

  varints(field: number): bigint[] {
    return (this.#values.get(field) ?? []).map((value) => {
      if (typeof value !== 'bigint') throw new Error(`field ${field} is no varint`)
      return value
    })
  }

  varint(field: number): bigint {
    return onlyOf(this.varints(field), field)
  }

  int(field: number): number {
    return Number(this.varint(field))
  }

  float(field: number): number {
    const bytes = this.bytes(field)
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true)
  }

  bytes(field: number): Uint8Array {
    return onlyOf(this.#spans(field), field)
  }

  texts(field: number): string[] {
    return this.#spans(field).map((span) => new TextDecoder('utf-8', { fatal: true }).decode(span))
  }

  text(field: number): string {
    return onlyOf(this.texts(field), field)
  }

  each<X>(field: number, read: (message: Fields) => X): X[] {
    return this.#spans(field).map((span) => read(new Fields(span)))
  }

  #spans(field: number): Uint8Array[] {
    return (this.#values.get(field) ?? []).map((value) => {
      if (typeof value === 'bigint') throw new Error(`field ${field} is a varint`)
      return value
    })
  }
}

function onlyOf<X>(values: readonly X[], field: number): X {
  const [value, ...more] = values
  if (value === undefined || more.length > 0) throw new Error(`field ${field} stands ${values.length} times`)
  return value
}
