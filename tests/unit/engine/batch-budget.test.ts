import { expect, test } from 'vitest'
import { BatchBudget } from '../../../src/engine/batch-budget.ts'

function open() {
  return new BatchBudget({ maxRows: 32, maxTokens: 512, maxPaddedTokens: 1024 })
}

function rows(count: number, length: number): number[] {
  return Array<number>(count).fill(length)
}

test('is what it was given while everything runs', () => {
  const budget = open()
  budget.confirm(rows(8, 64))
  budget.confirm([9000])
  expect(budget.limits).toEqual({ maxRows: 32, maxTokens: 512, maxPaddedTokens: 1024 })
})

test('falls to half of a batch that found no room, padding in proportion', () => {
  const budget = open()
  budget.refuse(rows(8, 50))
  expect(budget.limits).toEqual({ maxRows: 32, maxTokens: 200, maxPaddedTokens: 400 })
})

test('rises to the largest of its halves that ran, and stays there', () => {
  const budget = open()
  budget.refuse([100, 100, 100, 50, 50])
  budget.confirm([100, 100])
  budget.confirm([100, 100, 50])
  budget.confirm([50])
  expect(budget.limits.maxTokens).toBe(250)
  // Nothing that is as large as what failed raises it: a single long row may run whatever the budget is.
  budget.confirm([400])
  budget.confirm([5000])
  expect(budget.limits.maxTokens).toBe(250)
})

test('falls again with every smaller batch that finds no room', () => {
  const budget = open()
  budget.refuse(rows(8, 50))
  budget.confirm(rows(4, 55))
  budget.refuse(rows(4, 45))
  expect(budget.limits.maxTokens).toBe(90)
  // A batch formed before, when more was allowed.
  budget.refuse(rows(8, 60))
  expect(budget.limits.maxTokens).toBe(90)
})

test('a batch that ran before the failure is no promise', () => {
  const budget = open()
  budget.confirm(rows(7, 55))
  budget.refuse(rows(8, 50))
  expect(budget.limits.maxTokens).toBe(200)
})

test('counts padding as a batch is admitted: half of the padded tokens', () => {
  const budget = open()
  // 118 tokens, 800 padded: a budget of 400 would admit it.
  budget.refuse([100, 1, 1, 1, 5, 5, 5, 0])
  expect(budget.limits).toMatchObject({ maxTokens: 200, maxPaddedTokens: 400 })
})

test('a row alone says nothing of batches', () => {
  const budget = open()
  budget.refuse([512])
  expect(budget.limits.maxTokens).toBe(512)
})

test('never falls below one token, so that a row always runs', () => {
  const budget = open()
  budget.refuse([1, 1])
  budget.refuse([1, 1])
  expect(budget.limits).toEqual({ maxRows: 32, maxTokens: 1, maxPaddedTokens: 2 })
})

test('a batch larger than the budget was does not raise it', () => {
  const budget = open()
  budget.refuse([900, 900])
  expect(budget.limits).toEqual({ maxRows: 32, maxTokens: 512, maxPaddedTokens: 1024 })
})
