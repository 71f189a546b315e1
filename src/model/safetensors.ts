/** The header of a safetensors file: 8 bytes of length, that many bytes of JSON, then the tensors. Read and checked; no weight is. */
import type { FileHandle } from 'node:fs/promises'
import { realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import { ServerError, messageOf } from '../errors.ts'
import { openFile } from './open-file.ts'
import type { TensorDtype, TensorRef } from './spec.ts'

const ELEMENT_BYTES: Readonly<Record<TensorDtype, number>> = { F32: 4, F16: 2, BF16: 2, I8: 1, F8_E4M3: 1 }

/** The limit of the format's own reader. */
const MAX_HEADER_BYTES = 100_000_000

/** What git leaves in place of a large file begins so: no header has such a length. */
const LFS_POINTER = 'version '

/** A tensor of any dtype, as its file calls it. */
export interface RawTensor extends Omit<TensorRef, 'dtype'> {
  readonly dtype: string
}

/** What a file holds, by name: tensors that a graph can use, and others, such as tables of ids. */
export interface WeightFile {
  readonly tensors: Readonly<Record<string, TensorRef>>
  readonly unusable: Readonly<Record<string, RawTensor>>
}

/** Throws `model_invalid`, naming the file and the tensor, where header and file do not agree. */
export async function readSafetensors(path: string): Promise<WeightFile> {
  const file = await realpath(path)
  const handle = await openFile(file)
  try {
    const { size } = await handle.stat()
    const { header, dataStart } = await readHeader(handle, size, basename(path))
    return collectTensors(header, { file, name: basename(path), dataStart, size })
  } finally {
    await handle.close()
  }
}

async function readHeader(handle: FileHandle, size: number, name: string) {
  if (size < 8)
    throw invalid(name, `the file has ${size} bytes; a safetensors file starts with 8 bytes of header length`)
  const { buffer: prefix } = await handle.read(Buffer.alloc(8), 0, 8, 0)
  if (prefix.toString('latin1') === LFS_POINTER)
    throw invalid(name, 'it is a Git LFS pointer, which stands for a file that was not downloaded')
  const length = Number(prefix.readBigUInt64LE())
  if (length > size - 8) throw invalid(name, `its header claims ${length} bytes; the file has ${size} in all`)
  if (length > MAX_HEADER_BYTES)
    throw invalid(name, `its header claims ${length} bytes; at most ${MAX_HEADER_BYTES} are allowed`)
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, 8)
  try {
    const header: unknown = JSON.parse(buffer.toString('utf8'))
    if (typeof header !== 'object' || header === null || Array.isArray(header))
      throw new Error('it is not an object')
    return { header: header as Record<string, unknown>, dataStart: 8 + length }
  } catch (error) {
    throw invalid(name, `its header is not JSON: ${messageOf(error)}`)
  }
}

interface FileFacts {
  readonly file: string
  readonly name: string
  readonly dataStart: number
  readonly size: number
}

function collectTensors(header: Record<string, unknown>, facts: FileFacts): WeightFile {
  const tensors: Record<string, TensorRef> = {}
  const unusable: Record<string, RawTensor> = {}
  const ranges: { name: string; begin: number; end: number }[] = []
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const { dtype, shape, begin, end } = readEntry(entry, name, facts)
    if (facts.dataStart + end > facts.size) {
      throw invalid(
        facts.name,
        `tensor ${name} ends at byte ${facts.dataStart + end}; the file has ${facts.size} (is it truncated?)`,
      )
    }
    ranges.push({ name, begin, end })
    const place = { file: facts.file, byteOffset: facts.dataStart + begin, byteLength: end - begin }
    if (!isUsable(dtype)) {
      unusable[name] = { ...place, dtype, shape }
      continue
    }
    const byteLength = shape.reduce((product, dim) => product * dim, ELEMENT_BYTES[dtype])
    if (byteLength !== end - begin) {
      throw invalid(
        facts.name,
        `tensor ${name} [${shape.join(', ')}] ${dtype} takes ${byteLength} bytes; its range has ${end - begin}`,
      )
    }
    tensors[name] = { ...place, dtype, shape }
  }
  expectNoOverlap(ranges, facts.name)
  return { tensors, unusable }
}

function readEntry(entry: unknown, name: string, facts: FileFacts) {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>
  if (typeof dtype !== 'string' || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
    throw invalid(facts.name, `tensor ${name} has no dtype, shape and data_offsets`)
  }
  const [begin, end] = offsets as [number, number]
  if (begin > end) throw invalid(facts.name, `tensor ${name} begins at ${begin} and ends at ${end}`)
  return { dtype, shape, begin, end }
}

export function isUsable(dtype: string): dtype is TensorDtype {
  return Object.hasOwn(ELEMENT_BYTES, dtype)
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)
}

function expectNoOverlap(ranges: { name: string; begin: number; end: number }[], file: string): void {
  const sorted = ranges.filter(({ begin, end }) => end > begin).sort((a, b) => a.begin - b.begin)
  for (const [i, next] of sorted.entries()) {
    const previous = sorted[i - 1]
    if (previous !== undefined && next.begin < previous.end) {
      throw invalid(file, `tensors ${previous.name} and ${next.name} overlap at byte ${next.begin}`)
    }
  }
}

function invalid(file: string, what: string): ServerError {
  return new ServerError('model_invalid', `${file}: ${what}`)
}
