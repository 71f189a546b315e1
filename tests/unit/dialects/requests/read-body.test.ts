import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fieldsOf, firstField, notA, readBody } from '../../../../src/dialects/requests/read-body.ts'

const Body = z.looseObject({ count: z.int().nullish(), names: z.array(z.string()).nullish() })

test('a body is read with the fields that nobody declared', () => {
  expect(readBody(Body, { count: 1, other: [2] })).toEqual({ count: 1, other: [2] })
})

describe('a wrong body is refused', () => {
  test.each([
    [{ count: 'x' }, 'count is "x"; it must be a number'],
    [{ names: ['a', 5] }, 'names[1] is 5; it must be a string'],
    [
      { count: 1.5, names: {} },
      'count is 1.5; it must be a whole number; names is an object; it must be a list',
    ],
    [null, 'the request is null; it must be an object'],
    [undefined, 'the request is missing; it must be an object'],
    [[1], 'the request is a list of 1; it must be an object'],
  ])('%j: %s', (body, message) => {
    expect(() => readBody(Body, body)).toThrow(expect.objectContaining({ code: 'invalid_request', message }))
  })

  test('in the words of who reads it', () => {
    expect(() => readBody(Body, 5, 'input')).toThrow('input is 5; it must be an object')
  })

  test('with no more than five problems, however many there are', () => {
    const names = Array.from({ length: 10_000 }, () => 5)
    expect(() => readBody(Body, { names })).toThrow(
      [0, 1, 2, 3, 4].map((index) => `names[${index}] is 5; it must be a string`).join('; '),
    )
    try {
      readBody(Body, { names })
    } catch (error) {
      expect((error as Error).message).not.toContain('names[5]')
    }
  })
})

test('what is not what was wanted is told as it is, or as missing', () => {
  expect(notA('a list', 5, 'input').message).toBe('input is 5; it must be a list')
  expect(notA('a list', undefined, 'input').message).toBe('input is missing; it must be a list')
  expect(notA('a list', null, 'input').message).toBe('input is missing; it must be a list')
  expect(notA('a list', null, 'input').code).toBe('invalid_request')
})

test('fields are those of an object; nothing else has any', () => {
  expect(fieldsOf({ a: 1 })).toEqual({ a: 1 })
  for (const body of [undefined, null, ['a'], 'text', 5]) expect(fieldsOf(body)).toEqual({})
})

test('of several names the first counts that is given, or the first of all', () => {
  expect(firstField({ b: 1, c: 2 }, ['a', 'b', 'c'])).toBe('b')
  expect(firstField({ a: null, c: '' }, ['a', 'b', 'c'])).toBe('c')
  expect(firstField({}, ['a', 'b'])).toBe('a')
})

test('the field at fault is told to those who look for it', () => {
  const paramOf = (body: unknown) => {
    try {
      readBody(Body, body)
    } catch (error) {
      return (error as { param?: string }).param
    }
    throw new Error('it was read')
  }
  expect(paramOf({ count: 'x' })).toBe('count')
  expect(paramOf({ names: ['a', 5] })).toBe('names[1]')
  expect(paramOf([])).toBeUndefined()
})
