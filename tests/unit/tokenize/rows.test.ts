import { describe, expect, test } from 'vitest'
import type { RowOptions } from '../../../src/tokenize/protocol.ts'
import { pairRows, singleRows } from '../../../src/tokenize/rows.ts'

const OPTIONS: RowOptions = {
  noun: 'text',
  firstIndex: 0,
  truncate: 'right',
  maxTokens: 6,
  vocabularySize: 1000,
}
const SINGLE = { before: [101], after: [102] }
const BARE = { before: [], after: [] }
const PAIR = { before: [101], between: [102], after: [102], typeZeroAfterFirst: 1 }

function encoded(...ids: number[]) {
  return { ids, length: ids.length, exact: true }
}

function rowsOf({ ids, bounds }: { ids: Int32Array; bounds: Int32Array }): number[][] {
  return Array.from({ length: bounds.length - 1 }, (_, b) => [...ids.subarray(bounds[b], bounds[b + 1])])
}

function refusal(act: () => unknown) {
  try {
    act()
  } catch (error) {
    const { code, message } = error as Error & { code: string }
    return { code, message }
  }
  throw new Error('nothing was refused')
}

describe('rows that are filled up', () => {
  const fill = { id: 9, tokens: 5 }

  test('have as many tokens as they shall have, the filling at their end', () => {
    const rows = singleRows([encoded(1), encoded(), encoded(1, 2, 3), encoded(1, 2, 3, 4)], SINGLE, 0, {
      ...OPTIONS,
      fill,
    })
    expect(rowsOf(rows)).toEqual([
      [101, 1, 102, 9, 9],
      [101, 102, 9, 9, 9],
      [101, 1, 2, 3, 102],
      [101, 1, 2, 3, 4, 102],
    ])
    expect([...rows.typeStarts]).toEqual([5, 5, 5, 6])
    expect([rows.textTokens, rows.truncatedRows]).toEqual([8, 0])
  })

  test('are filled up after they were cut', () => {
    const rows = singleRows([encoded(1, 2, 3, 4)], SINGLE, 0, { ...OPTIONS, maxTokens: 4, fill })
    expect(rowsOf(rows)).toEqual([[101, 1, 2, 102, 9]])
    expect(rows.truncatedRows).toBe(1)
  })

  test('with a token that the model lacks are refused', () => {
    const unknown = { ...OPTIONS, fill: { id: 1000, tokens: 5 } }
    expect(refusal(() => singleRows([encoded(1)], SINGLE, 0, unknown))).toMatchObject({
      code: 'model_invalid',
    })
  })
})

describe('a limit of a text by itself', () => {
  const side = { name: 'document', maxTokens: 2 }
  const asked = { ...OPTIONS, noun: 'document', side }

  test('counts its own tokens, and cuts it at the side that truncation cuts', () => {
    const rows = singleRows([encoded(1, 2), encoded(1, 2, 3)], SINGLE, 0, asked)
    expect(rowsOf(rows)).toEqual([
      [101, 1, 2, 102],
      [101, 1, 2, 102],
    ])
    expect([rows.textTokens, rows.truncatedRows]).toEqual([4, 1])
    const left = singleRows([encoded(1, 2, 3)], SINGLE, 0, { ...asked, truncate: 'left' })
    expect(rowsOf(left)).toEqual([[101, 2, 3, 102]])
  })

  test('that is passed is an error where nothing may be cut', () => {
    expect(refusal(() => singleRows([encoded(1, 2, 3)], SINGLE, 0, { ...asked, truncate: 'none' }))).toEqual({
      code: 'text_too_long',
      message: 'document 0 has 3 tokens; the request allows 2 of a document and truncation is off',
    })
  })
})

describe('single texts', () => {
  test('each stands between the special tokens, one after the other', () => {
    const rows = singleRows([encoded(1, 2), encoded(), encoded(3)], SINGLE, 0, OPTIONS)
    expect(rowsOf(rows)).toEqual([
      [101, 1, 2, 102],
      [101, 102],
      [101, 3, 102],
    ])
    expect([...rows.bounds]).toEqual([0, 4, 6, 9])
  })

  test('token types are 0 to the end of each row', () => {
    expect([...singleRows([encoded(1, 2), encoded()], SINGLE, 0, OPTIONS).typeStarts]).toEqual([4, 2])
  })

  test('only tokens of the texts are counted, and of cut texts those that stay', () => {
    expect(singleRows([encoded(1, 2), encoded(), encoded(3)], SINGLE, 0, OPTIONS).textTokens).toBe(3)
    expect(singleRows([encoded(1, 2, 3, 4, 5, 6)], SINGLE, 0, OPTIONS).textTokens).toBe(4)
  })

  test('a text of the very limit stays whole, a longer one loses the side that is cut', () => {
    const [fits, long] = [encoded(1, 2, 3, 4), encoded(1, 2, 3, 4, 5)]
    expect(rowsOf(singleRows([fits, long], SINGLE, 0, OPTIONS))).toEqual([
      [101, 1, 2, 3, 4, 102],
      [101, 1, 2, 3, 4, 102],
    ])
    expect(rowsOf(singleRows([fits, long], SINGLE, 0, { ...OPTIONS, truncate: 'left' }))).toEqual([
      [101, 1, 2, 3, 4, 102],
      [101, 2, 3, 4, 5, 102],
    ])
  })

  test('a limit below the special tokens still keeps the special tokens', () => {
    for (const truncate of ['left', 'right'] as const) {
      const rows = singleRows([encoded(1, 2)], SINGLE, 0, { ...OPTIONS, truncate, maxTokens: 1 })
      expect(rowsOf(rows)).toEqual([[101, 102]])
    }
  })

  test('tokens of a prompt that pooling leaves out are told with every row', () => {
    expect([...singleRows([encoded(1, 2), encoded(3)], SINGLE, 2, OPTIONS).unpooledTokens]).toEqual([2, 2])
  })
})

describe('pairs', () => {
  test('one first text goes with every second one', () => {
    const rows = pairRows([encoded(1)], [encoded(2, 3), encoded()], PAIR, OPTIONS)
    expect(rowsOf(rows)).toEqual([
      [101, 1, 102, 2, 3, 102],
      [101, 1, 102, 102],
    ])
    expect(rows.textTokens).toBe(4)
    expect([...rows.unpooledTokens]).toEqual([0, 0])
  })

  test('first texts of their own go with the second text beside them', () => {
    const rows = pairRows([encoded(1), encoded(2)], [encoded(3), encoded(4)], PAIR, OPTIONS)
    expect(rowsOf(rows)).toEqual([
      [101, 1, 102, 3, 102],
      [101, 2, 102, 4, 102],
    ])
  })

  test('token types turn to 1 where the template says, after the cut of the first text', () => {
    const long = encoded(1, 2, 3, 4, 5, 6, 7, 8)
    expect([...pairRows([long], [encoded(9)], PAIR, OPTIONS).typeStarts]).toEqual([4])
    expect([...pairRows([encoded(1)], [encoded(9)], PAIR, OPTIONS).typeStarts]).toEqual([3])
    const early = { ...PAIR, typeZeroAfterFirst: 0 }
    expect([...pairRows([encoded(1)], [encoded(9)], early, OPTIONS).typeStarts]).toEqual([2])
    const never = { ...PAIR, typeZeroAfterFirst: undefined }
    expect([...pairRows([encoded(1)], [encoded(9)], never, OPTIONS).typeStarts]).toEqual([5])
  })

  test('both sides are cut where asked', () => {
    const [first, second] = [encoded(1, 2, 3, 4), encoded(5, 6, 7, 8, 9)]
    expect(rowsOf(pairRows([first], [second], PAIR, OPTIONS))).toEqual([[101, 1, 102, 5, 6, 102]])
    expect(rowsOf(pairRows([first], [second], PAIR, { ...OPTIONS, truncate: 'left' }))).toEqual([
      [101, 4, 102, 8, 9, 102],
    ])
  })

  test('a side that was not read to its end counts for what it is judged to have', () => {
    const window = { ids: [1, 2, 3], length: 50, exact: false }
    const rows = pairRows([window], [encoded(7, 8, 9)], PAIR, { ...OPTIONS, maxTokens: 8 })
    expect(rowsOf(rows)).toEqual([[101, 1, 2, 3, 102, 7, 8, 102]])
  })
})

describe('refusals', () => {
  test('a text that is too long where truncation is off is named, with its tokens and the limit', () => {
    const options = { ...OPTIONS, truncate: 'none', firstIndex: 64 } as const
    expect(
      refusal(() => singleRows([encoded(1, 2, 3, 4), encoded(1, 2, 3, 4, 5)], SINGLE, 0, options)),
    ).toEqual({
      code: 'text_too_long',
      message: 'text 65 has 7 tokens; the model takes 6 and truncation is off',
    })
  })

  test('so is a pair that is too long together', () => {
    const options = { ...OPTIONS, truncate: 'none', noun: 'document', firstIndex: 10 } as const
    expect(rowsOf(pairRows([encoded(1)], [encoded(2, 3)], PAIR, options))).toHaveLength(1)
    expect(refusal(() => pairRows([encoded(1)], [encoded(2, 3), encoded(2, 3, 4)], PAIR, options))).toEqual({
      code: 'text_too_long',
      message: 'document 11 has 7 tokens; the model takes 6 and truncation is off',
    })
  })

  test('of a text that was not read to its end the tokens are given as about so many', () => {
    const window = { ids: [1, 2, 3, 4, 5], length: 50, exact: false }
    const options = { ...OPTIONS, truncate: 'none' } as const
    const message = 'text 0 has about 52 tokens; the model takes 6 and truncation is off'
    expect(refusal(() => singleRows([window], SINGLE, 0, options))).toEqual({
      code: 'text_too_long',
      message,
    })
    expect(refusal(() => pairRows([window], [encoded(1)], PAIR, options)).message).toContain(
      'about 54 tokens',
    )
  })

  test('a text of which nothing is left and nothing added is named', () => {
    const options = { ...OPTIONS, firstIndex: 5 }
    expect(refusal(() => singleRows([encoded(1), encoded()], BARE, 0, options))).toEqual({
      code: 'invalid_request',
      message: 'text 6 has no tokens; the model needs one',
    })
  })

  test('a token id past the vocabulary of the model is named, with its text and the limit', () => {
    const texts = [encoded(1, 999), encoded(2), encoded(3, 1000)]
    expect(refusal(() => singleRows(texts, SINGLE, 0, { ...OPTIONS, firstIndex: 64 }))).toEqual({
      code: 'model_invalid',
      message:
        'text 66 holds token id 1000; the model knows ids below 1000: the tokenizer does not belong to the weights',
    })
  })

  test('a special token past the vocabulary is refused too, in the first row', () => {
    expect(refusal(() => singleRows([encoded(1)], SINGLE, 0, { ...OPTIONS, vocabularySize: 101 }))).toEqual({
      code: 'model_invalid',
      message: expect.stringMatching(/^text 0 holds token id 101; the model knows ids below 101: /),
    })
  })

  test('an unknown id in the part that is cut off does no harm', () => {
    const rows = singleRows([encoded(1, 2, 3, 4, 5000)], SINGLE, 0, OPTIONS)
    expect(rowsOf(rows)).toEqual([[101, 1, 2, 3, 4, 102]])
  })
})
