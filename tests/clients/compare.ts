/** Infinity where there are more or fewer numbers than expected. */
export function largestDifference(
  actual: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
): number {
  if (actual.length === 0 || actual.length !== expected.length) return Infinity
  const differences = expected.flatMap((row, index) => {
    const other = actual[index] ?? []
    return other.length === row.length
      ? row.map((value, at) => Math.abs(value - (other[at] ?? NaN)))
      : [Infinity]
  })
  return differences.reduce((most, difference) => Math.max(most, difference), 0)
}

/** The numbers of a little-endian float32 vector, exactly as their shortest texts say. */
export function fromBase64(text: string): number[] {
  const bytes = Buffer.from(text, 'base64')
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4))
}

/** The indexes of scores, best first. */
export function ranked(scores: readonly number[]): number[] {
  return scores
    .map((score, index) => ({ score, index }))
    .toSorted((one, other) => other.score - one.score || one.index - other.index)
    .map(({ index }) => index)
}

/** Eight numbers a byte, the first in its highest bit: 1 where a number is above zero. */
export function signBits(vector: readonly number[]): number[] {
  return Array.from({ length: vector.length / 8 }, (_, byte) =>
    vector.slice(byte * 8, byte * 8 + 8).reduce((bits, value) => bits * 2 + (value > 0 ? 1 : 0), 0),
  )
}
