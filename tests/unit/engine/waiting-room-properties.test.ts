/** What holds for every order of arrivals, batches and removals. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PendingRequest } from '../../../src/engine/pending-request.ts'
import { RowGroup } from '../../../src/engine/row-group.ts'
import { PRIORITIES } from '../../../src/engine/place.ts'
import type { Item, Row } from '../../../src/engine/row.ts'
import type { BatchLimits } from '../../../src/engine/waiting-room.ts'
import { WaitingRoom } from '../../../src/engine/waiting-room.ts'
import { modalityOf } from '../../../src/runtime/runner.ts'
import type { Priority } from '../../../src/task.ts'
import { mediaOf } from '../../fakes/media-reader.ts'
import { makeRequest, makeRow } from '../../fakes/rows.ts'

type Step =
  | {
      readonly kind: 'add' | 'add alone'
      readonly request: number
      readonly lengths: readonly number[]
      readonly left: number
    }
  | { readonly kind: 'take' }
  | { readonly kind: 'remove'; readonly request: number }

const REQUEST_COUNT = 6

const limits: fc.Arbitrary<BatchLimits> = fc.record({
  maxRows: fc.integer({ min: 1, max: 8 }),
  maxTokens: fc.integer({ min: 1, max: 200 }),
  maxPaddedTokens: fc.integer({ min: 1, max: 300 }),
})

const request = fc.nat(REQUEST_COUNT - 1)
const left = fc.nat(1000)
const lengths = fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 12 })
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('add' as const), request, lengths, left }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('add alone' as const), request, lengths, left }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), request }) },
  ),
  { maxLength: 40 },
)

/** Enough of them that a low request waits its 16 batches. */
const manySteps = fc.tuple(steps, steps, steps, steps).map((parts) => parts.flat())

const MODALITIES = ['text', 'image', 'audio'] as const

/** Rows of an even length look alike where one side of the model reads them; the others are each like no other. */
function rowOf(request: PendingRequest, index: number, length: number): Row {
  const modality = MODALITIES[index % MODALITIES.length] ?? 'text'
  const row = makeRow(request, index, length)
  const read = modality === 'text' ? row : { ...row, media: mediaOf(modality, 1, 1) }
  return length % 2 === 0 ? { ...read, key: `even ${length} ${modality}` } : read
}

function placeOf({ request, index }: { readonly request: PendingRequest; readonly index: number }): string {
  return `${request.noun} ${index}`
}

/** Plays the steps, then takes until the room is empty; tells of every batch and every removal. */
function play(
  steps: readonly Step[],
  limits: BatchLimits,
  seen: {
    added?: (rows: readonly Row[], alone: boolean) => void
    taken?: (batch: readonly RowGroup[]) => void
    removed?: (request: PendingRequest, count: number) => void
    after?: (room: WaitingRoom) => void
  },
  priorities: readonly Priority[] = PRIORITIES,
): void {
  const room = new WaitingRoom()
  const requests = Array.from({ length: REQUEST_COUNT }, (_, index) =>
    makeRequest(`request ${index}`, priorities[index % priorities.length]),
  )
  let itemCount = 0
  const act = (step: Step) => {
    if (step.kind === 'take') return seen.taken?.(room.takeBatch(limits))
    const request = requests[step.request] as PendingRequest
    if (step.kind === 'remove') return seen.removed?.(request, room.remove(request).rows)
    const rows = step.lengths.map((length) => rowOf(request, itemCount++, length))
    // Whatever it is told to be: who is served in the end must not depend on it.
    request.place.tokens = step.left
    if (step.kind === 'add') room.add(rows)
    else for (const row of rows) room.addAlone(new RowGroup(row))
    seen.added?.(rows, step.kind === 'add alone')
  }
  for (const step of steps) {
    act(step)
    seen.after?.(room)
  }
  let batch: readonly RowGroup[]
  do {
    batch = room.takeBatch(limits)
    seen.taken?.(batch)
    seen.after?.(room)
  } while (batch.length > 0)
}

test('no row is lost, none leaves twice, and the counts are right at every step', () => {
  fc.assert(
    fc.property(steps, limits, (steps, limits) => {
      const waiting = new Map<string, Row>()
      const alone = new Map<string, Row>()
      play(steps, limits, {
        added: (rows, isAlone) => {
          for (const row of rows) (isAlone ? alone : waiting).set(placeOf(row), row)
        },
        taken: (batch) => {
          expect(batch.length > 0).toBe(waiting.size + alone.size > 0)
          const from = alone.size > 0 ? alone : waiting
          for (const item of batch.flatMap(({ items }) => items)) {
            expect(from.delete(placeOf(item))).toBe(true)
          }
        },
        removed: (request, count) => {
          const gone = [...waiting.values()].filter((row) => row.request === request)
          expect(count).toBe(gone.length)
          for (const row of gone) waiting.delete(placeOf(row))
        },
        after: (room) => {
          const rows = [...waiting.values()]
          expect(room.holdsAlone).toBe(alone.size > 0)
          expect(room.tokens).toBe([...rows, ...alone.values()].reduce((sum, { ids }) => sum + ids.length, 0))
          for (const request of new Set(rows.map((row) => row.request))) {
            expect(room.countOf(request)).toBe(rows.filter((row) => row.request === request).length)
          }
        },
      })
      expect(waiting.size + alone.size).toBe(0)
    }),
  )
})

test('no two rows that look alike leave one after the other: the first takes all that wait with it', () => {
  fc.assert(
    fc.property(steps, limits, (steps, limits) => {
      const waiting = new Map<string, Row>()
      const alone = new Set<string>()
      play(steps, limits, {
        added: (rows, isAlone) => {
          for (const row of rows) {
            if (isAlone) alone.add(placeOf(row))
            else waiting.set(placeOf(row), row)
          }
        },
        taken: (batch) => {
          if (batch.some(({ items }) => items.some((item) => alone.has(placeOf(item))))) return
          for (const { key, ids, items } of batch) {
            for (const item of items) {
              expect(waiting.get(placeOf(item))).toMatchObject({ key, ids: { length: ids.length } })
              waiting.delete(placeOf(item))
            }
          }
          const left = new Set([...waiting.values()].map(({ key }) => key))
          expect(batch.filter(({ key }) => left.has(key))).toEqual([])
        },
        removed: (request) => {
          for (const row of waiting.values()) if (row.request === request) waiting.delete(placeOf(row))
        },
      })
    }),
  )
})

test('a batch of more than one row holds every budget', () => {
  fc.assert(
    fc.property(steps, limits, (steps, limits) => {
      const alone = new Set<string>()
      play(steps, limits, {
        added: (rows, isAlone) => rows.forEach((row) => isAlone && alone.add(placeOf(row))),
        taken: (batch) => {
          if (batch.length < 2) return
          const lengths = batch.map((row) => row.ids.length)
          const tokens = lengths.reduce((sum, length) => sum + length, 0)
          expect(batch.length).toBeLessThanOrEqual(limits.maxRows)
          expect(tokens).toBeLessThanOrEqual(limits.maxTokens)
          expect(batch.length * Math.max(...lengths)).toBeLessThanOrEqual(limits.maxPaddedTokens)
          expect(batch.some(({ items }) => items.some((item) => alone.has(placeOf(item))))).toBe(false)
        },
      })
    }),
  )
})

test('a batch holds rows of one modality, whatever waits and however long it is', () => {
  fc.assert(
    fc.property(steps, limits, (steps, limits) => {
      play(steps, limits, {
        taken: (batch) => expect(new Set(batch.map(modalityOf)).size).toBeLessThanOrEqual(1),
      })
    }),
  )
})

/** Of a priority's requests one is served in every so many batches. */
const ALL = { high: 16, normal: 8, low: 16 }

test.each<[string, Readonly<Partial<Record<Priority, number>>>]>([
  ['where all are normal, within 4 times as many batches as requests wait when it begins to', { normal: 4 }],
  ['within 8 or 16 times as many batches as requests of its priority wait when it begins to', ALL],
])('whatever else comes, every request is served %s', (_, turns) => {
  const priorities = Object.keys(turns) as Priority[]
  fc.assert(
    fc.property(manySteps, limits, (steps, limits) => {
      const alone = new Set<string>()
      const waiting = new Map<PendingRequest, { rows: number; batchesLeft: number }>()
      /** Batches that a request may wait for which is the last of its line, itself not counted where it is not there yet. */
      const bound = ({ place: { priority } }: PendingRequest, more: number) =>
        (turns[priority] ?? 0) *
        ([...waiting.keys()].filter((other) => other.place.priority === priority).length + more)
      play(
        steps,
        limits,
        {
          added: (rows, isAlone) => {
            for (const row of rows) {
              if (isAlone) alone.add(placeOf(row))
              else {
                const entry = waiting.get(row.request) ?? { rows: 0, batchesLeft: bound(row.request, 1) }
                entry.rows++
                waiting.set(row.request, entry)
              }
            }
          },
          taken: (batch) => {
            const items = batch.flatMap((group) => group.items)
            if (items[0] === undefined || alone.has(placeOf(items[0]))) return
            for (const entry of waiting.values()) entry.batchesLeft--
            for (const { request } of items) {
              const entry = waiting.get(request) as { rows: number; batchesLeft: number }
              entry.rows--
              entry.batchesLeft = Infinity
              if (entry.rows === 0) waiting.delete(request)
            }
            for (const [request, entry] of waiting) {
              if (entry.batchesLeft === Infinity) entry.batchesLeft = bound(request, 0)
              expect(entry.batchesLeft).toBeGreaterThan(0)
            }
          },
          removed: (request) => waiting.delete(request),
        },
        priorities,
      )
    }),
    { numRuns: 300 },
  )
})

test('draining, a request that was begun is finished before one with more left is', () => {
  fc.assert(
    fc.property(fc.array(lengths, { minLength: 1, maxLength: 6 }), (requestLengths) => {
      const room = new WaitingRoom()
      for (const [index, lengths] of requestLengths.entries()) {
        const request = makeRequest(`request ${index}`)
        request.place.tokens = lengths.reduce((sum, length) => sum + length, 0)
        room.add(lengths.map((length, row) => makeRow(request, row, length)))
      }
      room.drain()
      const order: PendingRequest[] = []
      while (!room.isEmpty) {
        const [group] = room.takeBatch({ maxRows: 1, maxTokens: 200, maxPaddedTokens: 200 })
        const [item] = (group as RowGroup).items as [Item]
        item.request.place.tokens -= (group as RowGroup).ids.length
        order.push(item.request)
      }
      expect(order).toHaveLength(requestLengths.flat().length)
      const begun = order.filter((request, index) => request !== order[index - 1])
      expect(begun).toHaveLength(requestLengths.length)
    }),
  )
})
