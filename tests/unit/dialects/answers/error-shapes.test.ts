import { describe, expect, test } from 'vitest'
import { deepinfraErrors, objectErrors, teiErrors } from '../../../../src/dialects/answers/error-shapes.ts'
import type { ErrorCode } from '../../../../src/errors.ts'
import { ERRORS, ServerError } from '../../../../src/errors.ts'

const CODES = Object.keys(ERRORS) as ErrorCode[]
const MESSAGE = 'text 3 has "quotes"'

describe.each(CODES)('%s', (code) => {
  const error = new ServerError(code, MESSAGE)

  test('is told to clients of objects in strings alone, wherever they look', () => {
    const body = objectErrors.body(error) as {
      error: Record<string, unknown>
      message: string
      detail: string
    }
    expect(body).toEqual({
      error: { message: MESSAGE, type: ERRORS[code].type, param: null, code: ERRORS[code].wire },
      message: MESSAGE,
      detail: MESSAGE,
    })
    const { message, type, code: wire } = body.error
    expect([message, type, wire].every((value) => typeof value === 'string' && value !== '')).toBe(true)
  })

  test('is told to clients of TEI in a string, and never with 503 or 422', () => {
    const body = teiErrors.body(error) as { error: string; error_type: string }
    expect(body.error).toBe(MESSAGE)
    expect(['Tokenizer', 'Validation', 'Overloaded', 'Backend', 'Unhealthy']).toContain(body.error_type)
    expect([503, 422]).not.toContain(teiErrors.status?.(error))
  })

  test('is told to clients of DeepInfra in a detail', () => {
    expect(deepinfraErrors.body(error)).toEqual({ detail: { error: MESSAGE } })
  })

  test('has no status that clients send anew for nothing', () => {
    expect([422, 424]).not.toContain(ERRORS[code].http)
  })
})

test('words of billing, at which LangChain gives up, are in no code', () => {
  for (const { type, wire } of Object.values(ERRORS)) expect(`${type} ${wire}`).not.toMatch(/quota|billing/)
})
