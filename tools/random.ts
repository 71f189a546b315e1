/** Numbers in [0, 1) that are the same in every run: mulberry32 (Tommy Ettinger, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Log-normal lengths as texts have them, cut to [least, most]. */
export function logNormalLengths(
  count: number,
  { median, sigma, least, most }: { median: number; sigma: number; least: number; most: number },
  random: () => number,
): number[] {
  return Array.from({ length: count }, () => {
    // Box and Muller's normal number.
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    const length = Math.round(median * Math.exp(sigma * normal))
    return Math.min(most, Math.max(least, length))
  })
}
