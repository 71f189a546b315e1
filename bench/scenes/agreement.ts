/** Does a peer compute what we compute? What does not is another model, however fast. */
import { makeTexts } from '../client/bodies.ts'
import { seededRandom } from '../harness.ts'
import type { Contestant } from '../servers/contestant.ts'

const TEXTS = 16
/** Half precision and other pooling orders stay above it; the wrong pooling, or int8 weights of another recipe, do not. */
const LEAST_COSINE = 0.999

/** The least cosine between a contestant's vectors and ours. */
export async function leastCosine(ours: Contestant, other: Contestant): Promise<number> {
  const texts = makeTexts('mixed', TEXTS, seededRandom(8)).map(({ text }) => text)
  const [expected, found] = [await ours.embed(texts), await other.embed(texts)]
  return Math.min(...expected.map((vector, index) => cosine(vector, found[index] ?? [])))
}

/** Throws where it computes something else. */
export function checkAgreement(leastFound: number): void {
  if (leastFound >= LEAST_COSINE) return
  throw new Error(
    `its vectors are others than ours: least cosine ${leastFound.toFixed(4)}, below ${LEAST_COSINE}`,
  )
}

export function cosine(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return 0
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, i) => sum + value * (y[i] as number), 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}
