const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent)

/** Six digits never suffice for less than they say, nine always do. */
const LEAST_DIGITS = 6
const MOST_DIGITS = 9

/**
 * The number whose shortest decimal text is a shortest text of the float32 `value` (of a subnormal one, a short text): JSON
 * writes 0.1 for it where the float32 itself, widened, would read 0.10000000149011612. A digit count is tried by scaling:
 * n / 10^k is correctly rounded while both are exact doubles, so it is the double that the text of those digits denotes.
 */
export function shortenFloat32(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value
  const size = Math.abs(value)
  const exponent = Math.floor(Math.log10(size))
  for (let digits = LEAST_DIGITS; digits <= MOST_DIGITS; digits++) {
    const scale = POWERS[digits - 1 - exponent]
    const short = scale === undefined ? Number(size.toPrecision(digits)) : Math.round(size * scale) / scale
    if (Math.fround(short) === size) return value < 0 ? -short : short
  }
  return value
}
