import { setImmediate } from 'node:timers/promises'
import { shortenFloat32 } from '../base/float-text.ts'

export type VectorEncoding = 'float' | 'base64'

/** Numbers converted before other work gets its turn: a few milliseconds. */
const NUMBERS_A_TURN = 16_384

/** [N, D] as N entries: numbers whose JSON text is the shortest of each float32, or base64 of little-endian float32. */
export async function encodeVectors(
  vectors: Float32Array,
  dimensions: number,
  encoding: VectorEncoding,
): Promise<(number[] | string)[]> {
  const encoded: (number[] | string)[] = []
  let converted = 0
  for (let start = 0; start < vectors.length; start += dimensions) {
    const vector = vectors.subarray(start, start + dimensions)
    encoded.push(encoding === 'base64' ? toBase64(vector) : Array.from(vector, shortenFloat32))
    converted += dimensions
    if (converted < NUMBERS_A_TURN) continue
    converted = 0
    await setImmediate()
  }
  return encoded
}

/** Every machine that Node 26 and ONNX Runtime run on is little-endian. */
function toBase64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
}
