/** JSON of large answers without holding the event loop: probes, job takes and short queries pass between the turns. */
import { setImmediate } from 'node:timers/promises'

/** Values encoded in one go: about two milliseconds' worth of float text. */
const TURN_VALUES = 8_192

/** JSON text in UTF-8, of values that came from `JSON.parse` or look as if they did. */
export async function encodeJson(value: unknown): Promise<Buffer> {
  if (countValues(value, TURN_VALUES) <= TURN_VALUES) return Buffer.from(JSON.stringify(value) ?? 'null')
  const pieces: Buffer[] = []
  let text = ''
  let valueCount = 0
  for (const { piece, values } of cut(value)) {
    text += piece
    valueCount += values
    if (valueCount < TURN_VALUES) continue
    pieces.push(Buffer.from(text))
    text = ''
    valueCount = 0
    await setImmediate()
  }
  pieces.push(Buffer.from(text))
  return Buffer.concat(pieces)
}

interface Piece {
  readonly piece: string
  readonly values: number
}

/** Pieces whose texts join to the JSON of `value`, none much larger than a turn. */
function* cut(value: unknown): Generator<Piece> {
  const values = countValues(value, TURN_VALUES)
  if (values <= TURN_VALUES || typeof value !== 'object' || value === null) {
    yield { piece: JSON.stringify(value) ?? 'null', values }
  } else if (Array.isArray(value)) {
    yield* cutList(value)
  } else {
    let mark = '{'
    for (const [key, inner] of Object.entries(value)) {
      if (inner === undefined) continue
      yield { piece: `${mark}${JSON.stringify(key)}:`, values: 1 }
      yield* cut(inner)
      mark = ','
    }
    yield { piece: mark === '{' ? '{}' : '}', values: 1 }
  }
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

/** Values inside, counted no further than just above `limit`. A long string counts as several. */
function countValues(value: unknown, limit: number): number {
  if (typeof value === 'string') return 1 + (value.length >> 5)
  if (typeof value !== 'object' || value === null) return 1
  const inner: readonly unknown[] = Array.isArray(value) ? value : Object.values(value)
  let count = 1
  for (const item of inner) {
    count += countValues(item, limit - count)
    if (count > limit) break
  }
  return count
}
