/** Two hundred requests at once, half of them cancelled at random moments: the rest are answered as if they were alone. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seededRandom } from '../../tools/random.ts'
import { settle } from '../fakes/runner.ts'
import { BUNDLED_MODEL, type OpenModel, openModel } from '../open-model.ts'

const REQUESTS = 200
const MOST_TEXTS = 8
const DIMENSIONS = 384
const TEXTS = Array.from(
  { length: 60 },
  (_, index) => `sentence ${index} ${'with a few more words '.repeat((index * 7) % 6)}`,
)

let model: OpenModel
let vectorOf: Map<string, Float32Array>
beforeAll(async () => {
  model = await openModel(BUNDLED_MODEL)
  const { vectors } = await embed(TEXTS)
  vectorOf = new Map(
    TEXTS.map((text, row) => [text, vectors.subarray(row * DIMENSIONS, (row + 1) * DIMENSIONS)]),
  )
})
afterAll(() => model?.close())

function embed(texts: readonly string[], signal?: AbortSignal) {
  return model.engine.embed({ kind: 'embed', model: undefined, texts }, { signal })
}

function largestError(texts: readonly string[], vectors: Float32Array): number {
  if (vectors.length !== texts.length * DIMENSIONS) return Infinity
  const expected = texts.flatMap((text) => [...(vectorOf.get(text) ?? [])])
  return Math.max(...expected.map((value, index) => Math.abs(value - (vectors[index] as number))))
}

test.each([1, 2])('storm %i', async (seed) => {
  const random = seededRandom(seed)
  let settledCount = 0
  let cancelledCount = 0
  const requests = Array.from({ length: REQUESTS }, (_, index) => {
    const texts = Array.from(
      { length: 1 + Math.floor(random() * MOST_TEXTS) },
      () => TEXTS[Math.floor(random() * TEXTS.length)] as string,
    )
    // Moments are counted in requests settled so far, so that they spread over the storm on any machine.
    const abortAfter = index % 2 === 0 ? Math.floor(random() * random() * REQUESTS) : Infinity
    return { texts, abortAfter, controller: new AbortController() }
  })
  const abortDue = () => {
    for (const { abortAfter, controller } of requests) if (abortAfter <= settledCount) controller.abort()
  }
  const outcomes = requests.map(async ({ texts, controller }) => {
    try {
      const { vectors } = await embed(texts, controller.signal)
      expect(largestError(texts, vectors)).toBeLessThan(2e-5)
    } catch (error) {
      expect(error).toMatchObject({ code: 'cancelled' })
      expect(controller.signal.aborted).toBe(true)
      cancelledCount++
    } finally {
      settledCount++
      abortDue()
    }
  })
  abortDue()
  await Promise.all(outcomes)
  expect(cancelledCount).toBeGreaterThan(REQUESTS / 10)
  expect(cancelledCount).toBeLessThanOrEqual(REQUESTS / 2)
  expect(model.engine.models()[0]?.stats.queuedItems).toBe(0)
  // A batch whose requests are all gone may still be running; it is done before the next answer.
  await expect(embed([TEXTS[0] as string])).resolves.toMatchObject({ dimensions: DIMENSIONS })
  await settle()
  expect(model.engine.models()[0]?.stats).toMatchObject({ queuedItems: 0, runningBatches: 0 })
})
