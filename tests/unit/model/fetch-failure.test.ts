import { expect, test } from 'vitest'
import { ServerError } from '../../../src/errors.ts'
import { asFetchFailure } from '../../../src/model/fetch-failure.ts'

function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: it failed, write`), { code, syscall: 'write', errno: -1 })
}

test.each([
  ['ENOSPC', 'no space left under /cache (ENOSPC); what has arrived is kept'],
  ['EDQUOT', 'no space left under /cache (EDQUOT)'],
  ['EACCES', '/cache cannot be written to (EACCES); set HF_HOME'],
  ['EPERM', '/cache cannot be written to (EPERM); set HF_HOME'],
  ['EROFS', '/cache cannot be written to (EROFS); set HF_HOME'],
  ['EIO', 'the cache /cache fails: EIO: it failed'],
])('%s becomes a sentence with its cure', (code, message) => {
  const failure = asFetchFailure(diskError(code), 'org/m', '/cache')
  expect(failure).toBeInstanceOf(ServerError)
  expect(failure).toMatchObject({ code: 'load_failed', message: expect.stringContaining(message) as string })
  expect((failure as ServerError).message).toMatch(/^org\/m: /)
})

test('what is not of the disk stays as it is', () => {
  const errors = [new ServerError('load_failed', 'x'), new TypeError('a mistake'), 'text', undefined]
  expect(errors.map((error) => asFetchFailure(error, 'org/m', '/cache'))).toEqual(errors)
})
