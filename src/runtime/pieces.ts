/**
 * Attention within a window, without looking at the rest of a long row: the row is cut into pieces that overlap by twice the
 * window, attention runs within each, and a token's result is taken from the piece that holds all that the token sees.
 */
export interface Pieces {
  /** Packed index of each piece's first token, row after row. */
  readonly starts: Int32Array
  /** Behind its last token. */
  readonly ends: Int32Array
  /** Behind the last token whose result is taken from it; the next piece's begin there. */
  readonly keptEnds: Int32Array
  /** C: tokens of the longest. */
  readonly longest: number
}

/** Tokens of a piece, in windows: the number for which the fewest scores are computed in vain. */
const PIECE = 4

/** Scores of a token in whole pieces are twice as many, because half of a piece are its neighbours': shorter rows stay whole. */
const WHOLE = 2 * PIECE

/** `window`: tokens seen to each side; undefined: all. `bounds`: where each row begins, and where the last one ends. */
export function cutIntoPieces(bounds: Int32Array, window = Infinity): Pieces {
  const lengths = Array.from(bounds.subarray(1), (end, row) => end - (bounds[row] as number))
  const longestRow = Math.max(0, ...lengths)
  // A token that sees itself alone still needs a piece to stand in.
  const reach = Math.max(1, window)
  const length = longestRow <= WHOLE * reach ? longestRow : PIECE * reach
  const starts: number[] = []
  const ends: number[] = []
  const keptEnds: number[] = []
  for (const [row, rowLength] of lengths.entries()) {
    const first = bounds[row] as number
    const end = first + rowLength
    for (let start = first; ; start += length - 2 * reach) {
      starts.push(start)
      ends.push(Math.min(end, start + length))
      if (start + length >= end) break
      keptEnds.push(start + length - reach)
    }
    keptEnds.push(end)
  }
  return {
    starts: Int32Array.from(starts),
    ends: Int32Array.from(ends),
    keptEnds: Int32Array.from(keptEnds),
    longest: Math.min(length, longestRow),
  }
}
