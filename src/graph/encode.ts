/** The graph as an ONNX ModelProto: protocol buffers, onnx.proto of ONNX 1.19, written by hand because we need ten messages. */
import { ServerError } from '../errors.ts'
import type { TensorRef } from '../model/spec.ts'
import { isInt8Recipe } from './int8-recipe.ts'
import type { Attribute, Graph, GraphNode, Initializer, Value } from './ir.ts'
import { ONNX_TYPES } from './ir.ts'
import { OPERATORS } from './ops.ts'
import { isRecipe } from './recipe.ts'

const IR_VERSION = 10
const OPSETS = [
  { domain: '', version: 21 },
  { domain: 'com.microsoft', version: 1 },
]
const EXTERNAL = 1
const ATTRIBUTE_FLOAT = 1
const ATTRIBUTE_INT = 2
const ATTRIBUTE_STRING = 3
const ATTRIBUTE_INTS = 7

/**
 * Serialized ModelProto. Tensors of files are external data whose location is the absolute path without its leading
 * slash: the session must be told that external data lies in `/`.
 */
export function encodeGraph(graph: Graph): Uint8Array<ArrayBuffer> {
  const model = new Message()
  model.int(1, IR_VERSION)
  model.text(2, 'runpod-worker-embeddings')
  model.message(7, (proto) => {
    for (const node of graph.nodes) proto.message(1, (message) => writeNode(message, node))
    proto.text(2, 'model')
    for (const initializer of graph.initializers)
      proto.message(5, (message) => writeInitializer(message, initializer))
    for (const value of graph.inputs) proto.message(11, (message) => writeValueInfo(message, value))
    for (const value of graph.outputs) proto.message(12, (message) => writeValueInfo(message, value))
  })
  for (const { domain, version } of OPSETS) {
    model.message(8, (opset) => {
      opset.text(1, domain)
      opset.int(2, version)
    })
  }
  return model.bytes()
}

function writeNode(message: Message, node: GraphNode): void {
  // Left out rather than empty where nothing follows: LayerNormalization reads a last input that has no name, and crashes.
  const inputs = node.inputs.slice(0, 1 + node.inputs.findLastIndex((name) => name !== ''))
  for (const input of inputs) message.text(1, input)
  for (const output of node.outputs) message.text(2, output.name)
  message.text(3, node.outputs[0]?.name ?? '')
  message.text(4, node.op)
  for (const [name, attribute] of Object.entries(node.attributes)) {
    message.message(5, (proto) => writeAttribute(proto, name, attribute))
  }
  message.text(7, OPERATORS[node.op]?.domain ?? '')
}

function writeAttribute(message: Message, name: string, attribute: Attribute): void {
  message.text(1, name)
  if ('float' in attribute) {
    message.float(2, attribute.float)
    message.int(20, ATTRIBUTE_FLOAT)
  } else if ('int' in attribute) {
    message.int(3, attribute.int)
    message.int(20, ATTRIBUTE_INT)
  } else if ('string' in attribute) {
    message.text(4, attribute.string)
    message.int(20, ATTRIBUTE_STRING)
  } else {
    for (const value of attribute.ints) message.int(8, value)
    message.int(20, ATTRIBUTE_INTS)
  }
}

function writeInitializer(message: Message, { value, source }: Initializer): void {
  for (const dim of value.shape) message.int(1, Number(dim))
  message.int(2, ONNX_TYPES[value.dtype])
  message.text(8, value.name)
  if (source instanceof Uint8Array) message.raw(9, source)
  else if (isRecipe(source) || isInt8Recipe(source))
    throw new ServerError('graph_invalid', `the numbers of ${value.name} have not been made yet`)
  else writeLocation(message, source)
}

function writeLocation(message: Message, ref: TensorRef): void {
  const entries = { location: ref.file.replace(/^\//, ''), offset: ref.byteOffset, length: ref.byteLength }
  for (const [key, value] of Object.entries(entries)) {
    message.message(13, (entry) => {
      entry.text(1, key)
      entry.text(2, String(value))
    })
  }
  message.int(14, EXTERNAL)
}

function writeValueInfo(message: Message, value: Value): void {
  message.text(1, value.name)
  message.message(2, (type) =>
    type.message(1, (tensor) => {
      tensor.int(1, ONNX_TYPES[value.dtype])
      tensor.message(2, (shape) => {
        for (const dim of value.shape) {
          shape.message(1, (message) =>
            typeof dim === 'number' ? message.int(1, dim) : message.text(2, dim),
          )
        }
      })
    }),
  )
}

const VARINT = 0
const LENGTH_DELIMITED = 2
const FIXED32 = 5

/** A protocol buffers message under construction. */
class Message {
  readonly #parts: Uint8Array[] = []
  #length = 0

  /** int32, int64 and enum fields; a negative value takes ten bytes, as the format asks. */
  int(field: number, value: number): void {
    this.#varint(BigInt((field << 3) | VARINT))
    this.#varint(BigInt.asUintN(64, BigInt(value)))
  }

  float(field: number, value: number): void {
    this.#varint(BigInt((field << 3) | FIXED32))
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setFloat32(0, value, true)
    this.#append(bytes)
  }

  text(field: number, value: string): void {
    this.raw(field, new TextEncoder().encode(value))
  }

  raw(field: number, bytes: Uint8Array): void {
    this.#varint(BigInt((field << 3) | LENGTH_DELIMITED))
    this.#varint(BigInt(bytes.length))
    this.#append(bytes)
  }

  message(field: number, write: (message: Message) => void): void {
    const inner = new Message()
    write(inner)
    this.raw(field, inner.bytes())
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#length)
    let offset = 0
    for (const part of this.#parts) {
      all.set(part, offset)
      offset += part.length
    }
    return all
  }

  #varint(value: bigint): void {
    const bytes: number[] = []
    let rest = value
    while (rest >= 128n) {
      bytes.push(Number(rest & 127n) | 128)
      rest >>= 7n
    }
    bytes.push(Number(rest))
    this.#append(Uint8Array.from(bytes))
  }

  #append(bytes: Uint8Array): void {
    this.#parts.push(bytes)
    this.#length += bytes.length
  }
}
