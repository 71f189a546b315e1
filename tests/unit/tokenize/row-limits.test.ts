/** What a client may ask of rows: fewer tokens of a row, or of a side of a pair. */
import { describe, expect, test } from 'vitest'
import type { EncodedText } from '../../../src/tokenize/encode-long.ts'
import type { RowOptions, TokenizedRows } from '../../../src/tokenize/protocol.ts'
import { pairRows, singleRows } from '../../../src/tokenize/rows.ts'

const OPTIONS: RowOptions = {
  noun: 'document',
  firstIndex: 10,
  truncate: 'right',
  maxTokens: 10,
  vocabularySize: 1000,
}
const SINGLE = { before: [101], after: [102] }
const PAIR = { before: [101], between: [102], after: [102], typeZeroAfterFirst: 1 }

function encoded(...ids: number[]): EncodedText {
  return { ids, length: ids.length, exact: true }
}

function rowsOf({ ids, bounds }: TokenizedRows): number[][] {
  return Array.from({ length: bounds.length - 1 }, (_, b) => [...ids.subarray(bounds[b], bounds[b + 1])])
}

function single(options: Partial<RowOptions>, ...texts: EncodedText[]) {
  return singleRows(texts, SINGLE, 0, { ...OPTIONS, ...options })
}

function pair(options: Partial<RowOptions>, first: EncodedText, ...seconds: EncodedText[]) {
  return pairRows([first], seconds, PAIR, { ...OPTIONS, ...options })
}

/** A query, and a document, of so many tokens. */
function capped(query?: number, document?: number) {
  return {
    sides: {
      first: { name: 'query', maxTokens: query },
      second: { name: 'document', maxTokens: document },
    },
  }
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

describe('the limit of a client', () => {
  test('holds where it is below that of the model', () => {
    expect(rowsOf(single({ clientMaxTokens: 4 }, encoded(1, 2, 3)))).toEqual([[101, 1, 2, 102]])
    expect(rowsOf(single({ clientMaxTokens: 4, truncate: 'left' }, encoded(1, 2, 3)))).toEqual([
      [101, 2, 3, 102],
    ])
    expect(rowsOf(pair({ clientMaxTokens: 5 }, encoded(1, 2), encoded(3, 4)))).toEqual([
      [101, 1, 102, 3, 102],
    ])
  })

  test('does not raise that of the model', () => {
    const long = encoded(1, 2, 3, 4, 5, 6, 7, 8, 9)
    expect(rowsOf(single({ clientMaxTokens: 11 }, long))[0]).toHaveLength(10)
    expect(rowsOf(pair({ clientMaxTokens: 11 }, encoded(1), long))[0]).toHaveLength(10)
  })

  test('is named where truncation is off, and not the one of the model', () => {
    const options = { clientMaxTokens: 4, truncate: 'none' } as const
    expect(refusal(() => single(options, encoded(1), encoded(1, 2, 3)))).toEqual({
      code: 'text_too_long',
      message: 'document 11 has 5 tokens; the request allows 4 and truncation is off',
    })
    expect(refusal(() => pair(options, encoded(1), encoded(2)))).toEqual({
      code: 'text_too_long',
      message: 'document 10 has 5 tokens; the request allows 4 and truncation is off',
    })
    const raised = { clientMaxTokens: 11, truncate: 'none' } as const
    expect(refusal(() => single(raised, encoded(1, 2, 3, 4, 5, 6, 7, 8, 9))).message).toBe(
      'document 10 has 11 tokens; the model takes 10 and truncation is off',
    )
  })

  test('is refused where special tokens fill it, even for a text that has none', () => {
    expect(rowsOf(single({ clientMaxTokens: 3 }, encoded(1, 2)))).toEqual([[101, 1, 102]])
    expect(refusal(() => single({ clientMaxTokens: 2 }, encoded()))).toEqual({
      code: 'invalid_request',
      message:
        'a limit of 2 tokens leaves no room for text: the model adds 2 special tokens, so the least is 3',
    })
    expect(rowsOf(pair({ clientMaxTokens: 4 }, encoded(1), encoded(2)))).toEqual([[101, 102, 2, 102]])
    expect(refusal(() => pair({ clientMaxTokens: 3 }, encoded(), encoded()))).toEqual({
      code: 'invalid_request',
      message:
        'a limit of 3 tokens leaves no room for text: the model adds 3 special tokens, so the least is 4',
    })
  })
})

describe('the tokens of a side', () => {
  test('are cut to those that the side may have, though the pair would fit', () => {
    const rows = pair(capped(2, 1), encoded(1, 2, 3), encoded(4, 5), encoded(6))
    expect(rowsOf(rows)).toEqual([
      [101, 1, 2, 102, 4, 102],
      [101, 1, 2, 102, 6, 102],
    ])
    expect([...rows.typeStarts]).toEqual([4, 4])
    expect(rows.textTokens).toBe(6)
  })

  test('lose the left end where truncation says so', () => {
    const options = { ...capped(2, 1), truncate: 'left' } as const
    expect(rowsOf(pair(options, encoded(1, 2, 3), encoded(4, 5)))).toEqual([[101, 2, 3, 102, 5, 102]])
  })

  test('are cut before the pair is, so that the other side gets what is left', () => {
    const long = encoded(1, 2, 3, 4, 5, 6, 7, 8, 9)
    expect(rowsOf(pair(capped(2), long, long))).toEqual([[101, 1, 2, 102, 1, 2, 3, 4, 5, 102]])
    expect(rowsOf(pair(capped(undefined, 2), long, long))).toEqual([[101, 1, 2, 3, 4, 5, 102, 1, 2, 102]])
    expect(rowsOf(pair(capped(8), long, encoded(1, 2)))).toEqual([[101, 1, 2, 3, 4, 5, 102, 1, 2, 102]])
  })

  test('are never too many where truncation is off: the side is named, with its tokens and the limit', () => {
    const first = { ...capped(2), truncate: 'none' } as const
    expect(rowsOf(pair(first, encoded(1, 2), encoded(3)))).toHaveLength(1)
    expect(refusal(() => pair(first, encoded(1, 2, 3), encoded(3)))).toEqual({
      code: 'text_too_long',
      message: 'the query of document 10 has 3 tokens; the request allows 2 of a query and truncation is off',
    })
    const second = { ...capped(undefined, 2), truncate: 'none' } as const
    const window = { ids: [1, 2, 3], length: 40, exact: false }
    expect(refusal(() => pair(second, encoded(1), encoded(2, 3), window))).toEqual({
      code: 'text_too_long',
      message: 'document 11 has about 40 tokens; the request allows 2 of a document and truncation is off',
    })
  })
})

describe('rows that did not fit', () => {
  test('are counted where a text was cut, and not where it just fits', () => {
    const rows = single({ maxTokens: 4 }, encoded(1, 2), encoded(1, 2, 3), encoded(), encoded(4, 5, 6))
    expect(rows.truncatedRows).toBe(2)
  })

  test('are counted where a pair was cut, or a side of it', () => {
    const [short, long] = [encoded(1), encoded(1, 2, 3, 4, 5, 6, 7)]
    expect(pair({}, short, short, encoded(1, 2, 3, 4, 5, 6), long).truncatedRows).toBe(1)
    expect(pair(capped(undefined, 1), short, short, encoded(1, 2), long).truncatedRows).toBe(2)
    expect(pair(capped(1), encoded(1, 2), short, short).truncatedRows).toBe(2)
    expect(pair(capped(1), short, short).truncatedRows).toBe(0)
  })
})
