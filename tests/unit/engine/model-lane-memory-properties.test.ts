/** Whatever memory a device has, and whatever is asked of it: every row is answered once, and rightly, or named. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openLane, outcome, requestOf } from '../../fakes/lane.ts'
import { echo, paddedTokensOf } from '../../fakes/runner.ts'

const lengths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 24 })

const cases = fc.record({
  /** Of each request, its rows. */
  requests: fc.array(lengths, { minLength: 1, maxLength: 6 }),
  /** Padded tokens that the device has room for, and later. */
  room: fc.integer({ min: 1, max: 400 }),
  laterRoom: fc.integer({ min: 1, max: 400 }),
  maxTokens: fc.integer({ min: 1, max: 300 }),
  maxRows: fc.integer({ min: 1, max: 16 }),
  depth: fc.integer({ min: 1, max: 3 }),
})

test('every row is answered exactly once, and the budget stays between one token and what it was', async () => {
  const property = fc.asyncProperty(
    cases,
    async ({ requests, room, laterRoom, maxTokens, maxRows, depth }) => {
      const { lane, runner } = openLane({
        depth,
        limitsOfBatch: { maxRows, maxTokens, maxPaddedTokens: 2 * maxTokens },
      })
      runner.paddedRoom = room
      let id = 0
      const rows = requests.map((counts) =>
        counts.map((length) => [++id, ...Array<number>(length - 1).fill(0)]),
      )
      const answers = rows.map((request) => outcome(lane.submit(requestOf(request))))
      await runner.finishAll()
      expect(lane.stats).toEqual({ queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 })
      for (const [index, request] of rows.entries()) {
        const answer = await (answers[index] as (typeof answers)[number])
        const fits = request.every((ids) => ids.length <= room)
        // Rows that fit by themselves are all answered, each with its own numbers, at its own place.
        if (fits)
          expect(answer).toMatchObject({ rows: Float32Array.from(request.flatMap((ids) => echo(ids, 3))) })
        else
          expect(answer).toMatchObject({
            code: 'out_of_memory',
            message: expect.stringMatching(/^text \d+ has/),
          })
      }
      // A row runs to its end once, however often it was in a batch that found no room.
      const ran = runner.batches.filter((batch) => paddedTokensOf(batch) <= room)
      const ranIds = ran.flatMap((batch) => batch.map(([first]) => first))
      expect(new Set(ranIds).size).toBe(ranIds.length)
      // Halving is the only repetition: no row is in more batches than its first one can be halved, and one more.
      const tries = Map.groupBy(runner.batches.flat(), ([first]) => first)
      for (const batches of tries.values()) {
        expect(batches.length).toBeLessThanOrEqual(1 + Math.ceil(Math.log2(maxRows + 1)))
      }

      // With more memory or less than before, all is answered again.
      const before = lane.maxBatchTokens
      expect(before).toBeGreaterThanOrEqual(1)
      runner.paddedRoom = laterRoom
      const later = outcome(lane.submit(requestOf(Array.from({ length: 30 }, () => [++id]))))
      await runner.finishAll()
      expect(await later).toMatchObject({ rows: expect.any(Float32Array) })
      expect(lane.maxBatchTokens).toBeGreaterThanOrEqual(1)
      expect(lane.maxBatchTokens).toBeLessThanOrEqual(maxTokens)
    },
  )
  await fc.assert(property, { numRuns: 200 })
})

test('rows of one length soon run in batches that all fit', async () => {
  const shapes = fc.record({
    length: fc.integer({ min: 1, max: 40 }),
    room: fc.integer({ min: 40, max: 2000 }),
    maxRows: fc.integer({ min: 1, max: 32 }),
  })
  const property = fc.asyncProperty(shapes, async ({ length, room, maxRows }) => {
    const { lane, runner } = openLane({ limitsOfBatch: { maxRows, maxTokens: 512, maxPaddedTokens: 1024 } })
    runner.paddedRoom = room
    const request = (first: number) =>
      requestOf(
        Array.from({ length: 64 }, (_, index) => [first + index, ...Array<number>(length - 1).fill(0)]),
      )
    const first = lane.submit(request(1000))
    await runner.finishAll()
    await first
    const tried = runner.batches.length
    const second = lane.submit(request(2000))
    await runner.finishAll()
    await second
    const failed = runner.batches.slice(tried).filter((batch) => paddedTokensOf(batch) > room)
    expect(failed).toEqual([])
  })
  await fc.assert(property, { numRuns: 100 })
})
