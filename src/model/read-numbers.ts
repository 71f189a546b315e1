import { open } from 'node:fs/promises'
import { ServerError, messageOf } from '../errors.ts'
import type { TensorRef } from './spec.ts'

/** The numbers of a small tensor as float32. Throws `model_invalid` where the file is cut short. */
export async function readNumbers({ file, byteOffset, byteLength, dtype }: TensorRef): Promise<Float32Array> {
  const bytes = new Uint8Array(byteLength)
  const handle = await open(file, 'r')
  try {
    const { bytesRead } = await handle.read(bytes, 0, byteLength, byteOffset)
    if (bytesRead < byteLength) throw new Error(`it ends after ${byteOffset + bytesRead} bytes`)
  } catch (error) {
    throw new ServerError('model_invalid', `${file} cannot be read: ${messageOf(error)}`, { cause: error })
  } finally {
    await handle.close()
  }
  if (dtype === 'F32') return new Float32Array(bytes.buffer)
  if (dtype === 'F16') return Float32Array.from(new Float16Array(bytes.buffer))
  if (dtype === 'BF16') return widen(new Uint16Array(bytes.buffer))
  throw new ServerError('model_invalid', `${file}: a tensor is ${dtype}; it must be F32, F16 or BF16`)
}

/** bfloat16 is the upper half of float32. */
function widen(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half * 65_536).buffer)
}
