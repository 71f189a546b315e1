/** Bodies as plain JavaScript values, for those who get objects and not bytes. */
import { setImmediate } from 'node:timers/promises'
import { shortenFloat32 } from './float-text.ts'
import type { NumberArray } from './number-array.ts'
import { isNumberArray } from './number-array.ts'

/** Numbers converted before other work gets its turn: a few milliseconds. */
const NUMBERS_A_TURN = 16_384

/**
 * A copy of `value` with each typed array in it as a list of numbers: what `JSON.parse` makes of its `encodeJson`. Of a
 * float32 that is the double with the shortest text. In turns.
 */
export async function plainJson(value: unknown): Promise<unknown> {
  const lists: [list: number[], numbers: NumberArray][] = []
  const copy = copyWithout(value, (numbers) => {
    const list: number[] = []
    lists.push([list, numbers])
    return list
  })
  let converted = 0
  for (const [list, numbers] of lists) {
    const isFloat = numbers instanceof Float32Array
    for (const number of numbers) {
      list.push(isFloat ? shortenFloat32(number) : number)
      if (++converted < NUMBERS_A_TURN) continue
      converted = 0
      await setImmediate()
    }
  }
  return copy
}

/** A copy in which something else stands for each typed array. */
function copyWithout(value: unknown, standIn: (numbers: NumberArray) => unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isNumberArray(value)) return standIn(value)
  if (Array.isArray(value)) return value.map((item) => copyWithout(item, standIn))
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copyWithout(inner, standIn)]))
}
