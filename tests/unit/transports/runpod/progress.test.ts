import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { JobProgress } from '../../../../src/transports/runpod/progress.ts'

let posts: object[]
let release: (() => void)[]
let progress: JobProgress
beforeEach(() => {
  vi.useFakeTimers()
  posts = []
  release = []
  progress = new JobProgress((output) => {
    posts.push(output)
    return new Promise((resolve) => release.push(resolve))
  })
})
afterEach(() => vi.useRealTimers())

const state = (done: number, total = 2048) => ({ object: 'progress', done, total })

test('only the latest state is told, two seconds after the first', async () => {
  for (const done of [64, 128, 192]) progress.report(done, 2048)
  await vi.advanceTimersByTimeAsync(1999)
  expect(posts).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(posts).toEqual([state(192)])
})

test('a post comes at least two seconds after the end of the one before, and never beside it', async () => {
  progress.report(1, 2048)
  await vi.advanceTimersByTimeAsync(2000)
  progress.report(2, 2048)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(posts).toHaveLength(1)
  release[0]?.()
  await vi.advanceTimersByTimeAsync(1999)
  expect(posts).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(posts).toEqual([state(1), state(2)])
})

test('what has not changed is not told again', async () => {
  progress.report(1, 2048)
  await vi.advanceTimersByTimeAsync(2000)
  release[0]?.()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(posts).toHaveLength(1)
})

test('small jobs have none', async () => {
  progress.report(1, 255)
  await vi.advanceTimersByTimeAsync(5000)
  progress.report(1, 256)
  await vi.advanceTimersByTimeAsync(5000)
  expect(posts).toEqual([state(1, 256)])
})

test('the end waits for the post under way, and none comes after it', async () => {
  progress.report(1, 2048)
  await vi.advanceTimersByTimeAsync(2000)
  progress.report(2, 2048)
  let ended = false
  const ending = progress.end().then(() => (ended = true))
  await vi.advanceTimersByTimeAsync(0)
  expect(ended).toBe(false)
  release[0]?.()
  await ending
  progress.report(3, 2048)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(posts).toEqual([state(1)])
})

test('the end takes back a post that waits for its time', async () => {
  progress.report(1, 2048)
  await progress.end()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(posts).toEqual([])
})
