/** Lists of ids that become texts: from a client's numbers to the thread that knows the vocabulary. */
import { ServerError, cancelled } from '../errors.ts'
import type { DecodeCall, IdLists } from './protocol.ts'

/** What crosses to a thread at a time: the caller's thread is held up for a millisecond, and others get their turn. */
const IDS_AT_A_TIME = 262_144
const LISTS_AT_A_TIME = 1024

/** A list is decoded whole, however long: one id may be half a character. Throws `cancelled` between what crosses. */
export async function decodeLists(
  ids: readonly (readonly number[])[],
  { names, signal }: DecodeCall,
  decode: (lists: IdLists) => Promise<{ readonly texts: readonly string[] }>,
): Promise<string[]> {
  const texts: string[] = []
  while (texts.length < ids.length) {
    if (signal?.aborted) throw cancelled()
    const reply = await decode(takeLists(ids, names, texts.length))
    texts.push(...reply.texts)
  }
  return texts
}

/** The lists from `from` on that may cross together, at least one. */
function takeLists(ids: readonly (readonly number[])[], names: DecodeCall['names'], from: number): IdLists {
  const bounds = [0]
  for (const list of ids.slice(from, from + LISTS_AT_A_TIME)) {
    const bound = (bounds.at(-1) as number) + list.length
    if (bounds.length > 1 && bound > IDS_AT_A_TIME) break
    bounds.push(bound)
  }
  const taken = new Float64Array(bounds.at(-1) as number)
  const starts = bounds.slice(0, -1)
  for (const [n, start] of starts.entries()) taken.set(ids[from + n] as readonly number[], start)
  return {
    ids: taken,
    bounds: Int32Array.from(bounds),
    names: starts.map((_, n) => names?.[from + n] ?? `list ${from + n}`),
  }
}

export interface Vocabulary {
  /** What errors call it. */
  readonly name: string
  readonly ids: ReadonlySet<number>
  readonly highestId: number
}

export function makeVocabulary(name: string, ids: Iterable<number>): Vocabulary {
  const known = new Set(ids)
  let highestId = 0
  for (const id of known) highestId = Math.max(highestId, id)
  return { name, ids: known, highestId }
}

/** Throws `invalid_request` for a number that is no id: libraries drop it, or take it for another one. */
export function splitLists({ ids, bounds, names }: IdLists, vocabulary: Vocabulary): number[][] {
  return names.map((name, n) => {
    const list = Array.from(ids.subarray(bounds[n], bounds[n + 1]))
    const unknown = list.find((id) => !vocabulary.ids.has(id))
    if (unknown === undefined) return list
    throw new ServerError(
      'invalid_request',
      `${name} holds ${unknown}, no id of ${vocabulary.name}: its ids lie between 0 and ${vocabulary.highestId}`,
    )
  })
}
