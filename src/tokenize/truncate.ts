/** How many tokens of each text stay. Pure arithmetic; the template's special tokens are never cut. */

export interface PairLengths {
  readonly first: number
  readonly second: number
}

/**
 * `longest_first` of the tokenizers library: the longer side gives way until both are equal; of an odd remainder the side
 * that was longer gets the extra token, and of two equal ones the second.
 */
export function truncatePair(
  { first, second }: PairLengths,
  maxTokens: number,
  specialTokens: number,
): PairLengths {
  const room = Math.max(0, maxTokens - specialTokens)
  if (first + second <= room) return { first, second }
  let shorter = Math.min(first, second)
  let longer = Math.max(shorter, room - shorter)
  if (shorter + longer > room) {
    shorter = Math.floor(room / 2)
    longer = shorter + (room % 2)
  }
  return first > second ? { first: longer, second: shorter } : { first: shorter, second: longer }
}
