import type { LexicalHead } from '../model/spec.ts'

export interface WeighedRow {
  readonly ids: Int32Array
  /** [tokens, width] */
  readonly tokens: Float32Array
  readonly width: number
  /** Where in a token's numbers its weight stands. */
  readonly weightAt: number
}

/** A row's words and their weights in turn, by ascending id: of a word that stands in several places the greatest. */
export function weighWords(
  { ids, tokens, width, weightAt }: WeighedRow,
  { skippedIds }: Pick<LexicalHead, 'skippedIds'>,
): Float32Array {
  const weights = new Map<number, number>()
  for (const [place, id] of ids.entries()) {
    const weight = tokens[place * width + weightAt] as number
    if (weight > (weights.get(id) ?? 0) && !skippedIds.includes(id)) weights.set(id, weight)
  }
  return Float32Array.from([...weights].sort(([a], [b]) => a - b).flat())
}

/** A row's words and their fixed weights in turn, by ascending id, however often each stands there; `weights`: [V]. */
export function lookUpWords(ids: Int32Array, weights: Float32Array): Float32Array {
  const words = [...new Set(ids)].sort((a, b) => a - b)
  return Float32Array.from(words.flatMap((id) => (weights[id] ? [id, weights[id]] : [])))
}

/** The vectors of tokens without what stands behind each. */
export function cutTokens(tokens: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return tokens.slice()
  const count = tokens.length / from
  const cut = new Float32Array(count * to)
  for (let place = 0; place < count; place++)
    cut.set(tokens.subarray(place * from, place * from + to), place * to)
  return cut
}
