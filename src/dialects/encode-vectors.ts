/** Vectors as clients ask for them: numbers or base64, float32 or quantized. */
import { setImmediate } from 'node:timers/promises'

/**
 * What the entries of a list of embeddings are.
 *
 * - `float`: float32.
 * - `int8`: round(127 · x / max|x|), the maximum over this vector; a zero vector is zeros. With a scale of its own, a text's
 *   numbers are the same whatever else the request holds, and its direction is kept within half a step. Its length is not:
 *   compare such vectors by cosine.
 * - `uint8`: that + 128.
 * - `ubinary`: a bit for each number, set where x > 0, the first in the most significant bit, the last byte filled with
 *   zeros (as `np.packbits` does).
 * - `binary`: that - 128, as int8.
 */
export interface VectorFormat {
  readonly dtype: 'float' | 'int8' | 'uint8' | 'binary' | 'ubinary'
  /** The bytes as base64 text, of little-endian float32 for `float`. */
  readonly base64: boolean
}

/** In base64, a string. */
export type EncodedVector = Float32Array | Int8Array | Uint8Array | string

/** Numbers converted before other work gets its turn: a millisecond or two. */
const NUMBERS_A_TURN = 65_536

/** [N, D] as N entries. Those of `float` are views of `vectors`. */
export async function encodeVectors(
  vectors: Float32Array,
  dimensions: number,
  format: VectorFormat,
): Promise<EncodedVector[]> {
  const quantize = QUANTIZERS[format.dtype]
  const encoded: EncodedVector[] = []
  let converted = 0
  for (let start = 0; start < vectors.length; start += dimensions) {
    const vector = quantize(vectors.subarray(start, start + dimensions))
    encoded.push(format.base64 ? toBase64(vector) : vector)
    converted += dimensions
    if (converted < NUMBERS_A_TURN) continue
    converted = 0
    await setImmediate()
  }
  return encoded
}

type Bytes = Int8Array | Uint8Array

const QUANTIZERS: Readonly<Record<VectorFormat['dtype'], (vector: Float32Array) => Float32Array | Bytes>> = {
  float: (vector) => vector,
  int8: (vector) => scale(vector, new Int8Array(vector.length), 0),
  uint8: (vector) => scale(vector, new Uint8Array(vector.length), 128),
  binary: (vector) => packBits(vector, new Int8Array(Math.ceil(vector.length / 8)), 128),
  ubinary: (vector) => packBits(vector, new Uint8Array(Math.ceil(vector.length / 8)), 0),
}

function scale(vector: Float32Array, into: Bytes, zero: number): Bytes {
  let largest = 0
  for (const number of vector) {
    const size = Math.abs(number)
    if (size > largest) largest = size
  }
  if (largest === 0) return into.fill(zero)
  for (let d = 0; d < vector.length; d++) {
    into[d] = Math.round((127 * (vector[d] as number)) / largest) + zero
  }
  return into
}

function packBits(vector: Float32Array, into: Bytes, zero: number): Bytes {
  for (let index = 0; index < into.length; index++) {
    let byte = 0
    for (let d = 8 * index; d < 8 * index + 8; d++) byte = 2 * byte + ((vector[d] ?? 0) > 0 ? 1 : 0)
    into[index] = byte - zero
  }
  return into
}

/** Every machine that Node 26 and ONNX Runtime run on is little-endian. */
function toBase64(vector: Float32Array | Bytes): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
}
