/** What holds for every order of requests, batches and cancellations. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Admission } from '../../../src/engine/admission.ts'
import type { Place } from '../../../src/engine/place.ts'
import { ServerError } from '../../../src/errors.ts'

type Step =
  | {
      readonly kind: 'come'
      readonly itemCount: number
      readonly tokens: number
      readonly whenFull: 'refuse' | 'wait'
    }
  | { readonly kind: 'take'; readonly itemCount: number }
  | { readonly kind: 'cancel'; readonly which: number }

type Fate = 'held' | 'in' | 'overloaded' | 'request_too_large' | 'cancelled'

interface Request {
  readonly itemCount: number
  readonly tokens: number
  readonly controller: AbortController
  fate: Fate
  place?: Place
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('come' as const),
        itemCount: fc.integer({ min: 1, max: 13 }),
        tokens: fc.integer({ min: 13, max: 60 }),
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

const QUEUE_TOKENS = 100

/** Plays the steps on one queue, and keeps its own count of what is in it. */
class Play {
  readonly admission: Admission
  readonly requests: Request[] = []
  takenItems = 0

  constructor(queueSize: number) {
    this.admission = new Admission({ name: 'fake-model', queueSize, queueTokens: QUEUE_TOKENS })
  }

  get itemsIn(): number {
    return this.requests.reduce((sum, { fate, itemCount }) => sum + (fate === 'in' ? itemCount : 0), 0)
  }

  held(): Request[] {
    return this.requests.filter(({ fate }) => fate === 'held')
  }

  async act(step: Step): Promise<void> {
    if (step.kind === 'come') this.come(step)
    else if (step.kind === 'take') this.take(step.itemCount)
    else this.held()[step.which % Math.max(1, this.held().length)]?.controller.abort()
    for (let tick = 0; tick < 5; tick++) await Promise.resolve()
  }

  come({ itemCount, tokens, whenFull }: Extract<Step, { kind: 'come' }>): void {
    const request: Request = { itemCount, tokens, controller: new AbortController(), fate: 'in' }
    this.requests.push(request)
    try {
      const { signal } = request.controller
      const asked = { itemCount, tokens, noun: 'text', whenFull, withinMs: undefined, signal }
      const place = this.admission.admit({ ...asked, priority: 'normal' })
      if (!(place instanceof Promise)) return void (request.place = place)
      request.fate = 'held'
      place.then(
        (place) => {
          request.fate = 'in'
          request.place = place
        },
        (error: unknown) => (request.fate = codeOf(error)),
      )
    } catch (error) {
      request.fate = codeOf(error)
    }
  }

  take(itemCount: number): void {
    for (let left = itemCount; left > 0; left--) {
      const place = this.requests.find(({ place }) => (place?.items ?? 0) > 0)?.place
      if (place === undefined) return
      this.takenItems++
      // The last one of a request takes with it what tokens are left.
      const tokens = place.items === 1 ? place.tokens : Math.floor(place.tokens / place.items)
      this.admission.release(place, 1, tokens)
    }
  }
}

function codeOf(error: unknown): Fate {
  if (!(error instanceof ServerError)) throw error
  return error.code as Fate
}

const queueSizes = fc.integer({ min: 1, max: 12 })

test('the queue never holds more items or, but for one request alone, tokens than it may, and the counts are right at every step', async () => {
  await fc.assert(
    fc.asyncProperty(steps, queueSizes, async (steps, queueSize) => {
      const play = new Play(queueSize)
      for (const step of steps) {
        await play.act(step)
        expect(play.admission.queuedItems).toBeLessThanOrEqual(queueSize)
        expect(play.admission.queuedItems).toBe(play.itemsIn - play.takenItems)
        expect(play.admission.heldRequests).toBe(play.held().length)
        const places = play.requests.flatMap(({ fate, place }) => (fate === 'in' && place ? [place] : []))
        expect(play.admission.queuedTokens).toBe(places.reduce((sum, { tokens }) => sum + tokens, 0))
        if (places.filter(({ items }) => items > 0).length > 1) {
          expect(play.admission.queuedTokens).toBeLessThanOrEqual(QUEUE_TOKENS)
        }
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
        if (first === undefined) continue
        const { queuedItems, queuedTokens } = play.admission
        const tooMany = queuedItems + first.itemCount > queueSize
        const tooMuch = queuedItems > 0 && queuedTokens + first.tokens > QUEUE_TOKENS
        expect(tooMany || tooMuch).toBe(true)
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
