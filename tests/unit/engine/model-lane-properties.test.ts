/** A lane under all that can happen at once: priorities, deadlines, cancellations, dead threads, a clock that jumps. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BatchLimits } from '../../../src/engine/waiting-room.ts'
import type { Priority } from '../../../src/task.ts'
import { firstIds, openLane, outcome, requestOf } from '../../fakes/lane.ts'
import { paddedTokensOf, settle } from '../../fakes/runner.ts'

const IDLE = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }
const LETHAL = 666
const QUEUE_SIZE = 20
const QUEUE_TOKENS = 200

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('come' as const),
      lengths: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 12 }),
      priority: fc.constantFrom<Priority | undefined>('high', 'normal', 'low', undefined),
      whenFull: fc.constantFrom('refuse' as const, 'wait' as const),
      withinMs: fc.option(fc.constantFrom(0, 1, 50, 100_000), { nil: undefined }),
      lethal: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
      // Characters are no better than a guess.
      size: fc.integer({ min: 0, max: 500 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('finish' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('die' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(30) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('tick' as const), ms: fc.constantFrom(1, 20, 1e9, -1e9) }),
  },
)

const limits: fc.Arbitrary<BatchLimits> = fc.record({
  maxRows: fc.integer({ min: 1, max: 8 }),
  maxTokens: fc.integer({ min: 1, max: 100 }),
  maxPaddedTokens: fc.integer({ min: 1, max: 200 }),
})

type Come = Extract<typeof step extends fc.Arbitrary<infer T> ? T : never, { kind: 'come' }>

/** Rows that begin with ids of their own; one of a lethal request ends the thread. */
function rowsOf({ lengths, lethal }: Come, request: number): number[][] {
  const rows = lengths.map((length, row) => [
    10_000 + 100 * request + row,
    ...Array.from({ length: length - 1 }, () => 1),
  ])
  if (lethal) rows[0]?.push(LETHAL)
  return rows
}

test('every request ends once, with its own answer or a reason, and no bound is passed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      limits,
      fc.integer({ min: 1, max: 2 }),
      async (steps, limitsOfBatch, depth) => {
        const { lane, runner, clock } = openLane({
          depth,
          limitsOfBatch,
          queueSize: QUEUE_SIZE,
          queueTokens: QUEUE_TOKENS,
        })
        runner.lethalIds.add(LETHAL)
        const asked: { come: Come; rows: number[][]; controller: AbortController }[] = []
        const ends: Promise<unknown>[] = []
        let deaths = 0
        for (const step of steps) {
          if (step.kind === 'come') {
            const rows = rowsOf(step, asked.length)
            const controller = new AbortController()
            const { priority, whenFull, withinMs, size } = step
            const options = { priority, whenFull, withinMs, signal: controller.signal }
            asked.push({ come: step, rows, controller })
            ends.push(outcome(lane.submit(requestOf(rows, { options, sizes: rows.map(() => size) }))))
          } else if (step.kind === 'finish' && runner.heldCount > 0) runner.finish()
          else if (step.kind === 'die' && runner.heldCount > 0) {
            deaths++
            runner.die()
          } else if (step.kind === 'cancel') asked[step.which % asked.length]?.controller.abort()
          else if (step.kind === 'tick') clock.ms += step.ms
          await settle()
          expect(lane.stats.queuedItems).toBeLessThanOrEqual(QUEUE_SIZE + depth * limitsOfBatch.maxRows)
        }
        await runner.finishAll()
        for (const [index, end] of (await Promise.all(ends)).entries()) {
          const { come, rows, controller } = asked[index] as (typeof asked)[number]
          const { code, ...answer } = end as { code?: string }
          if (code === undefined) expect(firstIds(answer as never)).toEqual(rows.map(([id]) => id))
          else if (code === 'cancelled') expect(controller.signal.aborted).toBe(true)
          else if (code === 'overloaded') expect(come.whenFull).toBe('refuse')
          else if (code === 'deadline_exceeded') expect(come.withinMs).toBeDefined()
          else expect([code, come.lethal || deaths > 0]).toEqual(['poisoned_input', true])
          if (come.lethal) expect(code).toBeDefined()
        }
        for (const batch of runner.batches) {
          if (batch.length < 2) continue
          expect(batch.length).toBeLessThanOrEqual(limitsOfBatch.maxRows)
          expect(batch.flat().length).toBeLessThanOrEqual(limitsOfBatch.maxTokens)
          expect(paddedTokensOf(batch)).toBeLessThanOrEqual(limitsOfBatch.maxPaddedTokens)
        }
        expect(lane.stats).toEqual(IDLE)
      },
    ),
    { numRuns: 200 },
  )
})
