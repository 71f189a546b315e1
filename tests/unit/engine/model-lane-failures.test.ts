import { describe, expect, test } from 'vitest'
import { ServerError } from '../../../src/errors.ts'
import { firstIds, oneTokenRows, openLane, outcome, requestOf, together } from '../../fakes/lane.ts'
import { joinIds } from '../../fakes/rows.ts'
import { settle } from '../../fakes/runner.ts'

const IDLE = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }

function sizes(batches: readonly (readonly unknown[])[]): number[] {
  return batches.map((batch) => batch.length)
}

describe('a tokenizer that fails', () => {
  test('fails its request with its own error and leaves nothing in the queue', async () => {
    const { lane, runner } = openLane({ maxRows: 2 })
    const rows = oneTokenRows(0, 100)
    const tokenize = async (from: number, to: number) => {
      if (from >= 64) throw new ServerError('text_too_long', 'text 70 is too long')
      return joinIds(rows.slice(from, to))
    }
    const ended = outcome(lane.submit(requestOf(rows, { tokenize })))
    await settle()
    expect(await ended).toEqual({ code: 'text_too_long', message: 'text 70 is too long' })
    expect(lane.stats).toMatchObject({ queuedItems: 0, runningBatches: 1 })
    await runner.finishAll()
    expect(sizes(runner.batches)).toEqual([2])
    expect(lane.stats).toEqual(IDLE)
  })
})

describe('a batch that the device refuses', () => {
  test('is halved until only the culprit is left, and only its request fails', async () => {
    const fake = openLane({ maxRows: 8 })
    const { lane, runner } = fake
    runner.refusedIds.add(13)
    const [bad, good] = await together(fake, () => [
      outcome(lane.submit(requestOf([[10], [11], [12], [13]]))),
      lane.submit(requestOf([[20], [21], [22], [23]])),
    ])
    await runner.finishAll()
    expect(await bad).toEqual({ code: 'inference_failed', message: 'text 3: refused' })
    expect(firstIds(await good)).toEqual([20, 21, 22, 23])
    expect(runner.batches.map((batch) => batch.flat())).toEqual([
      [10, 11, 12, 13, 20, 21, 22, 23],
      [10, 11, 12, 13],
      [10, 11],
      [12, 13],
      [12],
      [13],
      [20, 21, 22, 23],
    ])
    expect(lane.stats).toEqual(IDLE)
  })

  test('fails at once where its only row is the culprit', async () => {
    const { lane, runner } = openLane()
    runner.refusedIds.add(5)
    const ended = outcome(lane.submit(requestOf([[5]], { noun: 'document' })))
    await runner.finishAll()
    expect(await ended).toEqual({ code: 'inference_failed', message: 'document 0: refused' })
    expect(sizes(runner.batches)).toEqual([1])
  })

  test('two culprits fail two requests', async () => {
    const fake = openLane({ maxRows: 8 })
    const { lane, runner } = fake
    runner.refusedIds.add(10).add(22)
    const [first, second, third] = await together(fake, () => [
      outcome(lane.submit(requestOf([[10], [11]]))),
      outcome(lane.submit(requestOf([[21], [22]]))),
      lane.submit(requestOf([[31], [32]])),
    ])
    await runner.finishAll()
    expect(await first).toMatchObject({ code: 'inference_failed', message: 'text 0: refused' })
    expect(await second).toMatchObject({ code: 'inference_failed', message: 'text 1: refused' })
    expect(firstIds(await third)).toEqual([31, 32])
    expect(lane.stats).toEqual(IDLE)
  })

  test('rows of a request that has failed do not run any more', async () => {
    const { lane, runner } = openLane({ maxRows: 4 })
    runner.refusedIds.add(0)
    const ended = outcome(lane.submit(requestOf(oneTokenRows(0, 12))))
    await runner.finishAll()
    expect(await ended).toMatchObject({ code: 'inference_failed' })
    // Halved twice down to row 0; its neighbour and the eight that waited are left alone.
    expect(runner.batches.map((batch) => batch.flat())).toEqual([[0, 1, 2, 3], [0, 1], [0]])
    expect(lane.stats).toEqual(IDLE)
  })

  test('an error of another kind fails every request of the batch, without a second try', async () => {
    const fake = openLane({ maxRows: 8 })
    const { lane, runner } = fake
    const ended = await together(fake, () => [
      outcome(lane.submit(requestOf([[10]]))),
      outcome(lane.submit(requestOf([[20]]))),
    ])
    await settle()
    runner.fail(new ServerError('internal', 'no model is loaded'))
    const expected = { code: 'internal', message: 'no model is loaded' }
    expect(await Promise.all(ended)).toEqual([expected, expected])
    expect(sizes(runner.batches)).toEqual([2])
    expect(lane.stats).toEqual(IDLE)
  })
})

describe('a row that is not finite', () => {
  test('runs once more by itself, then fails its own request, named, and no other', async () => {
    const fake = openLane({ maxRows: 8 })
    const { lane, runner } = fake
    runner.nonFiniteIds.add(12)
    const [bad, good] = await together(fake, () => [
      outcome(lane.submit(requestOf([[10], [11], [12]]))),
      lane.submit(requestOf([[20], [21], [22]])),
    ])
    await runner.finishAll()
    expect(await bad).toEqual({
      code: 'non_finite_output',
      message: 'text 2: fake-model computed a value that is not a finite number; nothing is returned',
    })
    expect(firstIds(await good)).toEqual([20, 21, 22])
    expect(runner.batches.slice(1)).toEqual([[[12]]])
    expect(lane.stats).toEqual(IDLE)
  })

  test('that spoils its neighbours fails alone, and they are answered', async () => {
    const fake = openLane({ maxRows: 8 })
    const { lane, runner } = fake
    runner.spoilingIds.add(12)
    const [bad, good] = await together(fake, () => [
      outcome(lane.submit(requestOf([[10], [11], [12]]))),
      lane.submit(requestOf([[20], [21], [22]])),
    ])
    await runner.finishAll()
    expect(await bad).toMatchObject({
      code: 'non_finite_output',
      message: expect.stringMatching(/^text 2: /),
    })
    expect(firstIds(await good)).toEqual([20, 21, 22])
    expect(lane.stats).toEqual(IDLE)
  })
})

describe('a failure while more of the request is tokenized', () => {
  test('ends the request without waiting for the tokenizer', async () => {
    const { lane, runner } = openLane({ maxRows: 64 })
    runner.refusedIds.add(0)
    const rows = oneTokenRows(0, 100)
    const tokenize = async (from: number, to: number) =>
      from === 0 ? joinIds(rows.slice(0, to)) : new Promise<never>(() => {})
    const ended = outcome(lane.submit(requestOf(rows, { tokenize })))
    await runner.finishAll()
    expect(await ended).toMatchObject({ code: 'inference_failed', message: 'text 0: refused' })
    expect(lane.stats).toEqual(IDLE)
  })
})
