/** A safetensors file of random numbers, written in blocks: what it holds is never in memory as a whole. */
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { seededRandom } from '../random.ts'
import type { RandomTensor } from './tensors.ts'

export const WEIGHT_DTYPES = ['fp32', 'fp16', 'bf16'] as const
export type WeightDtype = (typeof WEIGHT_DTYPES)[number]

type Elements = Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>

interface Encoding {
  /** As safetensors calls it. */
  readonly name: string
  readonly bytes: number
  /** Bits of each number, rounded to the nearest. */
  readonly encode: (values: Float32Array<ArrayBuffer>) => Elements
}

const ENCODINGS: Readonly<Record<WeightDtype, Encoding>> = {
  fp32: { name: 'F32', bytes: 4, encode: (values) => new Uint32Array(values.buffer) },
  fp16: { name: 'F16', bytes: 2, encode: (values) => new Uint16Array(new Float16Array(values).buffer) },
  bf16: { name: 'BF16', bytes: 2, encode: encodeBfloat16 },
}

const BLOCK_ELEMENTS = 1 << 20
const TABLE_SIZE = 1 << 16

/** Writes the file; the same seed gives the same bytes. Resolves to the number of weights. */
export async function writeWeights(
  path: string,
  tensors: readonly RandomTensor[],
  { dtype, seed }: { dtype: WeightDtype; seed: number },
): Promise<number> {
  const encoding = ENCODINGS[dtype]
  const file = await open(path, 'wx')
  try {
    await writeAll(file, encodeHeader(tensors, encoding))
    const normals = drawNormals(seed)
    let count = 0
    for (const tensor of tensors) count += await writeTensor(file, tensor, { encoding, normals, seed })
    return count
  } finally {
    await file.close()
  }
}

/** Length, then JSON padded to eight bytes, so that the data that follows is aligned. */
function encodeHeader(tensors: readonly RandomTensor[], { name: dtype, bytes }: Encoding): Buffer {
  let end = 0
  const entries = tensors.map(({ name, shape }) => {
    const begin = end
    end += countOf(shape) * bytes
    return [name, { dtype, shape, data_offsets: [begin, end] }]
  })
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) })
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text])
}

interface Source {
  readonly encoding: Encoding
  readonly normals: Float32Array<ArrayBuffer>
  readonly seed: number
}

async function writeTensor(
  file: FileHandle,
  { name, shape, mean, spread }: RandomTensor,
  { encoding, normals, seed }: Source,
): Promise<number> {
  const count = countOf(shape)
  const table = encoding.encode(normals.map((normal) => mean + spread * normal))
  const fill = openFiller(table, hashOf(name, seed))
  const block = table.slice(0, Math.min(BLOCK_ELEMENTS, count))
  for (let left = count; left > 0; left -= block.length) {
    const part = block.subarray(0, Math.min(left, block.length))
    fill(part)
    await writeAll(file, new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
  }
  return count
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.length;) from += (await file.write(bytes, from)).bytesWritten
}

/** Numbers of a normal distribution, of which every weight is one: drawing an index is quick, drawing a normal is not. */
function drawNormals(seed: number): Float32Array<ArrayBuffer> {
  const random = seededRandom(seed)
  return Float32Array.from({ length: TABLE_SIZE }, () => {
    return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  })
}

/** Fills blocks with entries of a table of 2¹⁶: sfc32 (Chris Doty-Humphrey, public domain), two entries from each number. */
function openFiller(table: Elements, seed: number): (block: Elements) => void {
  let a = seed
  let b = 0x9e3779b9 | 0
  let c = 0x243f6a88
  let counter = 1
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum
  }
  // until every bit of the seed has reached every word
  for (let i = 0; i < 12; i++) next()
  return (block) => {
    for (let i = 0; i < block.length; i += 2) {
      const bits = next()
      block[i] = table[bits & 0xffff] as number
      // past the end of an odd block a typed array drops it
      block[i + 1] = table[bits >>> 16] as number
    }
  }
}

/** FNV-1a, so that a tensor has its numbers wherever in the file it stands. */
function hashOf(name: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}

function encodeBfloat16(values: Float32Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer)
  // half of the last place, less one where that place is even: ties go to even
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16)
}

function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}
