/** Token vectors on their way through a lane. */
import { expect, test } from 'vitest'
import { firstIds, openLane, outcome, requestOf, together } from '../../fakes/lane.ts'
import { settle } from '../../fakes/runner.ts'

/** As the fake device tells them: each token's id and its index. */
function tokensOf(ids: readonly number[]): Float32Array {
  return Float32Array.from(ids.flatMap((id, index) => [id, index]))
}

const ROWS = [[5, 6, 7], [8], [9, 10]]

test('each item gets those of its own tokens, beside its values', async () => {
  const { lane, runner } = openLane()
  const answer = lane.submit(requestOf(ROWS, { wantsTokens: true }))
  await runner.finishAll()
  const result = await answer
  expect(result.tokens).toEqual(ROWS.map(tokensOf))
  expect(firstIds(result)).toEqual([5, 8, 9])
})

test('they are copies: none keeps its batch alive, and none is shared', async () => {
  const { lane, runner } = openLane()
  const answer = lane.submit(requestOf([[5, 6], [5, 6], [7]], { wantsTokens: true }))
  await runner.finishAll()
  const [first, second] = (await answer).tokens ?? []
  expect(first?.buffer.byteLength).toBe(4 * 2 * 2)
  expect(second).toEqual(first)
  expect(second?.buffer).not.toBe(first?.buffer)
})

test('who does not want them gets none, in a batch with one who does too', async () => {
  const fake = openLane({ maxRows: 8 })
  const [plain, full] = await together(fake, () => [
    fake.lane.submit(requestOf([[1, 2], [3]])),
    fake.lane.submit(requestOf([[4], [5, 6]], { wantsTokens: true })),
  ])
  await fake.runner.finishAll()
  expect(fake.runner.batches).toEqual([[[1, 2], [3], [5, 6], [4]]])
  expect((await plain)?.tokens).toBeUndefined()
  expect((await full)?.tokens).toEqual([tokensOf([4]), tokensOf([5, 6])])
})

test('are not asked of the device where nobody wants them', async () => {
  const { lane, runner } = openLane()
  const asked: boolean[] = []
  const run = runner.run
  Object.assign(runner, {
    run: (batch: Parameters<typeof run>[0]) => {
      asked.push(batch.wantsTokens)
      return run(batch)
    },
  })
  const plain = lane.submit(requestOf([[1]]))
  await runner.finishAll()
  const full = lane.submit(requestOf([[1]], { wantsTokens: true }))
  await runner.finishAll()
  await Promise.all([plain, full])
  expect(asked).toEqual([false, true])
})

test('a row that ran again has the right ones', async () => {
  const { lane, runner } = openLane({ maxRows: 8 })
  const answer = lane.submit(requestOf(ROWS, { wantsTokens: true }))
  await settle()
  runner.die()
  await runner.finishAll()
  expect((await answer).tokens).toEqual(ROWS.map(tokensOf))
})

test('beside a row that is not finite, the others have theirs', async () => {
  const fake = openLane({ maxRows: 8 })
  fake.runner.nonFiniteIds.add(1)
  const [bad, good] = await together(fake, () => [
    outcome(fake.lane.submit(requestOf([[1, 1]], { wantsTokens: true }))),
    outcome(fake.lane.submit(requestOf(ROWS, { wantsTokens: true }))),
  ])
  await fake.runner.finishAll()
  expect(await bad).toMatchObject({ code: 'non_finite_output' })
  expect(await good).toMatchObject({ tokens: ROWS.map(tokensOf) })
})

test('a device that gives none fails the request', async () => {
  const { lane, runner } = openLane()
  const run = runner.run
  Object.assign(runner, {
    run: async (batch: Parameters<typeof run>[0]) => ({ ...(await run(batch)), tokens: undefined }),
  })
  const ended = outcome(lane.submit(requestOf([[1]], { wantsTokens: true })))
  await runner.finishAll()
  expect(await ended).toEqual({
    code: 'internal',
    message: 'fake-model was asked for token vectors and gave none',
  })
})
