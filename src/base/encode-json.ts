/** JSON of large answers without holding the event loop: probes, job takes and short queries pass between the turns. */
import { setImmediate } from 'node:timers/promises'
import { JsonBytes } from './json-bytes.ts'
import type { NumberArray } from './number-array.ts'
import { isNumberArray } from './number-array.ts'

/** Values encoded in one go: about two milliseconds' worth. */
const TURN_VALUES = 8_192

/** Numbers of a typed array are as quickly written as a quarter of a value's. */
const NUMBERS_A_VALUE = 4

/** `JSON.stringify` is several times as fast on a string as on an object that holds it. */
const LONG_STRING = 1024

/**
 * JSON text in UTF-8, of values that came from `JSON.parse` or look as if they did. A typed array is a list of numbers:
 * a `Float32Array` of shortest texts that read back to each float32, `null` for what is not finite.
 */
export async function encodeJson(value: unknown): Promise<Buffer> {
  if (countValues(value, TURN_VALUES) <= TURN_VALUES) return Buffer.from(JSON.stringify(value) ?? 'null')
  const bytes = new JsonBytes(Math.min(MOST_EXPECTED_BYTES, guessBytes(value)))
  let valueCount = 0
  for (const { piece, values } of cut(value)) {
    if (typeof piece === 'string') bytes.text(piece)
    else bytes.numbers(piece)
    valueCount += values
    if (valueCount < TURN_VALUES) continue
    valueCount = 0
    await setImmediate()
  }
  return bytes.join()
}

const MOST_EXPECTED_BYTES = 64_000_000
const BYTES_A_NUMBER = 13

/** The items of a list tend to be alike: it is judged by its first one, a little more than that makes up for the rest. */
function guessBytes(value: unknown): number {
  if (typeof value === 'string') return value.length + 4
  if (typeof value !== 'object' || value === null) return BYTES_A_NUMBER
  if (isNumberArray(value)) return BYTES_A_NUMBER * value.length
  if (Array.isArray(value)) return 64 + Math.ceil(1.01 * value.length * (guessBytes(value[0]) + 1))
  return Object.entries(value).reduce((sum, [key, inner]) => sum + key.length + 4 + guessBytes(inner), 2)
}

interface Piece {
  /** Text, or the numbers of a list or of a part of one. */
  readonly piece: string | NumberArray
  readonly values: number
}

/** Pieces whose texts join to the JSON of `value`, none much larger than a turn. */
function* cut(value: unknown): Generator<Piece> {
  const values = countValues(value, TURN_VALUES)
  if (typeof value === 'string') {
    yield { piece: JSON.stringify(value), values: valuesOf(value) }
  } else if (isNumberArray(value)) {
    yield* cutNumbers(value)
  } else if (values <= TURN_VALUES || typeof value !== 'object' || value === null) {
    yield { piece: JSON.stringify(value) ?? 'null', values }
  } else if (Array.isArray(value)) {
    yield* cutList(value)
  } else {
    yield* cutObject(value)
  }
}

function* cutObject(value: object): Generator<Piece> {
  let mark = '{'
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue
    yield { piece: `${mark}${JSON.stringify(key)}:`, values: 1 }
    yield* cut(inner)
    mark = ','
  }
  yield { piece: mark === '{' ? '{}' : '}', values: 1 }
}

function* cutList(list: readonly unknown[]): Generator<Piece> {
  let mark = '['
  for (let from = 0; from < list.length;) {
    let values = 0
    let to = from
    while (to < list.length) {
      const next = countValues(list[to], TURN_VALUES)
      if (to > from && values + next > TURN_VALUES) break
      values += next
      to++
    }
    if (to - from > 1) {
      yield { piece: mark + JSON.stringify(list.slice(from, to)).slice(1, -1), values }
    } else {
      yield { piece: mark, values: 0 }
      yield* cut(list[from])
    }
    mark = ','
    from = to
  }
  yield { piece: ']', values: 1 }
}

function* cutNumbers(numbers: NumberArray): Generator<Piece> {
  const step = TURN_VALUES * NUMBERS_A_VALUE
  let mark = '['
  for (let from = 0; from < numbers.length; from += step) {
    const piece = numbers.subarray(from, from + step)
    yield { piece: mark, values: 0 }
    yield { piece, values: piece.length / NUMBERS_A_VALUE }
    mark = ','
  }
  yield { piece: mark === '[' ? '[]' : ']', values: 1 }
}

/**
 * Values inside, counted no further than just above `limit`. A string counts as several. A typed array or a long string is
 * more than any limit, so that it becomes a piece of its own.
 */
function countValues(value: unknown, limit: number): number {
  if (typeof value === 'string') return value.length > LONG_STRING ? limit + 1 : valuesOf(value)
  if (typeof value !== 'object' || value === null) return 1
  if (isNumberArray(value)) return limit + 1
  const inner: readonly unknown[] = Array.isArray(value) ? value : Object.values(value)
  let count = 1
  for (const item of inner) {
    count += countValues(item, limit - count)
    if (count > limit) break
  }
  return count
}

function valuesOf(text: string): number {
  return 1 + (text.length >> 5)
}
