import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RevivingThread } from '../../../src/base/reviving-thread.ts'
import { ServerError } from '../../../src/errors.ts'
import type { FakeCalls } from '../../fakes/call-thread.ts'

const FAKE = new URL('../../fakes/call-thread.ts', import.meta.url)
const SUM = { left: 2, right: 3 }

let thread: RevivingThread<FakeCalls>
let deaths: string[]
let revivals: number[]
beforeEach(() => {
  deaths = []
  revivals = []
  thread = new RevivingThread<FakeCalls>(FAKE, 'fake')
  thread.watch({ onDeath: ({ message }) => deaths.push(message), onRevival: (ms) => revivals.push(ms) })
})
afterEach(() => thread.close(0))

async function kill(): Promise<void> {
  await expect(thread.call('exit', { code: 3 })).rejects.toMatchObject({ code: 'thread_died' })
}

test('a thread that lives answers, and fails, as its client would', async () => {
  expect(await thread.call('add', SUM)).toEqual({ sum: 5 })
  await expect(thread.call('refuse', { message: 'no' })).rejects.toMatchObject({ code: 'text_too_long' })
  expect([deaths, revivals]).toEqual([[], []])
})

test('the calls that it died over fail, and the next one finds a new thread', async () => {
  const waiting = expect(thread.call('wait', {})).rejects.toMatchObject({ code: 'thread_died' })
  await kill()
  await waiting
  expect(await thread.call('add', SUM)).toEqual({ sum: 5 })
  expect(deaths).toEqual(['the fake thread died: exit code 3'])
  expect(revivals).toHaveLength(1)
})

describe('a call to be made once more', () => {
  test('is answered by the next thread where the first died over it, and fails with the second', async () => {
    await expect(thread.callOnceMore('exit', { code: 3 })).rejects.toMatchObject({ code: 'thread_died' })
    expect([deaths.length, revivals.length]).toEqual([2, 1])
  })

  test('is made once where it is answered, or refused', async () => {
    expect(await thread.callOnceMore('add', SUM)).toEqual({ sum: 5 })
    await expect(thread.callOnceMore('refuse', { message: 'no' })).rejects.toMatchObject({
      code: 'text_too_long',
    })
    expect(deaths).toEqual([])
  })
})

test('calls that come together after a death share one new thread', async () => {
  await kill()
  const sums = await Promise.all([thread.call('add', SUM), thread.call('add', SUM), thread.call('add', SUM)])
  expect(sums).toEqual([{ sum: 5 }, { sum: 5 }, { sum: 5 }])
  expect(revivals).toHaveLength(1)
})

test('it can die any number of times', async () => {
  for (let time = 0; time < 3; time++) {
    await kill()
    expect(await thread.call('add', SUM)).toEqual({ sum: 5 })
  }
  expect([deaths.length, revivals.length]).toEqual([3, 3])
})

describe('what it was set up with', () => {
  test('is done once at first, and again in order in every new thread', async () => {
    const done: string[] = []
    const first = await thread.setUp(async (thread) => {
      done.push('first')
      return thread.call('add', SUM)
    })
    await thread.setUp(async () => done.push('second'))
    expect([first, done]).toEqual([{ sum: 5 }, ['first', 'second']])
    await kill()
    await thread.call('add', SUM)
    expect(done).toEqual(['first', 'second', 'first', 'second'])
  })

  test('that failed at first is not done again', async () => {
    let tries = 0
    const failing = thread.setUp(async (thread) => {
      tries++
      return thread.call('refuse', { message: 'never' })
    })
    await expect(failing).rejects.toMatchObject({ code: 'text_too_long' })
    await kill()
    expect(await thread.call('add', SUM)).toEqual({ sum: 5 })
    expect(tries).toBe(1)
  })

  test('where it fails in a new thread, calls fail as revival_failed, and the next one tries again', async () => {
    let tries = 0
    await thread.setUp(async () => {
      tries++
      if (tries === 2) throw new ServerError('load_failed', 'no memory')
    })
    await kill()
    const calls = await Promise.allSettled([thread.call('add', SUM), thread.call('add', SUM)])
    for (const result of calls) {
      expect(result).toMatchObject({
        reason: {
          code: 'revival_failed',
          message: 'the fake thread died and cannot be set up again: no memory',
        },
      })
    }
    expect(await thread.call('add', SUM)).toEqual({ sum: 5 })
    expect(tries).toBe(3)
    expect(revivals).toHaveLength(1)
  })
})

describe('its health', () => {
  test('is bad once no new thread could be set up, and good again when a later call found one', async () => {
    let tries = 0
    await thread.setUp(async () => {
      if (++tries === 2) throw new ServerError('load_failed', 'no memory')
    })
    expect(thread.healthy).toBe(true)
    await kill()
    expect(thread.healthy).toBe(true)
    await expect(thread.call('add', SUM)).rejects.toMatchObject({ code: 'revival_failed' })
    expect(thread.healthy).toBe(false)
    expect(await thread.call('add', SUM)).toEqual({ sum: 5 })
    expect(thread.healthy).toBe(true)
  })

  test('stays bad while another thread is being set up', async () => {
    const second = Promise.withResolvers<void>()
    let tries = 0
    await thread.setUp(async () => {
      tries++
      if (tries === 2) throw new ServerError('load_failed', 'no memory')
      if (tries === 3) await second.promise
    })
    await kill()
    await expect(thread.call('add', SUM)).rejects.toMatchObject({ code: 'revival_failed' })
    const call = thread.call('add', SUM)
    expect(thread.healthy).toBe(false)
    second.resolve()
    await call
    expect(thread.healthy).toBe(true)
  })
})

describe('closing', () => {
  test('ends it for good, and is no death', async () => {
    const waiting = expect(thread.call('wait', {})).rejects.toMatchObject({ code: 'thread_died' })
    await thread.close(0)
    await waiting
    await expect(thread.call('add', SUM)).rejects.toMatchObject({ code: 'stopping' })
    expect([deaths, revivals]).toEqual([[], []])
  })

  test('after a death brings no new thread', async () => {
    await kill()
    await thread.close()
    await expect(thread.call('add', SUM)).rejects.toMatchObject({ code: 'stopping' })
    expect(revivals).toEqual([])
  })

  test('while a new thread is set up ends that one too', async () => {
    await thread.setUp((thread) => thread.call('add', SUM))
    await kill()
    const call = expect(thread.call('add', SUM)).rejects.toMatchObject({ code: 'stopping' })
    await thread.close()
    await call
    await expect(thread.call('add', SUM)).rejects.toMatchObject({ code: 'stopping' })
  })
})
