import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  COUNT,
  PROMPT_FIELDS,
  SWITCH,
  TRUNCATION_FIELDS,
  firstGiven,
  readPrompt,
  readTruncation,
} from '../../../../src/dialects/requests/fields.ts'

const Truncation = z.object(TRUNCATION_FIELDS)
const Prompt = z.object(PROMPT_FIELDS)

describe('a count', () => {
  test.each([
    [3, 3],
    ['3', 3],
    ['007', 7],
    [0, 0],
    [null, null],
    [undefined, undefined],
  ])('%j is %s', (given, read) => {
    expect(COUNT.parse(given)).toBe(read)
  })

  test.each([[-1], [1.5], ['-1'], ['1.5'], [''], [' 3'], ['3e2'], ['9'.repeat(16)], [1e300], [true], [[3]]])(
    '%j is none',
    (given) => {
      expect(COUNT.safeParse(given).success).toBe(false)
    },
  )
})

describe('a switch', () => {
  test.each([
    [true, true],
    [false, false],
    ['true', true],
    ['false', false],
    ['True', true],
    ['FALSE', false],
    [null, null],
    [undefined, undefined],
  ])('%j is %s', (given, read) => {
    expect(SWITCH.parse(given)).toBe(read)
  })

  test.each([['yes'], ['on'], [1], [0], [''], [{}]])('%j is none', (given) => {
    expect(SWITCH.safeParse(given).success).toBe(false)
  })
})

describe('what is cut off a long text', () => {
  test.each([
    [{}, undefined],
    [{ truncate: true }, undefined],
    [{ truncate: 'true' }, undefined],
    [{ truncation: true }, undefined],
    [{ truncate: null, truncation: null, truncation_side: null }, undefined],
    [{ truncate: false }, 'none'],
    [{ truncate: 'false' }, 'none'],
    [{ truncate: 'NONE' }, 'none'],
    [{ truncation: false }, 'none'],
    [{ truncate: null, truncation: false }, 'none'],
    [{ truncate: 'START' }, 'left'],
    [{ truncate: 'End' }, 'right'],
    [{ truncation_direction: 'Left' }, 'left'],
    [{ truncation_direction: 'right', truncate: true }, 'right'],
    [{ truncation_side: 'LEFT' }, 'left'],
    [{ truncation_direction: null, truncation_side: 'right' }, 'right'],
    // refusing to cut says more than the side that would have gone
    [{ truncate: false, truncation_direction: 'Right' }, 'none'],
    [{ truncate: 'START', truncation_direction: 'right' }, 'left'],
  ])('with %j is %s', (fields, truncate) => {
    expect(readTruncation(Truncation.parse(fields)).truncate).toBe(truncate)
  })

  test.each([
    [{}, undefined],
    [{ max_tokens: 8 }, 8],
    [{ truncate_prompt_tokens: 8 }, 8],
    [{ max_tokens: 0, truncate_prompt_tokens: '8' }, 8],
    [{ max_tokens: 4, truncate_prompt_tokens: 8 }, 4],
    [{ max_tokens: 0, truncate_prompt_tokens: null }, undefined],
    [{ truncate_prompt_tokens: -1 }, undefined],
    [{ max_tokens: -1, truncate_prompt_tokens: 8 }, 8],
  ])('is left by %j: %s tokens', (fields, maxTokens) => {
    expect(readTruncation(Truncation.parse(fields)).maxTokens).toBe(maxTokens)
  })
})

describe('what stands before a text', () => {
  test.each([
    [{}, undefined],
    [{ prompt: null, prompt_name: null, task: null, input_type: null }, undefined],
    [{ prompt: 'Query: ' }, { text: 'Query: ' }],
    [{ prompt: '' }, { text: '' }],
    [{ prompt_name: 'query' }, { name: 'query', ifUnknown: 'refuse' }],
    [{ task: 'retrieval.query' }, { name: 'retrieval.query', ifUnknown: 'ignore' }],
    [{ input_type: 'search_document' }, { name: 'search_document', ifUnknown: 'ignore' }],
    [{ prompt_name: '', task: '', input_type: '' }, undefined],
    [
      { prompt: 'own', prompt_name: 'a', task: 'b' },
      { text: 'own', task: 'b' },
    ],
    [
      { prompt: '', input_type: 'c' },
      { text: '', task: 'c' },
    ],
    [
      { prompt_name: 'a', task: 'b' },
      { name: 'a', ifUnknown: 'refuse', task: 'b' },
    ],
    [
      { task: 'b', input_type: 'c' },
      { name: 'b', ifUnknown: 'ignore' },
    ],
  ])('with %j is %j', (fields, prompt) => {
    expect(readPrompt(Prompt.parse(fields))).toEqual(prompt)
  })
})

test('of values the first that a client gave counts, though it be false, zero or empty', () => {
  expect(firstGiven(undefined, null, false, true)).toBe(false)
  expect(firstGiven(null, 0, 1)).toBe(0)
  expect(firstGiven('', 'a')).toBe('')
  expect(firstGiven(null, undefined)).toBeUndefined()
})
