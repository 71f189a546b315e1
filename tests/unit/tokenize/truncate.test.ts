import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { Tokenizer } from 'tokenizers'
import { describe, expect, test } from 'vitest'
import { truncatePair } from '../../../src/tokenize/rows.ts'
import { BUNDLED_MODEL } from '../../open-model.ts'

interface GoldenCase {
  readonly name: string
  readonly query: string
  readonly document: string
  readonly type_ids: readonly number[]
}

/** [CLS], [SEP], [SEP] */
const SPECIAL_TOKENS = 3

const length = fc.integer({ min: 0, max: 60 })
const maxTokens = fc.integer({ min: SPECIAL_TOKENS, max: 40 })

test('a pair that fits stays whole', () => {
  expect(truncatePair({ first: 5, second: 8 }, 16, SPECIAL_TOKENS)).toEqual({ first: 5, second: 8 })
  expect(truncatePair({ first: 0, second: 0 }, 16, SPECIAL_TOKENS)).toEqual({ first: 0, second: 0 })
})

test('only the longer side is cut while the shorter one fits its half', () => {
  expect(truncatePair({ first: 5, second: 50 }, 17, SPECIAL_TOKENS)).toEqual({ first: 5, second: 9 })
  expect(truncatePair({ first: 50, second: 5 }, 17, SPECIAL_TOKENS)).toEqual({ first: 9, second: 5 })
})

test('of an odd room the longer side gets the extra token, and of equal sides the second', () => {
  expect(truncatePair({ first: 50, second: 40 }, 16, SPECIAL_TOKENS)).toEqual({ first: 7, second: 6 })
  expect(truncatePair({ first: 40, second: 50 }, 16, SPECIAL_TOKENS)).toEqual({ first: 6, second: 7 })
  expect(truncatePair({ first: 50, second: 50 }, 16, SPECIAL_TOKENS)).toEqual({ first: 6, second: 7 })
})

test('a limit that the special tokens fill leaves nothing of the texts', () => {
  expect(truncatePair({ first: 5, second: 8 }, 3, SPECIAL_TOKENS)).toEqual({ first: 0, second: 0 })
  expect(truncatePair({ first: 5, second: 8 }, 1, SPECIAL_TOKENS)).toEqual({ first: 0, second: 0 })
})

test('no pair is ever over the limit, and none that was cut leaves room unused', () => {
  fc.assert(
    fc.property(length, length, maxTokens, (first, second, maxTokens) => {
      const kept = truncatePair({ first, second }, maxTokens, SPECIAL_TOKENS)
      expect(kept.first + kept.second).toBe(Math.min(first + second, maxTokens - SPECIAL_TOKENS))
      expect(kept.first).toBeGreaterThanOrEqual(0)
      expect(kept.second).toBeGreaterThanOrEqual(0)
      expect(kept.first).toBeLessThanOrEqual(first)
      expect(kept.second).toBeLessThanOrEqual(second)
    }),
  )
})

test('a side is cut only down to the other one', () => {
  fc.assert(
    fc.property(length, length, maxTokens, (first, second, maxTokens) => {
      const kept = truncatePair({ first, second }, maxTokens, SPECIAL_TOKENS)
      if (kept.first < first) expect(kept.first).toBeGreaterThanOrEqual(kept.second - 1)
      if (kept.second < second) expect(kept.second).toBeGreaterThanOrEqual(kept.first - 1)
    }),
  )
})

// Of longer texts the library for Node 0.23.2 first cuts each to the limit, so that it takes them for equal; the one for
// Python 0.23.3 does not, as the examples below show.
test('the tokenizers library cuts texts that fit alone to the same lengths', async () => {
  const native = Tokenizer.fromFile(`${BUNDLED_MODEL}/tokenizer.json`)
  native.disablePadding()
  await fc.assert(
    fc.asyncProperty(length, length, maxTokens, async (first, second, maxTokens) => {
      fc.pre(Math.max(first, second) <= maxTokens)
      native.setTruncation(maxTokens)
      const encoding = await native.encode('a '.repeat(first), 'b '.repeat(second))
      const sides = encoding.getSequenceIds()
      expect(truncatePair({ first, second }, maxTokens, SPECIAL_TOKENS)).toEqual({
        first: sides.filter((side) => side === 0).length,
        second: sides.filter((side) => side === 1).length,
      })
    }),
    { numRuns: 300 },
  )
})

describe.each([16, 17])('the pairs of a model of %i tokens', (maxTokens) => {
  const folder = new URL(`../../golden/bert/bert-cross-encoder-max-length-${maxTokens}/`, import.meta.url)
  const golden = JSON.parse(readFileSync(new URL('golden.json', folder), 'utf8')) as {
    readonly cases: readonly GoldenCase[]
  }
  const native = Tokenizer.fromFile(new URL('model/tokenizer.json', folder).pathname)
  native.disableTruncation()
  native.disablePadding()
  const lengthOf = async (text: string) =>
    (await native.encode(text, null, { addSpecialTokens: false })).getLength()

  test.each(golden.cases)('$name: both sides keep as many tokens as in Python', async (golden) => {
    const [first, second] = await Promise.all([lengthOf(golden.query), lengthOf(golden.document)])
    expect(truncatePair({ first, second }, maxTokens, SPECIAL_TOKENS)).toEqual({
      first: golden.type_ids.filter((type) => type === 0).length - 2,
      second: golden.type_ids.filter((type) => type === 1).length - 1,
    })
  })
})
