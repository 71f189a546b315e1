import { expect, test } from 'vitest'
import { keyCheck } from '../../../../src/transports/http/authorize.ts'

test.each([undefined, '', 'Bearer anything'])('without a key to ask for, %j is right', (authorization) => {
  expect(() => keyCheck(undefined)(authorization)).not.toThrow()
})

test.each(['Bearer s3cret', 'bearer s3cret', 'BEARER   s3cret', 's3cret'])('%j is right', (authorization) => {
  expect(() => keyCheck('s3cret')(authorization)).not.toThrow()
})

test.each([
  '',
  'Bearer',
  'Bearer ',
  'Bearer s3cre',
  'Bearer s3crets',
  'S3cret',
  'Basic s3cret',
  's3cret s3cret',
])('%j is wrong', (authorization) => {
  expect(() => keyCheck('s3cret')(authorization)).toThrow(
    expect.objectContaining({
      code: 'unauthorized',
      message: 'the key in the Authorization header is not the API_KEY of this server',
    }),
  )
})

test('no header at all is told apart from a wrong key', () => {
  expect(() => keyCheck('s3cret')(undefined)).toThrow(
    expect.objectContaining({
      code: 'unauthorized',
      message: 'the Authorization header is missing; it must be "Bearer <API_KEY>"',
    }),
  )
})

test('a key that begins like a scheme is a key like others', () => {
  const check = keyCheck('Bearer of news')
  expect(() => check('Bearer Bearer of news')).not.toThrow()
  expect(() => check('of news')).toThrow()
})
