/** What holds for every order of arrivals, batches and removals. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PendingRequest } from '../../../src/engine/pending-request.ts'
import type { Row } from '../../../src/engine/row.ts'
import type { BatchLimits } from '../../../src/engine/waiting-room.ts'
import { WaitingRoom } from '../../../src/engine/waiting-room.ts'
import { makeRequest, makeRow } from '../../fakes/rows.ts'

type Step =
  | { readonly kind: 'add' | 'add alone'; readonly request: number; readonly lengths: readonly number[] }
  | { readonly kind: 'take' }
  | { readonly kind: 'remove'; readonly request: number }

const REQUEST_COUNT = 6

const limits: fc.Arbitrary<BatchLimits> = fc.record({
  maxRows: fc.integer({ min: 1, max: 8 }),
  maxTokens: fc.integer({ min: 1, max: 200 }),
  maxPaddedTokens: fc.integer({ min: 1, max: 300 }),
})

const request = fc.nat(REQUEST_COUNT - 1)
const lengths = fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 12 })
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('add' as const), request, lengths }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('add alone' as const), request, lengths }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), request }) },
  ),
  { maxLength: 40 },
)

/** Plays the steps, then takes until the room is empty; tells of every batch and every removal. */
function play(
  steps: readonly Step[],
  limits: BatchLimits,
  seen: {
    added?: (rows: readonly Row[], alone: boolean) => void
    taken?: (batch: readonly Row[]) => void
    removed?: (request: PendingRequest, count: number) => void
    after?: (room: WaitingRoom) => void
  },
): void {
  const room = new WaitingRoom()
  const requests = Array.from({ length: REQUEST_COUNT }, () => makeRequest())
  const act = (step: Step) => {
    if (step.kind === 'take') return seen.taken?.(room.takeBatch(limits))
    const request = requests[step.request] as PendingRequest
    if (step.kind === 'remove') return seen.removed?.(request, room.remove(request))
    const rows = step.lengths.map((length, index) => makeRow(request, index, length))
    if (step.kind === 'add') room.add(rows)
    else for (const row of rows) room.addAlone(row)
    seen.added?.(rows, step.kind === 'add alone')
  }
  for (const step of steps) {
    act(step)
    seen.after?.(room)
  }
  let batch: readonly Row[]
  do {
    batch = room.takeBatch(limits)
    seen.taken?.(batch)
    seen.after?.(room)
  } while (batch.length > 0)
}

test('no row is lost, none leaves twice, and the counts are right at every step', () => {
  fc.assert(
    fc.property(steps, limits, (steps, limits) => {
      const waiting = new Set<Row>()
      const alone = new Set<Row>()
      play(steps, limits, {
        added: (rows, isAlone) => {
          for (const row of rows) {
            waiting.add(row)
            if (isAlone) alone.add(row)
          }
        },
        taken: (batch) => {
          expect(batch.length > 0).toBe(waiting.size > 0)
          for (const row of batch) expect(waiting.delete(row)).toBe(true)
        },
        removed: (request, count) => {
          const gone = [...waiting].filter((row) => row.request === request)
          expect(count).toBe(gone.length)
          for (const row of gone) waiting.delete(row)
        },
        after: (room) => {
          expect(room.holdsAlone).toBe([...waiting].some((row) => alone.has(row)))
          for (const request of new Set([...waiting].map((row) => row.request))) {
            const inTurn = [...waiting].filter((row) => row.request === request && !alone.has(row))
            expect(room.countOf(request)).toBe(inTurn.length)
          }
        },
      })
      expect(waiting.size).toBe(0)
    }),
  )
})

test('a batch of more than one row holds every budget', () => {
  fc.assert(
    fc.property(steps, limits, (steps, limits) => {
      const alone = new Set<Row>()
      play(steps, limits, {
        added: (rows, isAlone) => rows.forEach((row) => isAlone && alone.add(row)),
        taken: (batch) => {
          if (batch.length < 2) return
          const lengths = batch.map((row) => row.ids.length)
          const tokens = lengths.reduce((sum, length) => sum + length, 0)
          expect(batch.length).toBeLessThanOrEqual(limits.maxRows)
          expect(tokens).toBeLessThanOrEqual(limits.maxTokens)
          expect(batch.length * Math.max(...lengths)).toBeLessThanOrEqual(limits.maxPaddedTokens)
          expect(batch.some((row) => alone.has(row))).toBe(false)
        },
      })
    }),
  )
})

test('every request is served within as many batches as requests wait when it begins to', () => {
  fc.assert(
    fc.property(steps, limits, (steps, limits) => {
      const alone = new Set<Row>()
      const waiting = new Map<PendingRequest, { rows: number; batchesLeft: number }>()
      play(steps, limits, {
        added: (rows, isAlone) => {
          for (const row of rows) {
            if (isAlone) alone.add(row)
            else {
              const entry = waiting.get(row.request) ?? { rows: 0, batchesLeft: waiting.size + 1 }
              entry.rows++
              waiting.set(row.request, entry)
            }
          }
        },
        taken: (batch) => {
          if (batch[0] === undefined || alone.has(batch[0])) return
          for (const entry of waiting.values()) entry.batchesLeft--
          for (const { request } of batch) {
            const entry = waiting.get(request) as { rows: number; batchesLeft: number }
            entry.rows--
            entry.batchesLeft = Infinity
            if (entry.rows === 0) waiting.delete(request)
          }
          for (const entry of waiting.values()) {
            if (entry.batchesLeft === Infinity) entry.batchesLeft = waiting.size
            expect(entry.batchesLeft).toBeGreaterThan(0)
          }
        },
        removed: (request) => waiting.delete(request),
      })
    }),
  )
})
