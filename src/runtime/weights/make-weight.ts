/** A weight recipe carried out: block by block, so that a weight of gigabytes takes 12 MB. */
import { closeSync, openSync, readSync } from 'node:fs'
import { ServerError } from '../../errors.ts'
import type { WeightRecipe } from '../../graph/ir.ts'
import type { Matrix } from '../../graph/matrix.ts'
import { TENSOR_DTYPES } from '../../graph/recipe.ts'
import type { TensorRef } from '../../model/spec.ts'
import { Overflow } from '../overflow.ts'
import { STORED_BYTES, hasNonFinite, narrow, widen } from './convert.ts'
import type { Scale } from './scale-numbers.ts'
import { scaleNumbers } from './scale-numbers.ts'
import { gatherRows, spanLength } from './strides.ts'

/** Numbers of a block: three buffers of it are held, of at most four bytes a number. */
const BLOCK = 1 << 20
/** Bytes of one read: the system takes 2 GB at most. */
const MAX_READ = 1 << 30

export class WeightMaker {
  readonly #stored = new ArrayBuffer(4 * BLOCK)
  readonly #floats = new Float32Array(BLOCK)
  readonly #made = new ArrayBuffer(4 * BLOCK)
  readonly #files = new Map<string, number>()
  #span: { readonly values: TensorRef; readonly bytes: Uint8Array<ArrayBuffer> } | undefined

  /** Hands the bytes to `write` in their order; a block is valid until `write` returns. Throws `Overflow` or `load_failed`. */
  make(recipe: WeightRecipe, write: (bytes: Uint8Array) => void): void {
    const scales = new Map(recipe.parts.map((part) => [part, this.#readScale(part)]))
    for (const { part, fromRow, rowCount } of turnsOf(recipe)) {
      const { values } = part
      const columns = columnsOf(values)
      const end = (fromRow + rowCount) * columns
      for (let from = fromRow * columns; from < end; from += BLOCK) {
        const count = Math.min(BLOCK, end - from)
        this.#read(values, from, count)
        write(this.#convert(recipe, values, { from, count, columns, scale: scales.get(part) }))
      }
    }
  }

  close(): void {
    for (const file of this.#files.values()) closeSync(file)
    this.#files.clear()
    this.#span = undefined
  }

  #convert(recipe: WeightRecipe, values: TensorRef, block: Block): Uint8Array {
    const { dtype, plusOne = false } = recipe
    const { from, count, columns, scale } = block
    // The very bits are kept where nothing is to be computed.
    if (TENSOR_DTYPES[values.dtype] === dtype && !plusOne)
      return new Uint8Array(this.#stored, 0, count * STORED_BYTES[values.dtype])
    const floats = widen(this.#stored, values.dtype, count, this.#floats)
    if (scale !== undefined) scaleNumbers(floats, from, columns, scale)
    if (plusOne) for (let i = 0; i < count; i++) floats[i] = (floats[i] as number) + 1
    const bytes = narrow(floats, dtype, this.#made)
    if (dtype === 'f16' && hasNonFinite(bytes))
      throw new Overflow(`a weight in ${values.file} is beyond ±65504, the range of fp16`)
    return bytes
  }

  #readScale({ scale, blocks }: Matrix): Scale | undefined {
    if (scale === undefined) return undefined
    return { numbers: this.#readAll(scale), beside: scale.shape[1] as number, blocks }
  }

  /** As float32. */
  #readAll(scale: TensorRef): Float32Array {
    const count = scale.byteLength / STORED_BYTES[scale.dtype]
    const all = new Float32Array(count)
    for (let from = 0; from < count; from += BLOCK) {
      const some = Math.min(BLOCK, count - from)
      this.#read(scale, from, some)
      all.set(widen(this.#stored, scale.dtype, some, this.#floats), from)
    }
    return all
  }

  #read(values: TensorRef, from: number, count: number): void {
    const { file, byteOffset, dtype } = values
    const size = STORED_BYTES[dtype]
    if (values.strides === undefined)
      this.#fill(file, byteOffset + from * size, new Uint8Array(this.#stored, 0, count * size))
    else gatherRows(this.#spanOf(values), values, { from, count, to: this.#stored })
  }

  /** Of a tensor with strides, all bytes from its first number to its last: it is read once, and its blocks come from there. */
  #spanOf(values: TensorRef): Uint8Array<ArrayBuffer> {
    if (this.#span?.values !== values) {
      const bytes = new Uint8Array(spanLength(values))
      this.#fill(values.file, values.byteOffset, bytes)
      this.#span = { values, bytes }
    }
    return this.#span.bytes
  }

  #fill(file: string, position: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const read = this.#readSome(file, bytes.subarray(done, done + MAX_READ), position + done)
      if (read === 0)
        throw new ServerError('load_failed', `${file} ends before byte ${position + bytes.length}`)
      done += read
    }
  }

  #readSome(file: string, bytes: Uint8Array, position: number): number {
    try {
      const open = this.#files.get(file) ?? openSync(file, 'r')
      this.#files.set(file, open)
      return readSync(open, bytes, 0, bytes.length, position)
    } catch (error) {
      // Not to be taken for a failure to write.
      throw new ServerError('load_failed', `${file} cannot be read: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
}

interface Block {
  /** Place of the first number in its tensor. */
  readonly from: number
  readonly count: number
  readonly columns: number
  readonly scale: Scale | undefined
}

interface Turn {
  readonly part: Matrix
  readonly fromRow: number
  readonly rowCount: number
}

/** Blocks of rows in the order in which the weight has them. */
function* turnsOf({ parts, turnRows }: WeightRecipe): Generator<Turn> {
  if (turnRows === undefined) {
    for (const part of parts) yield { part, fromRow: 0, rowCount: part.values.shape[0] as number }
    return
  }
  const rows = parts[0]?.values.shape[0] as number
  for (let fromRow = 0; fromRow < rows; fromRow += turnRows)
    for (const part of parts) yield { part, fromRow, rowCount: turnRows }
}

function columnsOf({ shape }: TensorRef): number {
  return shape.slice(1).reduce((product, size) => product * size, 1)
}
