/** What an exported model says of itself: its inputs, its outputs, and the files that its weights lie in. No weight is read. */
import { open } from 'node:fs/promises'
import { ServerError } from '../errors.ts'
import { ELEMENTS, ENTRY, GRAPH, MOST_DEEP, NESTED, SINGLE, TENSOR } from './onnx-messages.ts'
import type { OnnxMessage } from './onnx-messages.ts'
import { BYTES, ProtobufFile, VARINT } from './protobuf-file.ts'
import type { Field } from './protobuf-file.ts'
import type { ExportedValue } from './exported-spec.ts'

export interface OnnxFacts {
  /** What must be fed: without those that have a value of their own. */
  readonly inputs: readonly ExportedValue[]
  readonly outputs: readonly ExportedValue[]
  /** Files besides, as the model names them, and how many bytes of each it takes. */
  readonly locations: ReadonlyMap<string, number>
  /** Bytes of the graph's weights, by their type. */
  readonly stored: Readonly<Record<string, number>>
}

const MOST_NAME = 4096
/** Inputs, outputs, their dimensions, files: no model has a tenth. */
const MOST_LISTED = 10_000

/** `name`: what errors call the file. Throws `model_invalid` where it is no sound ONNX file. */
export async function readOnnx(path: string, name: string): Promise<OnnxFacts> {
  return withOnnx(path, name, readFacts)
}

/** Throws `model_invalid` where the file is no sound ONNX file. */
export async function readFacts(file: ProtobufFile): Promise<OnnxFacts> {
  const reader = new OnnxReader(file)
  await reader.read('model', { start: 0, end: file.size }, 0)
  return reader.facts()
}

/** Hands the open file to `work`. */
export async function withOnnx<T>(
  path: string,
  name: string,
  work: (file: ProtobufFile) => Promise<T>,
): Promise<T> {
  const handle = await open(path).catch((error: unknown) => {
    throw new ServerError('model_invalid', `${name} cannot be read`, { cause: error })
  })
  try {
    return await work(new ProtobufFile(handle, (await handle.stat()).size, name))
  } finally {
    await handle.close()
  }
}

/** The message that a field leads to, if tensors may stand there. */
export function nestedIn(message: OnnxMessage, { number, wire }: Field): OnnxMessage | undefined {
  return wire === BYTES ? NESTED[message][number] : undefined
}

export type Range = Pick<Field, 'start' | 'end'>

/** The fields of a message. Throws `model_invalid` where one stands twice that must not. */
export async function* fieldsOf(
  file: ProtobufFile,
  message: OnnxMessage,
  { start, end }: Range,
): AsyncGenerator<Field> {
  const seen = new Set<number>()
  for await (const field of file.fields(start, end)) {
    const { number, begin } = field
    if (seen.has(number))
      throw file.invalid(`byte ${begin} begins field ${number} of one ${message} for the second time`)
    if (SINGLE[message].includes(number)) seen.add(number)
    yield field
  }
}

/** `key` of a tensor's entry, and the field of its value. */
export async function readEntry(
  file: ProtobufFile,
  entry: Range,
): Promise<{ key: string; value: Field | undefined }> {
  let key = ''
  let value: Field | undefined
  for await (const field of fieldsOf(file, 'entry', entry)) {
    if (field.number === ENTRY.key) key = await file.text(field, MOST_NAME)
    if (field.number === ENTRY.value) value = field
  }
  return { key, value }
}

/** Keys of the entries that say where a tensor's bytes are. ONNX Runtime knows others, which only it writes. */
export const PLACE_KEYS: readonly string[] = ['location', 'offset', 'length']

class OnnxReader {
  readonly #file: ProtobufFile
  readonly #inputs: ExportedValue[] = []
  readonly #outputs: ExportedValue[] = []
  readonly #initialized = new Set<string>()
  readonly #locations = new Map<string, number>()
  readonly #stored: Record<string, number> = {}
  #hasGraph = false

  constructor(file: ProtobufFile) {
    this.#file = file
  }

  async read(message: OnnxMessage, range: Range, depth: number): Promise<void> {
    if (depth > MOST_DEEP) throw this.#file.invalid(`its messages are more than ${MOST_DEEP} deep`)
    // Graphs within the model's own have inputs and weights that are nobody's business.
    const isMain = message === 'graph' && depth === 1
    for await (const field of fieldsOf(this.#file, message, range)) {
      const inner = nestedIn(message, field)
      if (isMain) await this.#readMain(field)
      if (inner === 'graph' && depth === 0) this.#hasGraph = true
      if (inner === 'tensor') await this.#readTensor(field, isMain && field.number === GRAPH.initializer)
      else if (inner !== undefined) await this.read(inner, field, depth + 1)
    }
  }

  /** Throws `model_invalid` where the file is empty of a graph. */
  facts(): OnnxFacts {
    if (!this.#hasGraph) throw this.#file.invalid('it has no graph')
    return {
      inputs: this.#inputs.filter(({ name }) => !this.#initialized.has(name)),
      outputs: this.#outputs,
      locations: this.#locations,
      stored: this.#stored,
    }
  }

  async #readMain(field: Field): Promise<void> {
    if (field.wire !== BYTES) return
    if (field.number === GRAPH.input) this.#inputs.push(await this.#readValue(field))
    if (field.number === GRAPH.output) this.#outputs.push(await this.#readValue(field))
    if (this.#inputs.length + this.#outputs.length > MOST_LISTED)
      throw this.#file.invalid(`it has more than ${MOST_LISTED} inputs and outputs`)
  }

  async #readTensor(tensor: Field, isWeight: boolean): Promise<void> {
    const places = new Map<string, string>()
    let count = 1
    let type = 0
    for await (const field of fieldsOf(this.#file, 'tensor', tensor)) {
      if (field.number === TENSOR.name && isWeight)
        this.#initialized.add(await this.#file.text(field, MOST_NAME))
      if (field.number === TENSOR.type && field.wire === VARINT) type = field.value
      if (field.number === TENSOR.dims) count *= await this.#productOf(field)
      if (nestedIn('tensor', field) === 'entry') await this.#readPlace(field, places)
    }
    const [name, bits] = ELEMENTS[type] ?? [`type ${type}`, 0]
    const bytes = (count * bits) / 8
    if (isWeight) this.#stored[name] = (this.#stored[name] ?? 0) + bytes
    this.#noteData(places, Math.ceil(bytes))
  }

  async #readPlace(entry: Field, places: Map<string, string>): Promise<void> {
    const { key, value } = await readEntry(this.#file, entry)
    if (!PLACE_KEYS.includes(key)) return
    if (places.has(key)) throw this.#file.invalid(`a tensor at byte ${entry.begin} has a second ${key}`)
    places.set(key, value === undefined ? '' : await this.#file.text(value, MOST_NAME))
  }

  /** `bytes`: of a tensor whose entries do not say how many it has. */
  #noteData(places: ReadonlyMap<string, string>, bytes: number): void {
    const location = places.get('location')
    if (location === undefined) return
    const [offset = 0, length = bytes] = ['offset', 'length'].map((key) => {
      const text = places.get(key)
      if (text === undefined || /^\d{1,15}$/.test(text)) return text === undefined ? text : Number(text)
      throw this.#file.invalid(
        `a tensor in ${JSON.stringify(location)} has the ${key} ${JSON.stringify(text)}; a whole number from 0 is needed`,
      )
    })
    this.#locations.set(location, Math.max(this.#locations.get(location) ?? 0, offset + length))
    if (this.#locations.size > MOST_LISTED)
      throw this.#file.invalid(`its weights are in more than ${MOST_LISTED} files`)
  }

  /** Dimensions stand one by one, or joined. */
  async #productOf({ wire, value, start, end }: Field): Promise<number> {
    if (wire === VARINT) return value
    let product = 1
    for (const size of varintsOf(await this.#file.bytes(start, Math.min(end - start, MOST_NAME))))
      product *= size
    return product
  }

  /** ValueInfoProto: name 1, type 2, of which a tensor's is 1. */
  async #readValue(value: Field): Promise<ExportedValue> {
    let name = ''
    let fact: Omit<ExportedValue, 'name'> = { type: 'unknown', shape: undefined }
    for await (const field of this.#file.fields(value.start, value.end)) {
      if (field.number === 1) name = await this.#file.text(field, MOST_NAME)
      if (field.number !== 2) continue
      for await (const kind of this.#file.fields(field.start, field.end))
        fact = kind.number === 1 ? await this.#readType(kind) : { type: 'no tensor', shape: undefined }
    }
    return { name, ...fact }
  }

  /** TypeProto.Tensor: elem_type 1, shape 2. */
  async #readType(tensor: Field): Promise<Omit<ExportedValue, 'name'>> {
    let type = 'unknown'
    let shape: ExportedValue['shape']
    for await (const field of this.#file.fields(tensor.start, tensor.end)) {
      if (field.number === 1) type = ELEMENTS[field.value]?.[0] ?? `type ${field.value}`
      if (field.number === 2) shape = await this.#readShape(field)
    }
    return { type, shape }
  }

  /** TensorShapeProto: dim 1, of which a number is 1. */
  async #readShape(shape: Field): Promise<(number | undefined)[]> {
    const dims: (number | undefined)[] = []
    for await (const { start, end } of this.#file.fields(shape.start, shape.end)) {
      let size: number | undefined
      for await (const { number, value } of this.#file.fields(start, end)) if (number === 1) size = value
      dims.push(size)
      if (dims.length > MOST_LISTED)
        throw this.#file.invalid(`a shape has more than ${MOST_LISTED} dimensions`)
    }
    return dims
  }
}

function* varintsOf(bytes: Uint8Array): Generator<number> {
  let value = 0
  let scale = 1
  for (const byte of bytes) {
    value += (byte & 0x7f) * scale
    scale *= 0x80
    if (byte >= 0x80) continue
    yield value
    value = 0
    scale = 1
  }
}
