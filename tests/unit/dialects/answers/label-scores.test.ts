import { expect, test } from 'vitest'
import { labelScores } from '../../../../src/dialects/answers/label-scores.ts'

const RESULT = {
  model: 'served',
  promptTokens: 1,
  truncatedItems: 0,
  timing: { tokenizeMs: 1, queueMs: 1, runMs: 1 },
  labels: ['a', 'b', 'c'],
  scores: Float32Array.of(0.1, 0.8, 0.1, 0.2, 0.2, 0.6),
  logits: Float32Array.of(3, 1, 2, 1, 1, 1),
}

test('labels are best first, equal ones in the model’s order', async () => {
  expect(await labelScores(RESULT, { topK: Infinity, rawScores: false })).toEqual([
    [
      { score: 0.8, label: 'b' },
      { score: 0.1, label: 'a' },
      { score: 0.1, label: 'c' },
    ],
    [
      { score: 0.6, label: 'c' },
      { score: 0.2, label: 'a' },
      { score: 0.2, label: 'b' },
    ],
  ])
})

test('as many of the best as are wanted, before the activation where that is wanted', async () => {
  expect(await labelScores(RESULT, { topK: 1, rawScores: true })).toEqual([
    [{ score: 3, label: 'a' }],
    [{ score: 1, label: 'a' }],
  ])
})

test('labels of more texts than are sorted in one go are whole', async () => {
  const scores = Float32Array.from({ length: 30_000 }, (_, index) => index)
  const rows = await labelScores({ ...RESULT, scores }, { topK: 1, rawScores: false })
  expect(rows).toHaveLength(10_000)
  expect(rows.every(([best], row) => best?.score === row * 3 + 2 && best.label === 'c')).toBe(true)
})
