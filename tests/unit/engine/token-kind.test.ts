import { expect, test } from 'vitest'
import { keepVectors, kindOf, kindRowOptions } from '../../../src/engine/token-kind.ts'

const named = (name: string) => ({ name, ifUnknown: 'ignore' }) as const

test.each([
  ['query', 'query'],
  ['search_query', 'query'],
  ['retrieval.query', 'query'],
  ['code.query', 'query'],
  ['document', 'document'],
  ['passage', 'document'],
  ['classification', 'document'],
])('what is called %s is a %s', (name, kind) => {
  expect(kindOf(named(name))).toBe(kind)
})

test('what is called nothing, or has words of its own before it, is a document', () => {
  expect(kindOf(undefined)).toBe('document')
  expect(kindOf({ text: 'query: ' })).toBe('document')
  expect(kindOf({ text: 'words of mine', task: 'query' })).toBe('query')
})

const OPTIONS = {
  noun: 'text',
  firstIndex: 0,
  truncate: 'right',
  maxTokens: 128,
  vocabularySize: 1000,
} as const

test('a kind’s own limit goes above the tokenizer’s, and never above the device’s', () => {
  const limitOf = (maxTokens: number | undefined, tokenizerTokens: number | undefined) => {
    const rules = { skippedIds: [], ...(maxTokens && { maxTokens }) }
    return kindRowOptions(OPTIONS, rules, { tokenizerTokens, deviceTokens: 256 }).maxTokens
  }
  expect(limitOf(300, 200)).toBe(256)
  expect(limitOf(220, 200)).toBe(220)
  expect(limitOf(undefined, 200)).toBe(200)
  expect(limitOf(undefined, 512)).toBe(256)
  expect(limitOf(undefined, undefined)).toBe(256)
})

test('a kind is filled up as far as its rules say, and never above the device’s limit', () => {
  const fillOf = (rules: object, deviceTokens: number) =>
    kindRowOptions(OPTIONS, { skippedIds: [], ...rules }, { tokenizerTokens: 200, deviceTokens }).fill
  const expansion = { id: 7, tokens: 32, attended: false }
  expect(fillOf({ expansion }, 512)).toEqual({ id: 7, tokens: 32 })
  expect(fillOf({ expansion }, 16)).toEqual({ id: 7, tokens: 16 })
  expect(fillOf({}, 512)).toBeUndefined()
})

const ROW = {
  ids: Int32Array.of(1, 5, 6, 5, 2),
  tokens: Float32Array.of(9, 10, 11, 9, 20, 21, 9, 30, 31, 9, 40, 41, 9, 50, 51),
  rowWidth: 3,
  width: 2,
}

test('the last numbers of a token are its vector, and tokens that do not count have none', () => {
  expect([...keepVectors(ROW, { skippedIds: [] })]).toEqual([10, 11, 20, 21, 30, 31, 40, 41, 50, 51])
  expect([...keepVectors(ROW, { skippedIds: [5] })]).toEqual([10, 11, 30, 31, 50, 51])
  expect([...keepVectors(ROW, { skippedIds: [], skippedStart: 1 })]).toEqual([20, 21, 30, 31, 40, 41, 50, 51])
  expect([...keepVectors(ROW, { skippedIds: [2], keptIds: [2, 6] })]).toEqual([30, 31])
  expect(keepVectors(ROW, { skippedIds: [], keptIds: [77] })).toHaveLength(0)
})

test('what is kept is a copy: the batch that it comes from may go', () => {
  const whole = { ...ROW, tokens: ROW.tokens.slice(0, 10), rowWidth: 2 }
  const kept = keepVectors(whole, { skippedIds: [] })
  expect(kept).toEqual(whole.tokens)
  expect(kept.buffer).not.toBe(whole.tokens.buffer)
})
