import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ERRORS, ServerError, asServerError, fromWireError, toWireError } from '../../src/errors.ts'

test('docs/errors.md lists every code with its status and advice', () => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8')
  const rows = [...document.matchAll(/^\| `(\w+)` \| (\d+) \| (yes|no) \| (\w+) \| (\w+) \| .+ \|$/gm)].map(
    ([, code, http, retry, type, wire]) => [code, { http: Number(http), retry: retry === 'yes', type, wire }],
  )
  expect(Object.fromEntries(rows)).toEqual(ERRORS)
})

test('an error keeps its code and message across a thread', () => {
  const cloned = structuredClone(toWireError(new ServerError('text_too_long', 'text 3 is long')))
  expect(fromWireError(cloned)).toMatchObject({ code: 'text_too_long', message: 'text 3 is long' })
})

test('what is not our error becomes an internal one, its message and cause kept', () => {
  const cause = new TypeError('x is undefined')
  expect(asServerError(cause)).toMatchObject({ code: 'internal', message: 'x is undefined', cause })
  expect(toWireError('just text')).toEqual({ code: 'internal', message: 'just text' })
})
