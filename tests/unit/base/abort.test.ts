import { getEventListeners } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { pause, untilAborted } from '../../../src/base/abort.ts'

describe('a pause', () => {
  test('ends early when its signal aborts, and is none after that', async () => {
    const controller = new AbortController()
    const pausing = pause(60_000, controller.signal)
    controller.abort()
    await pausing
    await pause(60_000, controller.signal)
  })

  test('ends by itself when its time is over, and leaves no listener', async () => {
    vi.useFakeTimers()
    try {
      const { signal } = new AbortController()
      let isOver = false
      const pausing = pause(1000, signal).then(() => (isOver = true))
      await vi.advanceTimersByTimeAsync(999)
      expect(isOver).toBe(false)
      vi.advanceTimersByTime(1)
      await pausing
      expect(getEventListeners(signal, 'abort')).toEqual([])
    } finally {
      vi.useRealTimers()
    }
  })
})

test('a wait for an abort ends with it, and at once after it', async () => {
  const controller = new AbortController()
  let isOver = false
  const waiting = untilAborted(controller.signal).then(() => (isOver = true))
  await Promise.resolve()
  expect(isOver).toBe(false)
  controller.abort()
  await waiting
  await untilAborted(controller.signal)
})
