/** What holds for every order of submissions, takes, results, cancellations, deaths and time. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Deadlines } from '../../../../src/transports/gateway/deadlines.ts'
import type { Job, JobStatus } from '../../../../src/transports/gateway/job.ts'
import { DEFAULT_POLICY } from '../../../../src/transports/gateway/job-request.ts'
import { encoded, openStore, submission } from '../../../fakes/job-store.ts'

const WORKERS = ['a', 'b']
const worker = fc.constantFrom(...WORKERS)
/** Of all jobs so far, the one at this place, counted round. */
const job = fc.nat(50)

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('submit' as const), ttl: fc.integer({ min: 10, max: 200 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      worker,
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), taker: fc.nat(9) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('finish' as const), worker, job, failed: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), job }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('retry' as const), job }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('purge' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('die' as const), worker }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(60) }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** The store beside a plain account of what it should do: a list for the queue, searched and cut. */
class Account {
  readonly fake = openStore({ retentionMs: { async: 100, sync: 100 } })
  readonly ids: string[] = []
  readonly status = new Map<string, JobStatus>()
  readonly takers: {
    readonly count: number
    readonly worker: string
    readonly controller: AbortController
  }[] = []
  readonly handedOut = new Map<string, number>()
  readonly returned: Promise<readonly Job[]>[] = []
  queue: string[] = []
  running: { readonly id: string; readonly worker: string }[] = []
  readonly lostBy = new Map<string, string>()
  readonly totals = { completed: 0, failed: 0, retried: 0 }

  play(step: Step): void {
    const { store, clock } = this.fake
    if (step.kind === 'submit') {
      const { id } = store.submit(
        submission({ policy: { ...DEFAULT_POLICY, executionTimeout: 80, ttl: step.ttl } }),
      )
      this.ids.push(id)
      this.#wait(id)
    } else if (step.kind === 'take') {
      const controller = new AbortController()
      const { count, worker } = step
      const options = { workerId: worker, waitMs: 1_000_000, signal: controller.signal }
      this.returned.push(store.take(count, options).catch(() => []))
      this.takers.push({ count, worker, controller })
      this.#serve()
    } else if (step.kind === 'abort') {
      this.takers.splice(step.taker, 1)[0]?.controller.abort()
    } else if (step.kind === 'purge') {
      expect(store.purge()).toBe(this.queue.length)
      for (const id of this.queue.splice(0)) this.status.set(id, 'CANCELLED')
    } else if (step.kind === 'die') {
      this.#die(step.worker)
    } else if (step.kind === 'pass') {
      clock.ms += step.ms
      store.sweep()
      for (const id of this.ids) this.#age(id)
    } else {
      const id = this.ids[step.job % this.ids.length]
      if (id !== undefined) this.#touch(id, step)
    }
  }

  #touch(id: string, step: Extract<Step, { job: number }>): void {
    const { store } = this.fake
    const before = this.status.get(id)
    if (step.kind === 'finish') {
      const isOpen =
        before === 'IN_PROGRESS' || (before === 'IN_QUEUE' && this.lostBy.get(id) === step.worker)
      const result = step.failed ? { error: 'no' } : { output: encoded(1) }
      expect(store.finish(id, step.worker, result)).toBe(isOpen ? 'accepted' : 'ignored')
      if (isOpen) this.#end(id, step.failed ? 'FAILED' : 'COMPLETED')
    } else if (step.kind === 'cancel') {
      store.cancel(id)
      if (before === 'IN_QUEUE' || before === 'IN_PROGRESS') this.#end(id, 'CANCELLED')
    } else if (before === 'FAILED' || before === 'TIMED_OUT') {
      store.retry(id)
      this.totals.retried++
      this.lostBy.delete(id)
      this.#wait(id)
    }
  }

  /** Learns from the store what time did, and checks that it may have done so. */
  #age(id: string): void {
    const before = this.status.get(id)
    const job = this.fake.store.get(id)
    if (before === undefined || job?.status === before) return
    if (job === undefined) return this.#end(id, undefined)
    expect([before, job.status]).toEqual(['IN_PROGRESS', 'TIMED_OUT'])
    this.#end(id, 'TIMED_OUT')
  }

  #die(worker: string): void {
    const lost = this.running.filter((run) => run.worker === worker).map(({ id }) => id)
    this.running = this.running.filter((run) => run.worker !== worker)
    expect(this.fake.store.requeue(worker)).toEqual(lost)
    for (const id of lost) {
      this.status.set(id, 'IN_QUEUE')
      this.lostBy.set(id, worker)
      this.totals.retried++
    }
    this.queue.unshift(...lost)
    this.#serve()
  }

  #wait(id: string): void {
    this.status.set(id, 'IN_QUEUE')
    this.queue.push(id)
    this.#serve()
  }

  #serve(): void {
    while (this.queue.length > 0 && this.takers.length > 0) {
      const { count, worker } = this.takers.shift() as (typeof this.takers)[number]
      for (const id of this.queue.splice(0, count)) {
        this.status.set(id, 'IN_PROGRESS')
        this.running.push({ id, worker })
        this.handedOut.set(id, (this.handedOut.get(id) ?? 0) + 1)
      }
    }
  }

  #end(id: string, status: JobStatus | undefined): void {
    this.queue = this.queue.filter((waiting) => waiting !== id)
    this.running = this.running.filter((run) => run.id !== id)
    if (status === undefined) this.status.delete(id)
    else this.status.set(id, status)
    if (status === 'COMPLETED') this.totals.completed++
    if (status === 'FAILED' || status === 'TIMED_OUT') this.totals.failed++
  }

  check(): void {
    const { store } = this.fake
    const inQueue = this.queue.length
    expect(store.counts()).toEqual({ ...this.totals, inQueue, inProgress: this.running.length })
    const known = store.list({ offset: 0, limit: Infinity })
    expect(new Map(known.map(({ id, status }) => [id, status]))).toEqual(this.status)
    for (const { id, worker } of this.running) expect(store.get(id)?.workerId).toBe(worker)
  }

  /** What takers were given, once those that still wait are sent away. */
  async takenIds(): Promise<string[]> {
    for (const { controller } of this.takers) controller.abort()
    return (await Promise.all(this.returned)).flat().map(({ id }) => id)
  }
}

test('no job is lost, none goes out twice, and the counts add up', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const account = new Account()
      for (const step of steps) {
        account.play(step)
        account.check()
      }
      const expected = [...account.handedOut].flatMap(([id, times]) => Array<string>(times).fill(id))
      expect((await account.takenIds()).sort()).toEqual(expected.sort())
    }),
    { numRuns: 300 },
  )
})

test('deadlines come due in their order, wherever they were moved', () => {
  const move = fc.record({ item: fc.nat(19), deadline: fc.nat(1000), remove: fc.boolean() })
  fc.assert(
    fc.property(fc.array(move, { maxLength: 100 }), (moves) => {
      const items = Array.from({ length: 20 }, () => ({ deadline: 0, heapIndex: -1 }))
      const deadlines = new Deadlines<(typeof items)[number]>()
      for (const { item, deadline, remove } of moves) {
        const timed = items[item] as (typeof items)[number]
        if (remove) deadlines.delete(timed)
        else deadlines.set(timed, deadline)
      }
      const left = items.filter(({ heapIndex }) => heapIndex >= 0).map(({ deadline }) => deadline)
      const due: number[] = []
      for (const now of [500, 1000]) {
        for (let item = deadlines.takeDue(now); item !== undefined; item = deadlines.takeDue(now)) {
          expect(item.deadline).toBeLessThanOrEqual(now)
          due.push(item.deadline)
        }
      }
      expect(due).toEqual(left.sort((a, b) => a - b))
    }),
  )
})
