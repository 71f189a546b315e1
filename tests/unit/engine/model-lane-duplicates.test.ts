/** Identical items at the same time: one is computed, all are answered, and each as if it were alone. */
import { describe, expect, test } from 'vitest'
import { ServerError } from '../../../src/errors.ts'
import { firstIds, oneTokenRows, openLane, outcome, requestOf, together } from '../../fakes/lane.ts'
import { joinIds } from '../../fakes/rows.ts'
import { settle } from '../../fakes/runner.ts'

const IDLE = { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 }

function open(options: Parameters<typeof openLane>[0] = {}) {
  const reused: string[] = []
  const onReuse = (count: number, source: string) => void reused.push(`${count} ${source}`)
  return { ...openLane({ maxRows: 8, onReuse, ...options }), reused }
}

/** A request that a test may cancel, and how it ends. */
function submitMortal({ lane }: ReturnType<typeof open>, rows: readonly (readonly number[])[]) {
  const controller = new AbortController()
  const ended = outcome(lane.submit(requestOf(rows, { options: { signal: controller.signal } })))
  return { controller, ended }
}

describe('a row like one that runs', () => {
  test('gets its result and never waits in line', async () => {
    const { lane, runner, reused } = open({ queueSize: 2 })
    const first = lane.submit(requestOf([[1, 2], [3]]))
    await settle()
    const second = lane.submit(requestOf([[3], [1, 2]]))
    await settle()
    expect(lane.stats).toMatchObject({ queuedItems: 0, waitingTokens: 0, runningBatches: 1 })
    runner.finish()
    expect([...(await first).rows]).toEqual([1, 2, 2, 3, 1, 3])
    expect([...(await second).rows]).toEqual([3, 1, 3, 1, 2, 2])
    expect(runner.batches).toHaveLength(1)
    expect(reused).toEqual(['2 duplicate'])
    expect(lane.stats).toEqual(IDLE)
  })

  test('runs by itself once that one is answered', async () => {
    const { lane, runner } = open()
    for (let time = 0; time < 2; time++) {
      const answer = lane.submit(requestOf([[1]]))
      await runner.finishAll()
      expect(firstIds(await answer)).toEqual([1])
    }
    expect(runner.batches).toEqual([[[1]], [[1]]])
  })

  test('is another row where it wants its token vectors', async () => {
    const { lane, runner } = open()
    const plain = lane.submit(requestOf([[1]]))
    await settle()
    const full = lane.submit(requestOf([[1]], { wantsTokens: true }))
    await runner.finishAll()
    expect((await plain).tokens).toBeUndefined()
    expect((await full).tokens).toEqual([Float32Array.of(1, 0)])
    expect(runner.batches).toHaveLength(2)
  })

  test('is answered though whoever asked first has gone, and that is no reuse', async () => {
    const fake = open()
    const { lane, runner, reused } = fake
    const { controller, ended } = submitMortal(fake, [[1]])
    await settle()
    const second = lane.submit(requestOf([[1]]))
    await settle()
    controller.abort()
    expect(await ended).toMatchObject({ code: 'cancelled' })
    runner.finish()
    expect(firstIds(await second)).toEqual([1])
    expect([runner.batches.length, reused]).toEqual([1, []])
  })

  test('counts as reuse, whatever else of its batch nobody waits for', async () => {
    const fake = open()
    const { runner, reused } = fake
    const { gone, answer } = await together(fake, () => ({
      gone: submitMortal(fake, [[1]]),
      answer: fake.lane.submit(requestOf([[2], [2]])),
    }))
    gone.controller.abort()
    await runner.finishAll()
    await answer
    expect([runner.batches, reused]).toEqual([[[[1], [2]]], ['1 duplicate']])
  })

  test('is answered by a batch that nobody waited for any more when it came', async () => {
    const fake = open()
    const { lane, runner } = fake
    const { controller, ended } = submitMortal(fake, [[1]])
    await settle()
    controller.abort()
    await ended
    const second = lane.submit(requestOf([[1]]))
    await runner.finishAll()
    expect(firstIds(await second)).toEqual([1])
    expect(runner.batches).toEqual([[[1]]])
  })
})

describe('rows that wait and are alike', () => {
  test('leave the queue together, whosever they are, and make room in it', async () => {
    const fake = open({ maxRows: 2 })
    const { lane, runner, reused } = fake
    const answers = await together(fake, () => [
      lane.submit(requestOf([[1], [2], [1]])),
      lane.submit(requestOf([[3], [1], [2]])),
    ])
    expect(runner.batches).toEqual([[[1], [2]]])
    expect(lane.stats).toMatchObject({ queuedItems: 1, waitingTokens: 1 })
    await runner.finishAll()
    expect((await Promise.all(answers)).map((answer) => firstIds(answer))).toEqual([
      [1, 2, 1],
      [3, 1, 2],
    ])
    expect(runner.batches).toEqual([[[1], [2]], [[3]]])
    expect(reused).toEqual(['3 duplicate'])
    expect(lane.stats).toEqual(IDLE)
  })

  test('are told as progress to every request they belong to', async () => {
    const fake = open()
    const told: string[] = []
    const watch = (name: string) => ({
      options: { onProgress: (done: number, of: number) => void told.push(`${name} ${done}/${of}`) },
    })
    const answers = await together(fake, () => [
      fake.lane.submit(requestOf([[1], [1], [1]], watch('a'))),
      fake.lane.submit(requestOf([[1]], watch('b'))),
    ])
    await fake.runner.finishAll()
    await Promise.all(answers)
    expect(told).toEqual(['b 1/1', 'a 1/3', 'a 2/3', 'a 3/3'])
  })

  test('are one row of a batch, and count as one where a wait is foretold', async () => {
    const rows: number[] = []
    const fake = open({ queueSize: 10, maxRows: 1, onBatch: (batch) => rows.push(batch.rows) })
    const { lane, runner, clock } = fake
    const plug = lane.submit(requestOf([[1], [1], [1], [1], [2], [3]]))
    // The longest of them does not count.
    for (const ms of [8000, 9000]) {
      await settle()
      clock.ms += ms
      runner.finish()
    }
    await settle()
    const waiting = lane.submit(requestOf(oneTokenRows(10, 10)))
    // eight seconds a row, and the batch under way
    await expect(lane.submit(requestOf([[4]]))).rejects.toMatchObject({ retryAfterMs: 16_000 })
    await runner.finishAll()
    await Promise.all([plug, waiting])
    expect(rows[0]).toBe(1)
  })

  test('are found before the tokenizer has read the rest of a job', async () => {
    const { lane, runner } = open({ maxRows: 64 })
    const rows = Array.from({ length: 150 }, (_, index) => [index % 3])
    const tokenize = async (from: number, to: number) => joinIds(rows.slice(from, to))
    const answer = lane.submit(requestOf(rows, { tokenize }))
    await runner.finishAll()
    expect(firstIds(await answer)).toEqual(rows.flat())
    expect(runner.batches).toEqual([[[0], [1], [2]]])
  })

  test('run once for whoever is left of those that wanted them', async () => {
    const fake = open()
    const { lane, runner } = fake
    const [gone, stays] = await together(fake, () => {
      const mortal = submitMortal(fake, [[1], [2]])
      const answer = lane.submit(requestOf([[1]]))
      return [mortal, answer] as const
    })
    gone.controller.abort()
    await gone.ended
    runner.finish()
    expect(firstIds(await stays)).toEqual([1])
    await runner.finishAll()
    expect(lane.stats).toEqual(IDLE)
  })
})

describe('a failure', () => {
  test.each([
    ['refused by the device', 'refusedIds', 'inference_failed', 'refused'],
    [
      'not finite',
      'nonFiniteIds',
      'non_finite_output',
      'fake-model computed a value that is not a finite number; nothing is returned',
    ],
  ] as const)('of a row %s tells each request of its own item', async (_, ids, code, what) => {
    const fake = open()
    const { lane, runner } = fake
    runner[ids].add(9)
    const ended = await together(fake, () => [
      outcome(lane.submit(requestOf([[1], [9]]))),
      outcome(lane.submit(requestOf([[9]], { noun: 'document' }))),
      outcome(lane.submit(requestOf([[2]]))),
    ])
    await runner.finishAll()
    const [first, second, third] = await Promise.all(ended)
    expect(first).toEqual({ code, message: `text 1: ${what}` })
    expect(second).toEqual({ code, message: `document 0: ${what}` })
    expect(third).toMatchObject({ textTokens: 1 })
    expect(lane.stats).toEqual(IDLE)
  })

  test('that ends the thread twice is told to every request, of its own item', async () => {
    const fake = open()
    const { lane, runner } = fake
    runner.lethalIds.add(9)
    const [first, second] = await together(fake, () => [
      outcome(lane.submit(requestOf([[1], [9]]))),
      outcome(lane.submit(requestOf([[9]], { noun: 'document' }))),
    ])
    await runner.finishAll()
    const what = 'ended the inference thread 2 times and is not tried again'
    expect(await first).toEqual({ code: 'poisoned_input', message: `text 1 ${what}` })
    expect(await second).toEqual({ code: 'poisoned_input', message: `document 0 ${what}` })
    expect(runner.batches.filter((batch) => batch.flat().includes(9))).toHaveLength(2)
    expect(lane.stats).toEqual(IDLE)
  })

  test('of another kind is told to every request as it is', async () => {
    const { lane, runner } = open()
    const first = outcome(lane.submit(requestOf([[1]])))
    await settle()
    const second = outcome(lane.submit(requestOf([[1]])))
    await settle()
    runner.fail(new ServerError('internal', 'no model is loaded'))
    const expected = { code: 'internal', message: 'no model is loaded' }
    expect(await Promise.all([first, second])).toEqual([expected, expected])
  })

  test('leaves nothing behind that a later row like it would wait for', async () => {
    const { lane, runner } = open()
    runner.refusedIds.add(1)
    const first = outcome(lane.submit(requestOf([[1]])))
    await runner.finishAll()
    await first
    runner.refusedIds.clear()
    const second = lane.submit(requestOf([[1]]))
    await runner.finishAll()
    expect(firstIds(await second)).toEqual([1])
  })
})

describe('a thread that dies', () => {
  test('has a row run again once for all, and takes in those that come meanwhile', async () => {
    const { lane, runner, reused } = open()
    const first = lane.submit(requestOf([[1], [2]]))
    await settle()
    const second = lane.submit(requestOf([[2]]))
    await settle()
    runner.die()
    await settle()
    expect(lane.stats).toMatchObject({ queuedItems: 1, waitingTokens: 1, runningBatches: 1 })
    const third = lane.submit(requestOf([[2], [1]]))
    await settle()
    expect(lane.stats).toMatchObject({ queuedItems: 1, waitingTokens: 1 })
    await runner.finishAll()
    expect((await Promise.all([first, second, third])).map((answer) => firstIds(answer))).toEqual([
      [1, 2],
      [2],
      [2, 1],
    ])
    expect(runner.batches).toEqual([[[1], [2]], [[1]], [[2]]])
    expect(reused).toEqual(['1 duplicate', '2 duplicate'])
    expect(lane.stats).toEqual(IDLE)
  })

  test('has it run again for the others where its first request goes meanwhile', async () => {
    const fake = open()
    const { lane, runner } = fake
    const { controller, ended } = submitMortal(fake, [[1], [2]])
    await settle()
    const second = lane.submit(requestOf([[2]]))
    await settle()
    runner.die()
    await settle()
    controller.abort()
    await ended
    expect(lane.stats.queuedItems).toBe(1)
    await runner.finishAll()
    expect(firstIds(await second)).toEqual([2])
    expect(lane.stats).toEqual(IDLE)
  })

  test('has nothing run again for which nobody waits, and a later row like it runs by itself', async () => {
    const fake = open()
    const { lane, runner } = fake
    const { controller, ended } = submitMortal(fake, [[1], [2]])
    await settle()
    runner.die()
    await settle()
    controller.abort()
    await ended
    expect(lane.stats).toMatchObject({ queuedItems: 0, waitingTokens: 0, runningBatches: 1 })
    const later = lane.submit(requestOf([[2]]))
    await runner.finishAll()
    expect(firstIds(await later)).toEqual([2])
    expect(runner.batches).toEqual([[[1], [2]], [[1]], [[2]]])
    expect(lane.stats).toEqual(IDLE)
  })

  test('over rows that nobody waits for leaves nothing behind', async () => {
    const fake = open()
    const { lane, runner } = fake
    const { controller, ended } = submitMortal(fake, [[1]])
    await settle()
    controller.abort()
    await ended
    runner.die()
    await settle()
    const later = lane.submit(requestOf([[1]]))
    await runner.finishAll()
    expect(firstIds(await later)).toEqual([1])
    expect(lane.stats).toEqual(IDLE)
  })
})

test('closing ends every request that waits for the same row', async () => {
  const { lane, runner } = open()
  const requests = [lane.submit(requestOf([[1]]))].map(outcome)
  await settle()
  requests.push(outcome(lane.submit(requestOf([[1]]))))
  await settle()
  await lane.close()
  for (const ended of requests) expect(await ended).toMatchObject({ code: 'stopping' })
  runner.die()
  await settle()
  expect(runner.batches).toHaveLength(1)
  expect(lane.stats).toEqual(IDLE)
})

test('a request of which duplicates run already comes as early as what is left of it', async () => {
  const fake = openLane({ maxRows: 1 })
  const answers = await together(fake, () => {
    // Rows of their own, then a chunk of those that the device has.
    const half = requestOf([...oneTokenRows(0, 64), ...Array.from({ length: 64 }, () => [999])])
    return [half, requestOf([Array.from({ length: 100 }, () => 5000)])].map((request) =>
      fake.lane.submit(request),
    )
  })
  await settle()
  expect(fake.runner.batches[0]).toEqual([[0]])
  await fake.runner.finishAll()
  await Promise.all(answers)
})

test('the speed of a lane is that of rows computed, however many items each of them answers', async () => {
  const { lane, runner, clock } = open({ maxRows: 4 })
  const sizes = Array.from({ length: 40 }, () => 4)
  const all = Array.from({ length: 10 }, () => lane.submit(requestOf(oneTokenRows(0, 40), { sizes })))
  await settle()
  for (let batch = 0; batch < 3; batch++) {
    clock.ms += 400
    runner.finish()
    await settle()
  }
  // 100 ms a token: a tenth of that where each of ten items counted
  const late = lane.submit(requestOf(oneTokenRows(50, 40), { sizes, options: { withinMs: 1 } }))
  expect(await outcome(late)).toMatchObject({
    code: 'deadline_exceeded',
    message: expect.stringContaining('needs about 4.0 s for the about 40 tokens'),
  })
  await runner.finishAll()
  await Promise.all(all)
})
