import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { GateOptions, GateRequest } from '../../../src/transports/gate.ts'
import { Gate } from '../../../src/transports/gate.ts'
import { outcome } from '../../fakes/lane.ts'
import { settle } from '../../fakes/runner.ts'

const MB = 1024 * 1024
const CANCELLED = { code: 'cancelled', message: 'the request was cancelled' }

afterEach(() => {
  vi.useRealTimers()
})

/** A gate for two at a time, and tasks that end when the test says so. */
function open(options: Partial<GateOptions> = {}) {
  const gate = new Gate({ concurrency: 2, maxWaiting: 2, maxWaitingBytes: 10 * MB, ...options })
  const started: string[] = []
  const ends = new Map<string, PromiseWithResolvers<string>>()
  const run = (name: string, request: Partial<GateRequest> = {}) => {
    const end = Promise.withResolvers<string>()
    ends.set(name, end)
    const task = () => {
      started.push(name)
      return end.promise
    }
    return outcome(gate.run(task, { bytes: MB, ...request }))
  }
  const finish = async (name: string) => {
    ends.get(name)?.resolve(`answer of ${name}`)
    await settle()
  }
  return { gate, run, finish, ends, started }
}

describe('tasks', () => {
  test('run at once while there is room, and are answered with what they return', async () => {
    const { gate, run, finish, started } = open()
    const answer = run('a')
    expect([started, gate.running, gate.waiting]).toEqual([['a'], 1, 0])
    await finish('a')
    expect(await answer).toBe('answer of a')
    expect(gate.running).toBe(0)
  })

  test('fail with what they throw, and make room', async () => {
    const { gate, run, ends } = open()
    const answer = run('a')
    ends.get('a')?.reject(new RangeError('no'))
    expect(await answer).toMatchObject({ message: 'no' })
    const thrown = gate.run(
      () => {
        throw new RangeError('at once')
      },
      { bytes: 0 },
    )
    expect(await outcome(thrown)).toMatchObject({ message: 'at once' })
    expect([gate.running, gate.waiting]).toEqual([0, 0])
  })

  test('beyond the limit wait, and start in the order they came', async () => {
    const { gate, run, finish, started } = open()
    const all = ['a', 'b', 'c', 'd'].map((name) => run(name))
    expect([started, gate.running, gate.waiting]).toEqual([['a', 'b'], 2, 2])
    await finish('b')
    expect(started).toEqual(['a', 'b', 'c'])
    await finish('a')
    expect(started).toEqual(['a', 'b', 'c', 'd'])
    await finish('c')
    await finish('d')
    expect(await Promise.all(all)).toHaveLength(4)
  })
})

describe('a full line', () => {
  test('refuses one too many, says why and when to come back, and takes the next when one has left', async () => {
    const { run, finish, started } = open()
    for (const name of ['a', 'b', 'c', 'd']) void run(name)
    expect(await outcome(run('e'))).toEqual({
      code: 'overloaded',
      message:
        '2 requests are in flight and 2 wait (2 MB); the limits are 2 (RUNPOD_MAX_CONCURRENCY), and 2 or 10 MB waiting',
    })
    expect(started).not.toContain('e')
    await finish('a')
    const late = run('f')
    for (const name of ['b', 'c', 'd', 'f']) await finish(name)
    expect(await late).toBe('answer of f')
  })

  test('says that a second is worth waiting', async () => {
    const { gate, run } = open({ concurrency: 1, maxWaiting: 0 })
    void run('a')
    await expect(gate.run(async () => 1, { bytes: 0 })).rejects.toMatchObject({ retryAfterMs: 1000 })
  })

  test('counts the memory of what waits, not of what runs', async () => {
    const { run, finish } = open({ concurrency: 1, maxWaiting: 10 })
    void run('a', { bytes: 100 * MB })
    void run('b', { bytes: 9 * MB })
    expect(await run('c', { bytes: 2 * MB })).toMatchObject({ code: 'overloaded' })
    const fits = run('d', { bytes: MB })
    await finish('a')
    const room = run('e', { bytes: 9 * MB })
    for (const name of ['b', 'd', 'e']) await finish(name)
    expect([await fits, await room]).toEqual(['answer of d', 'answer of e'])
  })

  test('forgets the memory of what has ended, and no more than that', async () => {
    const { run, finish } = open({ concurrency: 1, maxWaiting: 10 })
    for (const name of ['a', 'b', 'c']) {
      void run(name, { bytes: 9 * MB })
      await finish(name)
    }
    void run('d')
    const waits = run('e', { bytes: 9 * MB })
    expect(await run('f', { bytes: 2 * MB })).toMatchObject({ code: 'overloaded' })
    await finish('d')
    await finish('e')
    expect(await waits).toBe('answer of e')
  })

  test('never stands in the way while there is room to run', async () => {
    const { run, finish } = open({ maxWaiting: 0, maxWaitingBytes: 0 })
    const all = [run('a'), run('b')]
    await finish('a')
    await finish('b')
    expect(await Promise.all(all)).toEqual(['answer of a', 'answer of b'])
  })
})

describe('a signal', () => {
  test('that is aborted already keeps the task from starting', async () => {
    const { gate, run, started } = open()
    expect(await run('a', { signal: AbortSignal.abort() })).toEqual(CANCELLED)
    expect([started, gate.running, gate.waiting]).toEqual([[], 0, 0])
  })

  test('ends the wait at once, and gives its memory back', async () => {
    const { gate, run, finish, started } = open({ concurrency: 1 })
    const controller = new AbortController()
    void run('a')
    const waiting = run('b', { signal: controller.signal, bytes: 10 * MB })
    expect(await run('c', { bytes: MB })).toMatchObject({ code: 'overloaded' })
    controller.abort()
    expect(await waiting).toEqual(CANCELLED)
    expect(gate.waiting).toBe(0)
    const next = run('d', { bytes: 10 * MB })
    await finish('a')
    await finish('d')
    expect(await next).toBe('answer of d')
    expect(started).toEqual(['a', 'd'])
  })

  test('aborted while its task runs is the task’s own matter: it keeps its place until it ends', async () => {
    const { gate, run, finish, started } = open({ concurrency: 1 })
    const controller = new AbortController()
    const running = run('a', { signal: controller.signal })
    void run('b')
    controller.abort(new Error('the client is gone'))
    await settle()
    expect([started, gate.running]).toEqual([['a'], 1])
    await finish('a')
    expect(await running).toBe('answer of a')
    expect(started).toEqual(['a', 'b'])
  })

  test('has no listeners left, however it ended', async () => {
    const { run, finish } = open({ concurrency: 1, maxWaiting: 1 })
    const { signal } = new AbortController()
    const all = [run('a', { signal }), run('b', { signal }), run('c', { signal })]
    await finish('a')
    await finish('b')
    await Promise.all(all)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('idle', () => {
  test('is at once when nothing runs', async () => {
    vi.useFakeTimers()
    await open().gate.idle(1000)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('waits for what runs and for what waits', async () => {
    const { gate, run, finish } = open({ concurrency: 1 })
    let idle = false
    void run('a')
    void run('b')
    const ended = gate.idle(60_000).then(() => (idle = true))
    await finish('a')
    expect(idle).toBe(false)
    await finish('b')
    await ended
  })

  test('is no longer waited for after its limit', async () => {
    vi.useFakeTimers()
    const { gate, run } = open()
    void run('a')
    let idle = false
    const ended = gate.idle(5000).then(() => (idle = true))
    await vi.advanceTimersByTimeAsync(4999)
    expect(idle).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    await ended
    expect(gate.running).toBe(1)
  })
})

test('whatever comes and goes, the limits hold and nothing is lost', async () => {
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('come' as const), bytes: fc.nat(6) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom('end' as const, 'abort' as const), which: fc.nat(20) }),
    },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { gate, run, finish, ends, started } = open({ maxWaiting: 3, maxWaitingBytes: 10 })
      const controllers: AbortController[] = []
      const answers: Promise<unknown>[] = []
      for (const step of steps) {
        if (step.kind === 'come') {
          const controller = new AbortController()
          answers.push(run(String(answers.length), { bytes: step.bytes, signal: controller.signal }))
          controllers.push(controller)
          expect(gate.waiting).toBeLessThanOrEqual(3)
        } else if (step.kind === 'abort') controllers[step.which]?.abort()
        else await finish(String(step.which))
        expect(gate.running).toBeLessThanOrEqual(2)
      }
      while (gate.running > 0) for (const name of ends.keys()) await finish(name)
      for (const [k, answer] of (await Promise.all(answers)).entries()) {
        if (started.includes(String(k))) expect(answer).toBe(`answer of ${k}`)
        else expect(['cancelled', 'overloaded']).toContain((answer as { code: string }).code)
      }
      expect(new Set(started).size).toBe(started.length)
      expect(gate.waiting).toBe(0)
    }),
    { numRuns: 100 },
  )
})
