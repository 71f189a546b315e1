import { setImmediate } from 'node:timers/promises'
import type { NumberArray } from './number-array.ts'
import { FLOAT32_ROOM, writeFloat32 } from './write-float32.ts'
import { writeInteger } from './write-integer.ts'

const LEAST_PIECE_BYTES = 16_384
const MOST_PIECE_BYTES = 262_144
/** Numbers for which room is made at once. */
const BLOCK_NUMBERS = 128
/** Copied before other work gets its turn: about a millisecond, for the memory is new. */
const BYTES_A_TURN = 2_097_152

const COMMA = 0x2c

/** JSON that grows, in pieces: nothing is copied before all is there. */
export class JsonBytes {
  readonly #pieces: Buffer[] = []
  #piece: Buffer
  #view: DataView
  #used = 0

  /** What fits into `expectedBytes` is in one piece, and never copied. */
  constructor(expectedBytes = 0) {
    this.#piece = Buffer.allocUnsafeSlow(Math.max(LEAST_PIECE_BYTES, expectedBytes))
    this.#view = viewOf(this.#piece)
  }

  text(text: string): void {
    this.#makeRoom(Buffer.byteLength(text))
    this.#used += this.#piece.write(text, this.#used)
  }

  /** With commas between them. */
  numbers(numbers: NumberArray): void {
    for (let from = 0; from < numbers.length; from += BLOCK_NUMBERS) {
      const block = numbers.subarray(from, from + BLOCK_NUMBERS)
      this.#makeRoom(block.length * (FLOAT32_ROOM + 1))
      if (from > 0) this.#view.setUint8(this.#used++, COMMA)
      this.#used =
        block instanceof Float32Array
          ? writeFloats(this.#view, this.#used, block)
          : writeIntegers(this.#view, this.#used, block)
    }
  }

  /** All of it, in turns. Ends the growth. */
  async join(): Promise<Buffer> {
    this.#pieces.push(this.#piece.subarray(0, this.#used))
    const [only, another] = this.#pieces
    if (only !== undefined && another === undefined) return only
    const joined = Buffer.allocUnsafeSlow(this.#pieces.reduce((sum, piece) => sum + piece.length, 0))
    let copied = 0
    let turnBytes = 0
    for (const piece of this.#pieces) {
      joined.set(piece, copied)
      copied += piece.length
      turnBytes += piece.length
      if (turnBytes < BYTES_A_TURN) continue
      turnBytes = 0
      await setImmediate()
    }
    return joined
  }

  #makeRoom(bytes: number): void {
    if (this.#used + bytes <= this.#piece.length) return
    this.#pieces.push(this.#piece.subarray(0, this.#used))
    const next = Math.max(bytes, Math.min(2 * this.#piece.length, MOST_PIECE_BYTES))
    this.#piece = Buffer.allocUnsafeSlow(next)
    this.#view = viewOf(this.#piece)
    this.#used = 0
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

// A loop for each kind: one for both would ask each number of which kind it is.
function writeFloats(view: DataView, at: number, numbers: Float32Array): number {
  let end = at
  for (const number of numbers) {
    if (end > at) view.setUint8(end++, COMMA)
    end = writeFloat32(view, end, number)
  }
  return end
}

function writeIntegers(view: DataView, at: number, numbers: Exclude<NumberArray, Float32Array>): number {
  let end = at
  for (const number of numbers) {
    if (end > at) view.setUint8(end++, COMMA)
    end = writeInteger(view, end, number)
  }
  return end
}
