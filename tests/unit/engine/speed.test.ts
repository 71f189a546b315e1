import { expect, test } from 'vitest'
import { Speed } from '../../../src/engine/speed.ts'

/** Batches by when they started and ended, of ten tokens each; others were left waiting. */
function speedOf(batches: readonly (readonly [startMs: number, endMs: number])[]): Speed {
  const speed = new Speed()
  for (const [startMs, endMs] of batches) speed.note({ tokens: 10, startMs, endMs, leftOthers: true })
  return speed
}

/** One batch after the other. */
function inLine(...ms: readonly number[]): [number, number][] {
  let at = 1000
  return ms.map((length) => [at, (at += length)])
}

test('is that of batches one after the other', () => {
  const speed = speedOf(inLine(5, 5, 5, 5))
  expect([speed.tokensPerMs, speed.batchMs]).toEqual([2, 5])
})

test('is not known before two batches', () => {
  expect([speedOf([]).tokensPerMs, speedOf([]).batchMs]).toEqual([undefined, 0])
  expect([speedOf(inLine(5)).tokensPerMs, speedOf(inLine(5)).batchMs]).toEqual([undefined, 0])
})

test('is that of the last batches', () => {
  const speed = speedOf(
    inLine(...Array.from({ length: 40 }, () => 5), ...Array.from({ length: 17 }, () => 20)),
  )
  expect([speed.tokensPerMs, speed.batchMs]).toEqual([0.5, 20])
})

test('goes by tokens, not by batches', () => {
  const speed = new Speed()
  speed.note({ tokens: 100, startMs: 0, endMs: 100, leftOthers: true })
  speed.note({ tokens: 10, startMs: 100, endMs: 110, leftOthers: true })
  speed.note({ tokens: 40, startMs: 110, endMs: 130, leftOthers: true })
  expect(speed.tokensPerMs).toBeCloseTo(50 / 30)
})

test('counts no wait between batches', () => {
  expect(
    speedOf([
      [0, 5],
      [100, 105],
      [200, 205],
    ]).tokensPerMs,
  ).toBe(2)
})

test('of batches side by side is that of all together', () => {
  // Two devices, each batch of which takes ten milliseconds, in turn.
  const speed = speedOf([
    [0, 10],
    [5, 15],
    [10, 20],
    [15, 25],
    [20, 30],
  ])
  expect([speed.tokensPerMs, speed.batchMs]).toEqual([2, 5])
})

test('is told by no batch that left nothing waiting, which may be a small one', () => {
  const speed = speedOf(inLine(5, 5, 5))
  for (const startMs of [2000, 3000, 4000]) {
    speed.note({ tokens: 1, startMs, endMs: startMs + 900, leftOthers: false })
  }
  expect([speed.tokensPerMs, speed.batchMs]).toEqual([2, 5])
})

test.each([0, 1, 2, 3])('is not changed by a clock that jumps, ahead or back, over batch %i', (jumped) => {
  for (const jump of [1e12, -1e12]) {
    const batches = inLine(5, 5, 5, 5, 5).map(([start, end], index): [number, number] => [
      index > jumped ? start + jump : start,
      index >= jumped ? end + jump : end,
    ])
    const speed = speedOf(batches)
    expect(speed.tokensPerMs).toBeCloseTo(2)
    expect(speed.batchMs).toBeCloseTo(5)
  }
})
