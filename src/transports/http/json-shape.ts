import { MAX_DEPTH } from '../../base/json-value.ts'
import { ServerError } from '../../errors.ts'

/** Of strings, lists and objects, keys included. A queue full of documents that are objects with a text has fewer. */
const MAX_PARTS = 200_000
/** Of values in all, which is to say of numbers: texts come as token ids. */
const MAX_VALUES = 1_000_000

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [
  0x22, 0x5c, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d,
] as const

/**
 * Throws `invalid_request` for JSON of more parts than any request has: a few bytes make an object each, and reading
 * thirty megabytes of them would keep everybody else waiting for seconds. Looks at brackets, quotes and commas only,
 * about a nanosecond for each byte; whether it is JSON at all is found by who parses it.
 */
export function expectModestJson(json: Uint8Array): void {
  let depth = 0
  let parts = 0
  let commas = 0
  for (let at = 0; at < json.length; at++) {
    const byte = json[at] as number
    if (byte === COMMA) commas++
    else if (byte === QUOTE) {
      parts++
      at = endOfString(json, at)
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      parts++
      if (++depth > MAX_DEPTH) throw refusal(`has lists or objects in more than ${MAX_DEPTH} levels`)
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--
    if (parts > MAX_PARTS) {
      throw refusal(`has more than ${MAX_PARTS} strings, lists and objects; send several requests`)
    }
    if (commas > MAX_VALUES) throw refusal(`has more than ${MAX_VALUES} values; send several requests`)
  }
}

/** Where the string that opens at `at` closes. */
function endOfString(json: Uint8Array, at: number): number {
  let end = at + 1
  while (end < json.length && json[end] !== QUOTE) end += json[end] === BACKSLASH ? 2 : 1
  return end
}

function refusal(has: string): ServerError {
  return new ServerError('invalid_request', `the body ${has}`)
}
