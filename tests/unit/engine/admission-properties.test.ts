/** What holds for every order of requests, batches and cancellations. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Admission } from '../../../src/engine/admission.ts'
import { ServerError } from '../../../src/errors.ts'

type Step =
  | { readonly kind: 'come'; readonly itemCount: number; readonly whenFull: 'refuse' | 'wait' }
  | { readonly kind: 'take'; readonly itemCount: number }
  | { readonly kind: 'cancel'; readonly which: number }

type Fate = 'held' | 'in' | 'overloaded' | 'request_too_large' | 'cancelled'

interface Request {
  readonly itemCount: number
  readonly controller: AbortController
  fate: Fate
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('come' as const),
        itemCount: fc.integer({ min: 1, max: 13 }),
        whenFull: fc.constantFrom('refuse' as const, 'wait' as const),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('take' as const), itemCount: fc.integer({ min: 1, max: 8 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(40) }) },
  ),
  { minLength: 1, maxLength: 40 },
)

/** Plays the steps on one queue, and keeps its own count of what is in it. */
class Play {
  readonly admission: Admission
  readonly requests: Request[] = []
  takenItems = 0

  constructor(queueSize: number) {
    this.admission = new Admission({ name: 'fake-model', queueSize })
  }

  get itemsIn(): number {
    return this.requests.reduce((sum, { fate, itemCount }) => sum + (fate === 'in' ? itemCount : 0), 0)
  }

  held(): Request[] {
    return this.requests.filter(({ fate }) => fate === 'held')
  }

  async act(step: Step): Promise<void> {
    if (step.kind === 'come') this.come(step.itemCount, step.whenFull)
    else if (step.kind === 'take') this.take(step.itemCount)
    else this.held()[step.which % Math.max(1, this.held().length)]?.controller.abort()
    for (let tick = 0; tick < 5; tick++) await Promise.resolve()
  }

  come(itemCount: number, whenFull: 'refuse' | 'wait'): void {
    const request: Request = { itemCount, controller: new AbortController(), fate: 'in' }
    this.requests.push(request)
    try {
      const { signal } = request.controller
      const held = this.admission.admit({ itemCount, noun: 'text', whenFull, signal })
      if (held === undefined) return
      request.fate = 'held'
      held.then(
        () => (request.fate = 'in'),
        (error: unknown) => (request.fate = codeOf(error)),
      )
    } catch (error) {
      request.fate = codeOf(error)
    }
  }

  take(itemCount: number): void {
    const count = Math.min(itemCount, this.admission.queuedItems)
    this.takenItems += count
    this.admission.release(count)
  }
}

function codeOf(error: unknown): Fate {
  if (!(error instanceof ServerError)) throw error
  return error.code as Fate
}

const queueSizes = fc.integer({ min: 1, max: 12 })

test('the queue never holds more than its size, and the counts are right at every step', async () => {
  await fc.assert(
    fc.asyncProperty(steps, queueSizes, async (steps, queueSize) => {
      const play = new Play(queueSize)
      for (const step of steps) {
        await play.act(step)
        expect(play.admission.queuedItems).toBeLessThanOrEqual(queueSize)
        expect(play.admission.queuedItems).toBe(play.itemsIn - play.takenItems)
        expect(play.admission.heldRequests).toBe(play.held().length)
      }
    }),
    { numRuns: 300 },
  )
})

test('nobody is let in before one who came earlier and is still held', async () => {
  await fc.assert(
    fc.asyncProperty(steps, queueSizes, async (steps, queueSize) => {
      const play = new Play(queueSize)
      for (const step of steps) {
        const before = play.held()
        await play.act(step)
        const letIn = before.filter(({ fate }) => fate === 'in')
        const stillHeld = before.filter(({ fate }) => fate === 'held')
        for (const request of letIn) {
          for (const other of stillHeld) expect(before.indexOf(request)).toBeLessThan(before.indexOf(other))
        }
        if (step.kind === 'come' && stillHeld.length > 0) expect(play.requests.at(-1)?.fate).not.toBe('in')
      }
    }),
    { numRuns: 300 },
  )
})

test('nobody is held while there is room, and none is lost', async () => {
  await fc.assert(
    fc.asyncProperty(steps, queueSizes, async (steps, queueSize) => {
      const play = new Play(queueSize)
      for (const step of steps) {
        await play.act(step)
        const [first] = play.held()
        if (first) expect(play.admission.queuedItems + first.itemCount).toBeGreaterThan(queueSize)
      }
      while (play.admission.queuedItems > 0) await play.act({ kind: 'take', itemCount: 8 })
      for (const { fate, itemCount, controller } of play.requests) {
        expect(fate).not.toBe('held')
        expect(fate === 'cancelled').toBe(controller.signal.aborted)
        expect(fate === 'request_too_large').toBe(itemCount > queueSize)
      }
      expect(play.admission.heldRequests).toBe(0)
      expect(play.itemsIn).toBe(play.takenItems)
    }),
    { numRuns: 300 },
  )
})
