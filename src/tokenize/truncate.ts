/** How many tokens of each text stay. Pure arithmetic; the template's special tokens are never cut. */

export interface PairLengths {
  readonly first: number
  readonly second: number
}

/**
 * `longest_first` of the tokenizers library, 0.23: each side is first cut to the whole row's limit, then the longer side
 * gives way until both are equal; of an odd remainder the second side gets the extra token unless it was the shorter.
 */
export function truncatePair(lengths: PairLengths, maxTokens: number, specialTokens: number): PairLengths {
  const a = Math.min(lengths.first, maxTokens)
  const b = Math.min(lengths.second, maxTokens)
  const room = Math.max(0, maxTokens - specialTokens)
  if (a + b <= room) return { first: a, second: b }
  let shorter = Math.min(a, b)
  let longer = shorter > room ? shorter : Math.max(shorter, room - shorter)
  if (shorter + longer > room) {
    shorter = Math.floor(room / 2)
    longer = shorter + (room % 2)
  }
  return a > b ? { first: longer, second: shorter } : { first: shorter, second: longer }
}
