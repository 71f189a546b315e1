/** What holds for every mixture of texts, pictures and sounds, of failures and of requests that are given up. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { openEngine } from '../../../src/engine/engine.ts'
import type { Priority } from '../../../src/task.ts'
import { AUDIO, BAD, FakeReader, IMAGE, TOWERS, mediaItem } from '../../fakes/media-reader.ts'
import { fakeModel } from '../../fakes/model.ts'
import { settle } from '../../fakes/runner.ts'

/** First numbers of rows that are refused, that have no finite result, or that end the thread. */
const REFUSED = 3
const NOT_A_NUMBER = 4
const LETHAL = 5

const item = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('text' as const), value: fc.integer({ min: 33, max: 120 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constantFrom('image' as const, 'audio' as const), value: fc.nat(200) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('image' as const), value: fc.constant(BAD) }) },
)
type Item = typeof item extends fc.Arbitrary<infer T> ? T : never

const request = fc.record({
  items: fc.array(item, { minLength: 1, maxLength: 40 }),
  priority: fc.constantFrom<Priority>('high', 'normal', 'low'),
  /** Turns after which it is given up. */
  givenUpAfter: fc.option(fc.nat(6), { nil: undefined, freq: 3 }),
})

function taskItem({ kind, value }: Item, index: number) {
  if (kind === 'text') return String.fromCodePoint(value)
  return mediaItem(value, index, { modality: kind, tokens: 1 + (index % 3) })
}

test('every request ends once, with its own vectors or a reason, and leaves nothing behind', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 8 }),
      fc.nat(1),
      async (requests, depth) => {
        const spec = { image: IMAGE, audio: AUDIO }
        const model = fakeModel({ towers: TOWERS, automatic: false, batchSize: 5, depth: 1 + depth, spec })
        const { runner } = model
        runner.refusedIds.add(REFUSED)
        runner.nonFiniteIds.add(NOT_A_NUMBER)
        runner.lethalIds.add(LETHAL)
        const media = new FakeReader()
        const cl100k = async () => []
        const engine = openEngine([model], {
          queueSize: 1000,
          now: () => 0,
          tokenInput: 'cl100k',
          cl100k,
          media,
        })
        const ends = requests.map(() => new AbortController())
        const asked = requests.map(({ items, priority }, n) =>
          engine
            .embedMedia(
              { kind: 'embed_media', model: undefined, items: items.map(taskItem) },
              { priority, signal: ends[n]?.signal },
            )
            .then(
              ({ vectors }) => [...vectors].filter((_, place) => place % 3 === 0),
              (error: { code: string }) => error.code,
            ),
        )
        for (let turn = 0; turn <= 6; turn++) {
          for (const [n, { givenUpAfter }] of requests.entries()) if (givenUpAfter === turn) ends[n]?.abort()
          await settle()
          if (runner.heldCount > 0) runner.finish()
        }
        await runner.finishAll()
        for (const [n, outcome] of (await Promise.all(asked)).entries()) {
          const { items, givenUpAfter } = requests[n] as (typeof requests)[number]
          const values = items.map(({ value }) => value)
          const reasons = [
            ...(givenUpAfter === undefined ? [] : ['cancelled']),
            ...(values.includes(BAD) ? ['invalid_request'] : []),
            ...(values.includes(REFUSED) ? ['inference_failed'] : []),
            ...(values.includes(NOT_A_NUMBER) ? ['non_finite_output'] : []),
            ...(values.includes(LETHAL) ? ['poisoned_input'] : []),
          ]
          if (typeof outcome === 'string') expect(reasons).toContain(outcome)
          else expect(outcome).toEqual(values)
        }
        const stats = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }
        expect(engine.models()[0]?.stats).toEqual(stats)
        // All room for pictures is free again.
        const last = Array.from({ length: 6 }, (_, n) =>
          engine.embedMedia({
            kind: 'embed_media',
            model: undefined,
            items: Array.from({ length: 8 }, (_, index) => mediaItem(300 + 8 * n + index, index)),
          }),
        )
        const before = media.reads.length
        await settle()
        expect(media.reads.length - before).toBe(48)
        await runner.finishAll()
        await Promise.all(last)
      },
    ),
    { numRuns: 60 },
  )
})
