/** What an exported model says of itself: its inputs, its outputs, and the files that its weights lie in. No weight is read. */
import { open } from 'node:fs/promises'
import { ServerError } from '../errors.ts'
import { ELEMENTS, ENTRY, GRAPH, MOST_DEEP, NESTED, TENSOR } from './onnx-messages.ts'
import type { OnnxMessage } from './onnx-messages.ts'
import { BYTES, ProtobufFile, VARINT } from './protobuf-file.ts'
import type { Field } from './protobuf-file.ts'
import type { ExportedValue } from './exported-spec.ts'

export interface OnnxFacts {
  /** What must be fed: without those that have a value of their own. */
  readonly inputs: readonly ExportedValue[]
  readonly outputs: readonly ExportedValue[]
  /** Files besides, as the model names them. */
  readonly locations: readonly string[]
  /** Bytes of the graph's weights, by their type. */
  readonly stored: Readonly<Record<string, number>>
}

const MOST_NAME = 4096
/** Inputs, outputs, their dimensions, files: no model has a tenth. */
const MOST_LISTED = 10_000

/** `name`: what errors call the file. Throws `model_invalid` where it is no sound ONNX file. */
export async function readOnnx(path: string, name: string): Promise<OnnxFacts> {
  return withOnnx(path, name, async (file) => {
    const reader = new OnnxReader(file)
    await reader.read('model', 0, file.size, 0)
    return reader.facts()
  })
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

/** `key` of a tensor's entry, and the field of its value. */
export async function readEntry(
  file: ProtobufFile,
  { start, end }: Pick<Field, 'start' | 'end'>,
): Promise<{ key: string; value: Field | undefined }> {
  let key = ''
  let value: Field | undefined
  for await (const field of file.fields(start, end)) {
    if (field.number === ENTRY.key) key = await file.text(field, MOST_NAME)
    if (field.number === ENTRY.value) value = field
  }
  return { key, value }
}

/** Where a tensor's bytes are, by its entry; undefined for an entry of something else. */
async function readLocation(file: ProtobufFile, entry: Field): Promise<string | undefined> {
  const { key, value } = await readEntry(file, entry)
  if (key !== 'location') return undefined
  return value === undefined ? '' : file.text(value, MOST_NAME)
}

class OnnxReader {
  readonly #file: ProtobufFile
  readonly #inputs: ExportedValue[] = []
  readonly #outputs: ExportedValue[] = []
  readonly #initialized = new Set<string>()
  readonly #locations = new Set<string>()
  readonly #stored: Record<string, number> = {}
  #hasGraph = false

  constructor(file: ProtobufFile) {
    this.#file = file
  }

  async read(message: OnnxMessage, start: number, end: number, depth: number): Promise<void> {
    if (depth > MOST_DEEP) throw this.#file.invalid(`its messages are more than ${MOST_DEEP} deep`)
    // Graphs within the model's own have inputs and weights that are nobody's business.
    const isMain = message === 'graph' && depth === 1
    for await (const field of this.#file.fields(start, end)) {
      const inner = nestedIn(message, field)
      if (isMain) await this.#readMain(field)
      if (inner === 'graph' && depth === 0) this.#hasGraph = true
      if (inner === 'entry') await this.#readEntry(field)
      else if (inner !== undefined) await this.read(inner, field.start, field.end, depth + 1)
    }
  }

  /** Throws `model_invalid` where the file is empty of a graph. */
  facts(): OnnxFacts {
    if (!this.#hasGraph) throw this.#file.invalid('it has no graph')
    return {
      inputs: this.#inputs.filter(({ name }) => !this.#initialized.has(name)),
      outputs: this.#outputs,
      locations: [...this.#locations],
      stored: this.#stored,
    }
  }

  async #readMain(field: Field): Promise<void> {
    if (field.wire !== BYTES) return
    if (field.number === GRAPH.input) this.#inputs.push(await this.#readValue(field))
    if (field.number === GRAPH.output) this.#outputs.push(await this.#readValue(field))
    if (field.number === GRAPH.initializer) await this.#readWeight(field)
    if (this.#inputs.length + this.#outputs.length > MOST_LISTED)
      throw this.#file.invalid(`it has more than ${MOST_LISTED} inputs and outputs`)
  }

  async #readEntry(entry: Field): Promise<void> {
    const location = await readLocation(this.#file, entry)
    if (location !== undefined) this.#locations.add(location)
    if (this.#locations.size > MOST_LISTED)
      throw this.#file.invalid(`its weights are in more than ${MOST_LISTED} files`)
  }

  async #readWeight({ start, end }: Field): Promise<void> {
    let count = 1
    let type = 0
    for await (const field of this.#file.fields(start, end)) {
      if (field.number === TENSOR.name) this.#initialized.add(await this.#file.text(field, MOST_NAME))
      if (field.number === TENSOR.type && field.wire === VARINT) type = field.value
      if (field.number === TENSOR.dims) count *= await this.#productOf(field)
    }
    const [name, bits] = ELEMENTS[type] ?? [`type ${type}`, 0]
    this.#stored[name] = (this.#stored[name] ?? 0) + (count * bits) / 8
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
