import { describe, expect, test } from 'vitest'
import { parseJson } from '../../../../src/transports/http/body.ts'

const parse = (text: string) => parseJson(Buffer.from(text))
const TOO_DEEP = 'the body has lists or objects in more than 200 levels'
const TOO_MANY_PARTS = 'the body has more than 200000 strings, lists and objects; send several requests'
const TOO_MANY_VALUES = 'the body has more than 1000000 values; send several requests'

function listOf(item: string, count: number): string {
  return `[${Array.from({ length: count }, () => item).join(',')}]`
}

test.each([
  '[]',
  '{"a":[1,{"b":null}],"c":"d"}',
  String.raw`["\\","\"[[[","\\\"{","{\\\\"]`,
  '"ü\u0000"'.replace('\u0000', ''),
])('%s is read as JSON.parse reads it', (text) => {
  expect(parse(text)).toEqual(JSON.parse(text))
})

test.each(['"', '"a', String.raw`"\"`, '[', '{"a"', ']]]]', '\\', '['.repeat(200)])(
  '%s, which is no JSON, is told so',
  (text) => {
    expect(() => parse(text)).toThrow(/^the body is not JSON: /)
  },
)

describe('levels', () => {
  test.each([
    ['lists', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('of %s may be 200', (_, open, close) => {
    const nested = (depth: number) => `${open.repeat(depth)}${open === '[' ? '' : 0}${close.repeat(depth)}`
    expect(() => parse(nested(200))).not.toThrow()
    expect(() => parse(nested(201))).toThrow(TOO_DEEP)
  })

  test('are those that are open at once', () => {
    expect(parse(listOf('[[]]', 1000))).toHaveLength(1000)
  })

  test('in a string are none', () => {
    expect(parse(JSON.stringify('[{"'.repeat(1000)))).toBe('[{"'.repeat(1000))
  })
})

describe('parts', () => {
  test.each([
    ['texts', '"a"', 199_999],
    ['lists', '[0]', 199_999],
    ['objects', '{}', 199_999],
    ['keys', '{"a":0}', 99_999],
  ])('of a body, as %s, may be 200,000', (_, item, count) => {
    expect(parse(listOf(item, count))).toHaveLength(count)
    expect(() => parse(listOf(item, count + 1))).toThrow(TOO_MANY_PARTS)
  })
})

test('numbers may be a million', () => {
  expect(parse(listOf('7', 1_000_001))).toHaveLength(1_000_001)
  expect(() => parse(listOf('7', 1_000_002))).toThrow(TOO_MANY_VALUES)
})

test('commas in a text count for nothing', () => {
  const text = ','.repeat(4_000_000)
  expect(parse(JSON.stringify(text))).toBe(text)
})

test.each([
  ['keys', (index: number) => `"${index.toString(36)}":0,`],
  ['lists', () => '[],'],
  ['objects of their own', (index: number) => `{"${index.toString(36)}":0},`],
])('thirty megabytes of %s hold nobody up for half a second', (name, part) => {
  const parts: string[] = []
  for (let index = 0, size = 0; size < 29_900_000; index++) size += (parts[index] = part(index)).length
  const body = Buffer.from(name === 'keys' ? `{${parts.join('')}"a":0}` : `[${parts.join('')}0]`)
  const start = performance.now()
  expect(() => parseJson(body)).toThrow(TOO_MANY_PARTS)
  expect(performance.now() - start).toBeLessThan(500)
})
