import { basename } from 'node:path'
import { ServerError, messageOf } from '../errors.ts'
import { openFile } from './open-file.ts'
import type { RawTensor } from './safetensors.ts'

interface NumberReader {
  readonly bytes: number
  readonly view: (buffer: ArrayBuffer) => ArrayLike<number | bigint>
}

const READERS: Readonly<Record<string, NumberReader>> = {
  I32: { bytes: 4, view: (buffer) => new Int32Array(buffer) },
  I64: { bytes: 8, view: (buffer) => new BigInt64Array(buffer) },
  F16: { bytes: 2, view: (buffer) => new Float16Array(buffer) },
  BF16: { bytes: 2, view: widen },
  F32: { bytes: 4, view: (buffer) => new Float32Array(buffer) },
  F64: { bytes: 8, view: (buffer) => new Float64Array(buffer) },
}

/**
 * The numbers of a vector that no graph holds, as lookup tables are; `what`: how errors call it. Throws `model_unsupported` for
 * another dtype, `model_invalid` where it is no vector or its file is cut short.
 */
export async function readNumbers(
  { file, byteOffset, byteLength, dtype, shape, strides }: RawTensor,
  what: string,
): Promise<Float64Array> {
  const reader = Object.hasOwn(READERS, dtype) ? READERS[dtype] : undefined
  if (reader === undefined) {
    const known = Object.keys(READERS).join(', ')
    throw new ServerError('model_unsupported', `${what} is ${dtype}; supported are ${known}`)
  }
  if (shape.length !== 1 || byteLength !== (shape[0] ?? 0) * reader.bytes) {
    throw new ServerError(
      'model_invalid',
      `${what} [${shape.join(', ')}] is no vector of ${byteLength} bytes of ${dtype}`,
    )
  }
  const [count = 0, step = 1] = [shape[0], strides?.[0]]
  const span = count === 0 ? 0 : ((count - 1) * step + 1) * reader.bytes
  const numbers = reader.view(await readBytes(file, byteOffset, span))
  return Float64Array.from({ length: count }, (_, i) => Number(numbers[i * step]))
}

async function readBytes(file: string, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(byteLength)
  const handle = await openFile(file)
  try {
    const { bytesRead } = await handle.read(bytes, 0, byteLength, byteOffset)
    if (bytesRead < byteLength) throw new Error(`it ends after ${byteOffset + bytesRead} bytes`)
  } catch (error) {
    throw new ServerError('model_invalid', `${basename(file)} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  } finally {
    await handle.close()
  }
  return bytes.buffer
}

/** bfloat16 is the upper half of float32. */
function widen(buffer: ArrayBuffer): Float32Array {
  const words = Uint32Array.from(new Uint16Array(buffer), (half) => half << 16)
  return new Float32Array(words.buffer)
}
