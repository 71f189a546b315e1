import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ServerError } from '../../../src/errors.ts'
import type { BudgetSearch } from '../../../src/runtime/find-batch-budget.ts'
import { findBatchBudget } from '../../../src/runtime/find-batch-budget.ts'

const SEARCH: BudgetSearch = { start: 16_384, ceiling: 16_384, maxRowTokens: 512, maxRows: 1000 }

const tokensOf = (lengths: readonly number[]) => lengths.reduce((sum, length) => sum + length, 0)
const paddedOf = (lengths: readonly number[]) => lengths.length * Math.max(...lengths)

/** A device with room for so many padded tokens; `tried` are the batches that it was given. */
function device(room: number, needOf = paddedOf) {
  const tried: (readonly number[])[] = []
  const run = async (lengths: readonly number[]) => {
    tried.push(lengths)
    if (needOf(lengths) > room) throw new ServerError('out_of_memory', 'no memory')
  }
  return { tried, run }
}

describe('where memory suffices', () => {
  test('the first and only batch is the largest that there will be', async () => {
    const { run, tried } = device(Infinity)
    expect(await findBatchBudget(run, SEARCH)).toEqual({ batchTokens: 16_384, longestRowFits: true })
    const [lengths = []] = tried
    expect(tried).toHaveLength(1)
    expect(Math.max(...lengths)).toBe(512)
    expect(tokensOf(lengths)).toBeLessThanOrEqual(16_384)
    expect(tokensOf(lengths)).toBeGreaterThan(0.97 * 16_384)
    // Padding doubles it, as far as a batch may go.
    expect(paddedOf(lengths)).toBe(2 * 16_384)
  })

  test('the start bounds it: nothing larger is tried', async () => {
    const { run, tried } = device(Infinity)
    expect((await findBatchBudget(run, { ...SEARCH, start: 5000 })).batchTokens).toBe(5000)
    expect(tried).toHaveLength(1)
  })

  test('a longest row beyond start and ceiling is tried all the same', async () => {
    const { run, tried } = device(Infinity)
    const search = { ...SEARCH, start: 0, maxRowTokens: 32_768 }
    expect(await findBatchBudget(run, search)).toEqual({ batchTokens: 16_384, longestRowFits: true })
    expect(tried).toEqual([[32_768, 1]])
  })

  test('no more rows are run than a batch may have', async () => {
    const { run, tried } = device(Infinity)
    await findBatchBudget(run, { ...SEARCH, ceiling: 2048, maxRows: 4 })
    expect(tried).toEqual([[512, 512, 512, 512]])
    await findBatchBudget(run, { ...SEARCH, maxRows: 1 })
    expect(tried[1]).toEqual([512])
  })
})

describe('where it does not', () => {
  test('batches get smaller until one fits, and an eighth of that stays free', async () => {
    const { run, tried } = device(15_000)
    const found = await findBatchBudget(run, SEARCH)
    expect(tried.map((lengths) => paddedOf(lengths))).toEqual([32_768, 24_576, 18_432, 13_824])
    expect(found).toEqual({ batchTokens: 6048, longestRowFits: true })
  })

  test('the longest row is tried by itself before it is given up', async () => {
    const { run, tried } = device(1500)
    const found = await findBatchBudget(run, { ...SEARCH, maxRowTokens: 1024 })
    expect(found.longestRowFits).toBe(true)
    expect(tried.filter((lengths) => lengths.length === 1)).toEqual([[1024]])
    expect(found.batchTokens).toBeGreaterThan(500)
  })

  test('a longest row that does not fit leaves a budget of middling ones', async () => {
    // As attention that is not fused needs it: the square of each row.
    const { run, tried } = device(8 * 512 * 512, (lengths) => lengths.length * Math.max(...lengths) ** 2)
    const found = await findBatchBudget(run, { ...SEARCH, maxRowTokens: 8192 })
    expect(found.longestRowFits).toBe(false)
    const longest = Math.max(...(tried.at(-1) ?? []))
    expect(longest).toBeLessThanOrEqual(512)
    expect(longest).toBeGreaterThan(400)
    expect(found.batchTokens).toBeGreaterThanOrEqual(1400)
  })

  test('a batch of one row is no longer than the tokens that are tried', async () => {
    const { run, tried } = device(1000)
    const found = await findBatchBudget(run, { ...SEARCH, maxRowTokens: 2048, maxRows: 1 })
    expect(tried).toEqual([[2048], [2048], [1536], [1152], [864]])
    expect(found).toEqual({ batchTokens: 756, longestRowFits: false })
  })

  test('a model that cannot run even the least is an error, the device’s own', async () => {
    const { run, tried } = device(10)
    await expect(findBatchBudget(run, SEARCH)).rejects.toMatchObject({ code: 'out_of_memory' })
    expect(tried.length).toBeLessThan(40)
  })
})

test('another failure ends the search at once', async () => {
  let count = 0
  const run = async () => {
    count++
    throw new ServerError('inference_failed', 'broken')
  }
  await expect(findBatchBudget(run, SEARCH)).rejects.toMatchObject({ code: 'inference_failed' })
  expect(count).toBe(1)
})

test('whatever the device, every batch that the budget admits fits', async () => {
  const cases = fc.record({
    room: fc.integer({ min: 200, max: 100_000 }),
    start: fc.integer({ min: 0, max: 40_000 }),
    ceiling: fc.integer({ min: 512, max: 32_768 }),
    maxRowTokens: fc.integer({ min: 1, max: 9000 }),
    maxRows: fc.integer({ min: 1, max: 300 }),
  })
  const property = fc.asyncProperty(cases, async ({ room, ...search }) => {
    const { run } = device(room)
    const { batchTokens, longestRowFits } = await findBatchBudget(run, search)
    expect(batchTokens).toBeGreaterThanOrEqual(1)
    expect(batchTokens).toBeLessThanOrEqual(Math.min(search.ceiling, search.maxRows * search.maxRowTokens))
    expect(longestRowFits).toBe(search.maxRowTokens <= room)
    // Rows may be padded to twice the tokens; one row alone runs whatever the budget is.
    const paddedTokens = Math.min(2 * batchTokens, search.maxRows * search.maxRowTokens)
    if (search.maxRows > 1) expect(paddedTokens).toBeLessThanOrEqual(Math.max(room, 2))
  })
  await fc.assert(property, { numRuns: 500 })
})
