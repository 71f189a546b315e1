import { expect, test } from 'vitest'
import { keyCheck } from '../../../../src/transports/http/authorize.ts'

test.each([
  {},
  { authorization: '' },
  { authorization: 'Bearer anything' },
  { authorization: 'bearer None' },
])('without a key to ask for, %j is right', (headers) => {
  expect(() => keyCheck(undefined)(headers)).not.toThrow()
})

test.each([
  { authorization: 'Bearer s3cret' },
  { authorization: 'bearer s3cret' },
  { authorization: 'BEARER   s3cret' },
  { authorization: 's3cret' },
  { 'api-key': 's3cret' },
  { 'api-key': 's3cret', authorization: '' },
  { 'api-key': 's3cret', authorization: 'Bearer None' },
  { 'api-key': 'wrong', authorization: 'Bearer s3cret' },
])('%j is right', (headers) => {
  expect(() => keyCheck('s3cret')(headers)).not.toThrow()
})

test.each(['Bearer', 'Bearer ', 'Bearer s3cre', 'Bearer s3crets', 'S3cret', 'Basic s3cret', 's3cret s3cret'])(
  '%j is wrong',
  (authorization) => {
    expect(() => keyCheck('s3cret')({ authorization })).toThrow(
      expect.objectContaining({
        code: 'unauthorized',
        message: 'the key in the Authorization header is not the API_KEY of this server',
      }),
    )
  },
)

test.each(['wrong', 'Bearer s3cret', 's3cre'])('api-key: %s is wrong', (key) => {
  expect(() => keyCheck('s3cret')({ 'api-key': key })).toThrow(
    expect.objectContaining({
      code: 'unauthorized',
      message: 'the key in the api-key header is not the API_KEY of this server',
    }),
  )
})

test.each([{}, { authorization: '' }, { authorization: '', 'api-key': '' }])(
  'no key at all, as in %j, is told apart from a wrong one',
  (headers) => {
    expect(() => keyCheck('s3cret')(headers)).toThrow(
      expect.objectContaining({
        code: 'unauthorized',
        message: 'the Authorization header is missing; it must be "Bearer <API_KEY>"',
      }),
    )
  },
)

test('a key that begins like a scheme is a key like others', () => {
  const check = keyCheck('Bearer of news')
  expect(() => check({ authorization: 'Bearer Bearer of news' })).not.toThrow()
  expect(() => check({ authorization: 'of news' })).toThrow()
})
