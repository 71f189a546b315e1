/** What waits, remembers and counts: small pieces of the loop. */
import { describe, expect, test } from 'vitest'
import { backoffMs, readRetryAfter } from '../../../../src/transports/runpod/backoff.ts'
import { BatchSize } from '../../../../src/transports/runpod/batch-size.ts'
import { Outage } from '../../../../src/transports/runpod/outage.ts'
import { RecentIds } from '../../../../src/transports/runpod/recent-ids.ts'

test.each([
  [1, 500],
  [2, 1000],
  [5, 8000],
  [6, 10_000],
  [1000, 10_000],
])('after %i failures the wait is anything from 50 ms to %i ms', (failures, mostMs) => {
  const waits = Array.from({ length: 400 }, () => backoffMs(failures))
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(50)
  expect(Math.max(...waits)).toBeLessThanOrEqual(mostMs)
  expect(Math.max(...waits)).toBeGreaterThan(0.9 * mostMs)
  expect(Math.min(...waits)).toBeLessThan(50 + 0.1 * mostMs)
})

const NOW_MS = Date.parse('2026-01-01T00:00:00Z')
test.each([
  [undefined, undefined],
  ['', undefined],
  ['soon', undefined],
  ['0', 0],
  ['3', 3000],
  ['3600', 60_000],
  ['Thu, 01 Jan 2026 00:00:05 GMT', 5000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
])('Retry-After: %s means %s ms', (header, ms) => {
  expect(readRetryAfter(header, NOW_MS)).toBe(ms)
})

describe('an outage', () => {
  test('is told at its start and every ten seconds, with how often it failed since', () => {
    let nowMs = 0
    const outage = new Outage(() => nowMs)
    const told: (number | undefined)[] = []
    for (nowMs = 0; nowMs <= 20_000; nowMs += 5000) told.push(outage.fail())
    expect(told).toEqual([1, undefined, 2, undefined, 2])
  })

  test('that begins anew after an end is told at once', () => {
    const outage = new Outage(() => 0)
    expect([outage.fail(), outage.fail()]).toEqual([1, undefined])
    outage.end()
    expect(outage.fail()).toBe(1)
  })
})

describe('a batch', () => {
  /** So many full ones. */
  function comeFull(size: BatchSize, times: number): void {
    for (let i = 0; i < times; i++) size.came(size.maxJobs)
  }

  test('has half as many jobs after one that could not be read, and one at least', () => {
    const size = new BatchSize()
    const sizes = Array.from({ length: 8 }, () => {
      size.broke(size.maxJobs)
      return size.maxJobs
    })
    expect(sizes).toEqual([32, 16, 8, 4, 2, 1, 1, 1])
  })

  test('is halved from what was asked for, which may have been less', () => {
    const size = new BatchSize()
    size.broke(10)
    expect(size.maxJobs).toBe(5)
  })

  test('grows again after ten full ones, up to where it began', () => {
    const size = new BatchSize()
    size.broke(64)
    comeFull(size, 9)
    for (let i = 0; i < 100; i++) size.came(31)
    expect(size.maxJobs).toBe(32)
    comeFull(size, 1)
    expect(size.maxJobs).toBe(64)
    comeFull(size, 100)
    expect(size.maxJobs).toBe(64)
  })

  test('that breaks begins the count of full ones anew', () => {
    const size = new BatchSize()
    size.broke(64)
    comeFull(size, 9)
    size.broke(32)
    comeFull(size, 9)
    expect(size.maxJobs).toBe(16)
  })
})

describe('recent ids', () => {
  test('are forgotten by age', () => {
    let nowMs = 0
    const ids = new RecentIds({ keepMs: 100, maxIds: 10, now: () => nowMs })
    ids.add('a')
    nowMs = 60
    ids.add('b')
    nowMs = 110
    expect([ids.has('a'), ids.has('b')]).toEqual([false, true])
  })

  test('are forgotten by number, the oldest first', () => {
    const ids = new RecentIds({ keepMs: 100, maxIds: 2, now: () => 0 })
    for (const id of ['a', 'b', 'a', 'c']) ids.add(id)
    expect(['a', 'b', 'c'].map((id) => ids.has(id))).toEqual([true, false, true])
  })
})
