import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ThreadClient } from '../../../src/base/thread-client.ts'
import { ServerError } from '../../../src/errors.ts'
import type { FakeCalls } from '../../fakes/call-thread.ts'

const FAKE = new URL('../../fakes/call-thread.ts', import.meta.url)

let thread: ThreadClient<FakeCalls>
beforeEach(() => {
  thread = new ThreadClient<FakeCalls>(FAKE, 'fake')
})
afterEach(() => thread.close(0))

describe('a call', () => {
  test('is answered', async () => {
    expect(await thread.call('add', { left: 2, right: 3 })).toEqual({ sum: 5 })
    expect(thread.alive).toBe(true)
  })

  test('made beside others gets its own answer', async () => {
    const sums = await Promise.all(
      Array.from({ length: 50 }, (_, index) => thread.call('add', { left: index, right: 1000 })),
    )
    expect(sums.map(({ sum }) => sum)).toEqual(Array.from({ length: 50 }, (_, index) => 1000 + index))
  })

  test('is answered though an earlier one never is', async () => {
    const stuck = expect(thread.call('wait', {})).rejects.toMatchObject({ code: 'thread_died' })
    expect(await thread.call('add', { left: 1, right: 1 })).toEqual({ sum: 2 })
    await thread.close(0)
    await stuck
  })

  test('moves its buffers there and back', async () => {
    const values = Float32Array.of(1, 2, 3)
    const reply = await thread.call('double', { values }, [values.buffer])
    expect([...reply.values]).toEqual([2, 4, 6])
    expect(values.length).toBe(0)
  })
})

describe('a failure in the thread', () => {
  test('keeps its class, code and message', async () => {
    const error: unknown = await thread
      .call('refuse', { message: 'text 3 is too long' })
      .catch((error) => error)
    expect(error).toBeInstanceOf(ServerError)
    expect(error).toMatchObject({ code: 'text_too_long', message: 'text 3 is too long' })
  })

  test('that has no code is internal', async () => {
    await expect(thread.call('crash', {})).rejects.toMatchObject({
      code: 'internal',
      message: 'a bug in the thread',
    })
  })

  test('to send an answer is a failure of that call alone', async () => {
    await expect(thread.call('answerFunction', {})).rejects.toMatchObject({ code: 'internal' })
    expect(await thread.call('add', { left: 1, right: 1 })).toEqual({ sum: 2 })
  })

  test('to know the call is one too', async () => {
    await expect(thread.call('nothing' as 'wait', {})).rejects.toMatchObject({ code: 'internal' })
    expect(thread.alive).toBe(true)
  })
})

describe('a death', () => {
  test('by exit rejects every pending call and says the exit code', async () => {
    const calls = [thread.call('wait', {}), thread.call('wait', {}), thread.call('exit', { code: 7 })]
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'thread_died', message: 'the fake thread died: exit code 7' },
      })
    }
    expect(thread.alive).toBe(false)
  })

  test('by an uncaught exception rejects every pending call and says what was thrown', async () => {
    const calls = [thread.call('wait', {}), thread.call('throwLater', { message: 'out of luck' })]
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: {
          code: 'thread_died',
          message: 'the fake thread died: out of luck',
          cause: { message: 'out of luck' },
        },
      })
    }
  })

  test('rejects later calls with the same cause, at once', async () => {
    await expect(thread.call('exit', { code: 3 })).rejects.toMatchObject({ code: 'thread_died' })
    await expect(thread.call('add', { left: 1, right: 1 })).rejects.toMatchObject({
      code: 'thread_died',
      message: 'the fake thread died: exit code 3',
    })
  })

  test('before the thread is up, for want of its file, rejects too', async () => {
    const lost = new ThreadClient<FakeCalls>(new URL('./no-such-file.ts', import.meta.url), 'lost')
    await expect(lost.call('add', { left: 1, right: 1 })).rejects.toMatchObject({
      code: 'thread_died',
      message: expect.stringContaining('no-such-file.ts'),
    })
    expect(lost.alive).toBe(false)
  })
})

describe('who is told of a death', () => {
  test('is told once, with the first cause', async () => {
    const deaths: string[] = []
    const mortal = new ThreadClient<FakeCalls>(FAKE, 'mortal', ({ message }) => deaths.push(message))
    await expect(mortal.call('throwLater', { message: 'out of luck' })).rejects.toThrow('out of luck')
    await mortal.close()
    expect(deaths).toEqual(['the mortal thread died: out of luck'])
  })
})

describe('a process', () => {
  const run = promisify(execFile)

  test.each([
    ['after an answer', "await thread.call('add', { left: 1, right: 1 })"],
    ['before the first call', ''],
    ['after a call that could not be sent', "await thread.call('add', { left() {} }).catch(() => {})"],
  ])('is not kept alive by a thread %s', async (_, calls) => {
    const client = new URL('../../../src/base/thread-client.ts', import.meta.url)
    const script = `void (async () => {
      const { ThreadClient } = await import(${JSON.stringify(client)})
      const thread = new ThreadClient(new URL(${JSON.stringify(FAKE)}), 'fake')
      ${calls}
      console.log('end')
    })()`
    const { stdout } = await run(process.execPath, ['--eval', script], { timeout: 10_000 })
    expect(stdout).toBe('end\n')
  })
})

describe('closing', () => {
  test('lets the calls under way end, and takes no new one', async () => {
    const pending = thread.call('add', { left: 1, right: 1 })
    const closing = thread.close()
    await expect(thread.call('add', { left: 1, right: 1 })).rejects.toMatchObject({ code: 'stopping' })
    expect(await pending).toEqual({ sum: 2 })
    await closing
    expect(thread.alive).toBe(false)
  })

  test('rejects what does not end in time, and every later call', async () => {
    const pending = expect(thread.call('wait', {})).rejects.toMatchObject({ code: 'thread_died' })
    await thread.close(0)
    await pending
    expect(thread.alive).toBe(false)
    await expect(thread.call('add', { left: 1, right: 1 })).rejects.toMatchObject({ code: 'thread_died' })
  })

  test('twice does no harm', async () => {
    await thread.close()
    await thread.close()
    expect(thread.alive).toBe(false)
  })
})
