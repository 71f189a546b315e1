/** Writes the safetensors format after its own description: 8 bytes of header length, JSON, tensor bytes. */

export interface RawTensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export function safetensors(tensors: Readonly<Record<string, RawTensor>>): Uint8Array {
  const header: Record<string, object> = { __metadata__: { format: 'pt' } }
  let offset = 0
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] }
    offset += bytes.length
  }
  return withHeader(
    header,
    Object.values(tensors).map(({ bytes }) => bytes),
  )
}

/** A file with any header at all: an object is written as JSON, text as it stands. */
export function withHeader(header: unknown, data: readonly Uint8Array[] = []): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  return Buffer.concat([headerLength(json.length), json, ...data])
}

export function headerLength(length: number | bigint): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(length))
  return bytes
}

export function floats(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer)
}

/** A float32 tensor of ones. */
export function ones(...shape: readonly number[]): RawTensor {
  const count = shape.reduce((product, dim) => product * dim, 1)
  return { dtype: 'F32', shape, bytes: floats(...Array<number>(count).fill(1)) }
}
