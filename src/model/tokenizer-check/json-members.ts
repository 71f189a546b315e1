/** Parts of a large JSON file, found without parsing all of it: a vocabulary of many megabytes is only passed over. */

const BLANKS: ReadonlySet<number> = new Set([0x20, 0x0a, 0x0d, 0x09])
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN = 0x7b
const CLOSE = 0x7d

type Values = ReadonlyMap<string, Buffer>

/**
 * The values of an object, as bytes, and those of the object that it has under `innerKey`. Throws an `Error` for what is no
 * object, or names a key twice.
 */
export function membersOf(bytes: Buffer, innerKey: string): { readonly own: Values; readonly inner: Values } {
  const own = new Map<string, Buffer>()
  const inner = new Map<string, Buffer>()
  const pass = (_key: string, start: number) => endOfValue(bytes, start)
  readMembers(bytes, 0, own, (key, start) =>
    key === innerKey && bytes[start] === OPEN ? readMembers(bytes, start, inner, pass) : pass(key, start),
  )
  return { own, inner }
}

/** `pass` finds where a value ends; where the object does is returned. */
function readMembers(
  bytes: Buffer,
  start: number,
  members: Map<string, Buffer>,
  pass: (key: string, start: number) => number,
): number {
  let at = skip(bytes, skipBlanks(bytes, start), OPEN)
  while (bytes[at] !== CLOSE) {
    if (members.size > 0) at = skip(bytes, at, COMMA)
    if (bytes[at] !== QUOTE) throw new Error(`a key was expected at byte ${at}`)
    const keyEnd = endOfText(bytes, at)
    const key = String(parse(bytes.subarray(at, keyEnd)))
    if (members.has(key)) throw new Error(`it has ${JSON.stringify(key)} twice`)
    const valueStart = skip(bytes, skipBlanks(bytes, keyEnd), COLON)
    const valueEnd = pass(key, valueStart)
    members.set(key, bytes.subarray(valueStart, valueEnd))
    at = skipBlanks(bytes, valueEnd)
  }
  return at + 1
}

/** A value whose keys are all told apart. Throws an `Error` for one with a key twice, of which readers take either. */
export function parseOnce(bytes: Buffer): unknown {
  const value = parse(bytes)
  const keys = objectsIn(value).reduce((sum, object) => sum + Object.keys(object).length, 0)
  if (countColons(bytes) !== keys) throw new Error('it has a key twice')
  return value
}

/** Every object in a value, however deep; a list of them is no object. */
export function objectsIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  const objects: Record<string, unknown>[] = []
  const left = [value]
  while (left.length > 0) {
    const next = left.pop()
    if (typeof next !== 'object' || next === null) continue
    if (!Array.isArray(next)) objects.push(next as Record<string, unknown>)
    for (const part of Object.values(next)) left.push(part)
  }
  return objects
}

function parse(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString('utf8'))
}

function skip(bytes: Buffer, at: number, expected: number): number {
  if (bytes[at] === expected) return skipBlanks(bytes, at + 1)
  throw new Error(`"${String.fromCharCode(expected)}" was expected at byte ${at}`)
}

function skipBlanks(bytes: Buffer, start: number): number {
  let at = start
  while (BLANKS.has(bytes[at] ?? 0)) at++
  return at
}

function endOfText(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === BACKSLASH) at++
    else if (byte === QUOTE) return at + 1
  }
  throw new Error('it ends within a text')
}

/** Where the comma or the bracket behind a value is. */
function endOfValue(bytes: Buffer, start: number): number {
  let depth = 0
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) at = endOfText(bytes, at) - 1
    else if (byte === OPEN || byte === OPEN_LIST) depth++
    else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (depth === 0) return at
      depth--
    } else if (byte === COMMA && depth === 0) return at
  }
  throw new Error('it ends within a value')
}

function countColons(bytes: Buffer): number {
  let colons = 0
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) at = endOfText(bytes, at) - 1
    else if (bytes[at] === COLON) colons++
  }
  return colons
}
