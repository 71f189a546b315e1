/** What holds for every order of identical rows, batches, deaths and cancellations. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { LaneResult } from '../../../src/engine/model-lane.ts'
import { ResultCache } from '../../../src/engine/result-cache.ts'
import type { RaggedBatch } from '../../../src/runtime/runner.ts'
import { type FakeLane, openLane, outcome, requestOf } from '../../fakes/lane.ts'
import { echo, echoToken, settle } from '../../fakes/runner.ts'

const IDLE = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }

/** So few that most rows are like another. */
const TEXTS = 8

/** What the device makes of some texts; it computes the others. */
const FAULTS = ['refusedIds', 'lethalIds', 'nonFiniteIds', 'spoilingIds'] as const
type Faults = Readonly<Record<(typeof FAULTS)[number], readonly number[]>>

type Step =
  | {
      readonly kind: 'come'
      readonly texts: readonly number[]
      readonly wantsTokens: boolean
      readonly whenFull: 'refuse' | 'wait'
    }
  | { readonly kind: 'finish' | 'die' }
  | { readonly kind: 'cancel'; readonly which: number }

interface Sent {
  readonly texts: readonly number[]
  readonly wantsTokens: boolean
  readonly controller: AbortController
  readonly progress: number[]
  answer: LaneResult | { readonly code: unknown; readonly message: string } | undefined
}

const texts = fc.array(fc.nat(TEXTS - 1), { minLength: 1, maxLength: 7 })
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('come' as const),
        texts,
        wantsTokens: fc.integer({ min: 0, max: 3 }).map((roll) => roll === 0),
        whenFull: fc.constantFrom('refuse' as const, 'wait' as const),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('finish' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('die' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(20) }) },
  ),
  { minLength: 1, maxLength: 40 },
)
const faults: fc.Arbitrary<Faults> = fc.record({
  refusedIds: fc.uniqueArray(fc.nat(TEXTS - 1), { maxLength: 1 }),
  lethalIds: fc.uniqueArray(fc.nat(TEXTS - 1), { maxLength: 1 }),
  nonFiniteIds: fc.uniqueArray(fc.nat(TEXTS - 1), { maxLength: 1 }),
  spoilingIds: fc.uniqueArray(fc.nat(TEXTS - 1), { maxLength: 1 }),
})
const lanes = fc.record({
  depth: fc.integer({ min: 1, max: 2 }),
  maxRows: fc.integer({ min: 1, max: 5 }),
  queueSize: fc.integer({ min: 7, max: 20 }),
  isCached: fc.boolean(),
})

/** A text's row; those that want token vectors have ids of their own, so that they are no duplicates of the others. */
function rowOf(text: number, wantsTokens: boolean): number[] {
  return Array.from({ length: 1 + (text % 3) }, () => text + (wantsTokens ? 100 : 0))
}

/** Fails where the device is given a row while it works on another like it. */
function watchDuplicates({ runner }: FakeLane): void {
  const underWay = new Set<string>()
  const run = runner.run
  Object.assign(runner, {
    run: async (batch: RaggedBatch) => {
      const rows = Array.from({ length: batch.bounds.length - 1 }, (_, b) =>
        batch.ids.subarray(batch.bounds[b], batch.bounds[b + 1]).join(),
      )
      for (const row of rows) {
        expect(underWay).not.toContain(row)
        underWay.add(row)
      }
      try {
        return await run(batch)
      } finally {
        for (const row of rows) underWay.delete(row)
      }
    },
  })
}

function send(fake: FakeLane, { texts, wantsTokens, whenFull }: Step & { readonly kind: 'come' }): Sent {
  const controller = new AbortController()
  const progress: number[] = []
  const onProgress = (done: number) => void progress.push(done)
  const options = { signal: controller.signal, whenFull, onProgress }
  const rows = texts.map((text) => rowOf(text, wantsTokens))
  const sent: Sent = { texts, wantsTokens, controller, progress, answer: undefined }
  void outcome(fake.lane.submit(requestOf(rows, { wantsTokens, options }))).then((answer) => {
    expect(sent.answer).toBeUndefined()
    sent.answer = answer
  })
  return sent
}

function act(fake: FakeLane, sent: Sent[], step: Step): void {
  if (step.kind === 'come') sent.push(send(fake, step))
  else if (step.kind === 'cancel') sent[step.which % Math.max(1, sent.length)]?.controller.abort()
  else if (step.kind === 'die') fake.runner.die()
  else if (fake.runner.heldCount > 0) fake.runner.finish()
}

function expectRight({ texts, wantsTokens, progress }: Sent, answer: LaneResult): void {
  const rows = texts.map((text) => rowOf(text, wantsTokens))
  expect([...answer.rows]).toEqual(rows.flatMap((ids) => echo(ids, 3)))
  expect(progress).toEqual(texts.map((_, index) => index + 1))
  const tokens = rows.map((ids) => Float32Array.from(ids.flatMap((id, index) => echoToken(id, index, 2))))
  expect(answer.tokens).toEqual(wantsTokens ? tokens : undefined)
}

/** An error is one that the request's own text, or something done to it, explains. */
function expectDeserved({ texts, controller }: Sent, ended: { code: unknown; message: string }, play: Play) {
  const { faults, died } = play
  const named = texts[Number(/^text (\d+)/.exec(ended.message)?.[1])] as number
  if (ended.code === 'cancelled') expect(controller.signal.aborted).toBe(true)
  else if (ended.code === 'inference_failed') expect(faults.refusedIds).toContain(named)
  else if (ended.code === 'non_finite_output') {
    expect([...faults.nonFiniteIds, ...faults.spoilingIds]).toContain(named)
  } else if (ended.code === 'poisoned_input') expect(died || faults.lethalIds.includes(named)).toBe(true)
  else expect(ended.code).toBe('overloaded')
}

interface Play {
  readonly faults: Faults
  readonly died: boolean
}

test.each([
  { name: 'on a device that computes everything', faulty: false },
  { name: 'on a device that has its faults', faulty: true },
])(
  '$name, each request is answered once and rightly, or was told why not; no row runs beside its duplicate, and nothing is left',
  async ({ faulty }) => {
    await fc.assert(
      fc.asyncProperty(steps, faults, lanes, async (steps, someFaults, { isCached, ...options }) => {
        const cache = isCached ? new ResultCache({ maxBytes: 3000 }) : undefined
        const fake = openLane({ ...options, cache })
        watchDuplicates(fake)
        for (const fault of faulty ? FAULTS : []) {
          for (const text of someFaults[fault]) fake.runner[fault].add(text).add(text + 100)
        }
        const sent: Sent[] = []
        for (const step of faulty ? steps : steps.filter(({ kind }) => kind !== 'die')) {
          act(fake, sent, step)
          await settle()
          expect(fake.lane.stats.queuedItems).toBeGreaterThanOrEqual(0)
          // What a dead thread gave back may pass it.
          if (!faulty) expect(fake.lane.stats.queuedItems).toBeLessThanOrEqual(options.queueSize)
        }
        await fake.runner.finishAll()
        const died = faulty && steps.some(({ kind }) => kind === 'die')
        for (const request of sent) {
          const { answer } = request
          expect(answer).toBeDefined()
          if (answer === undefined) continue
          if ('rows' in answer) expectRight(request, answer)
          else expectDeserved(request, answer, { faults: someFaults, died })
          if (!faulty && 'code' in answer) expect(['cancelled', 'overloaded']).toContain(answer.code)
        }
        expect(fake.lane.stats).toEqual(IDLE)
        // Nothing is left that a row like it would wait for.
        for (const fault of FAULTS) fake.runner[fault].clear()
        for (let text = 0; text < TEXTS; text++) {
          for (const wantsTokens of [false, true]) {
            const last = send(fake, { kind: 'come', texts: [text], wantsTokens, whenFull: 'refuse' })
            await fake.runner.finishAll()
            expectRight(last, last.answer as LaneResult)
          }
        }
      }),
      { numRuns: 150 },
    )
  },
)
