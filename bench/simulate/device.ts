/** A device as a formula: what a batch takes, by the lengths of its rows. */

/** Of which a batch's time is a weighted sum: itself, its tokens, and the pairs of tokens that padded attention looks at. */
export function termsOf(lengths: readonly number[]): [batch: number, tokens: number, pairs: number] {
  let tokens = 0
  let longest = 0
  for (const length of lengths) {
    tokens += length
    longest = Math.max(longest, length)
  }
  return [1, tokens, lengths.length * longest ** 2]
}

export interface Device {
  /** Milliseconds of each term. */
  readonly costs: readonly [batch: number, token: number, pair: number]
}

export function batchMs({ costs: [batch, token, pair] }: Device, lengths: readonly number[]): number {
  const [batches, tokens, pairs] = termsOf(lengths)
  return batch * batches + token * tokens + pair * pairs
}

/** The bundled model in fp32 on two cores, as `measure-device.ts` fitted it. */
export const CPU: Device = { costs: [2.4, 0.085, 5e-5] }
