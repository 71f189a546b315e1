import { expect, test } from 'vitest'
import { TokenEstimate } from '../../../src/engine/token-estimate.ts'
import { mediaOf } from '../../fakes/media-reader.ts'

test('is a token for four characters, at first', () => {
  expect(new TokenEstimate(512).of([4, 40, 41, 400])).toEqual([1, 10, 11, 100])
})

test('is one token at least, and as many as a row may have at most', () => {
  expect(new TokenEstimate(512).of([0, 1_000_000])).toEqual([1, 512])
})

test('becomes that of the texts that come', () => {
  const estimate = new TokenEstimate(512)
  for (let text = 0; text < 1000; text++) estimate.note(150, 100)
  const [tokens = 0] = estimate.of([300])
  expect(tokens).toBeGreaterThan(195)
  expect(tokens).toBeLessThanOrEqual(200)
})

test('forgets texts of long ago', () => {
  const estimate = new TokenEstimate(512)
  for (let text = 0; text < 10_000; text++) estimate.note(100, 100)
  for (let text = 0; text < 10_000; text++) estimate.note(1000, 100)
  expect(estimate.of([1000])[0]).toBeLessThan(120)
})

test('learns nothing from texts that were cut, nor from none', () => {
  const estimate = new TokenEstimate(512)
  for (let text = 0; text < 1000; text++) {
    estimate.note(1_000_000, 512)
    estimate.note(0, 2)
  }
  expect(estimate.of([400])).toEqual([100])
  expect(estimate.isBacked).toBe(false)
  estimate.note(4, 1)
  expect(estimate.isBacked).toBe(true)
})

test('is what is known of items that need none, and those tell nothing of texts', () => {
  const estimate = new TokenEstimate(512)
  expect(estimate.of([4, 32_768, 8], [undefined, 1000, undefined])).toEqual([1, 1000, 2])
  const media = mediaOf('image', 1, 4)
  estimate.noteRows([32_768], [{ index: 0, ids: new Int32Array(500), media }])
  expect(estimate.isBacked).toBe(false)
  expect(estimate.of([400])).toEqual([100])
})

test('bounds what a request may be refused by once texts have told, or where all of it is known', () => {
  const estimate = new TokenEstimate(512)
  const items = { estimates: [3, 5, 3], texts: ['a', 'b', 'a'] }
  expect(estimate.deadlineOf(1000, items)).toEqual({ withinMs: undefined })
  expect(estimate.deadlineOf(1000, { ...items, knownTokens: [3, undefined, 3] })).toEqual({
    withinMs: undefined,
  })
  expect(estimate.deadlineOf(1000, { ...items, knownTokens: [3, 5, 3] })).toEqual({
    withinMs: 1000,
    ownTokens: 8,
  })
  estimate.note(4, 1)
  expect(estimate.deadlineOf(1000, items)).toEqual({ withinMs: 1000, ownTokens: 8 })
})
