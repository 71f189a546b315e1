import { expect, test } from 'vitest'
import { keyOf, mediaKeyOf } from '../../../src/engine/row.ts'
import { NO_ADAPTER } from '../../../src/runtime/runner.ts'

const ROW = {
  ids: Int32Array.of(101, 7, 70_000, 102),
  typeStart: 4,
  unpooledTokens: 0,
  adapter: NO_ADAPTER,
  wantsTokens: false,
}

test('rows that the device sees alike have one key, wherever their ids are kept', () => {
  const ids = Int32Array.of(9, 9, ...ROW.ids, 9).subarray(2, 6)
  expect(keyOf({ ...ROW, ids })).toBe(keyOf(ROW))
})

test.each([
  ['an id', { ids: Int32Array.of(101, 8, 70_000, 102) }],
  ['the upper half of an id', { ids: Int32Array.of(101, 7, 70_000 - 65_536, 102) }],
  ['the order of ids', { ids: Int32Array.of(101, 70_000, 7, 102) }],
  ['one id more', { ids: Int32Array.of(101, 7, 70_000, 102, 0) }],
  ['the type start', { typeStart: 2 }],
  ['the unpooled tokens', { unpooledTokens: 1 }],
  ['an adapter', { adapter: 0 }],
  ['the wish for token vectors', { wantsTokens: true }],
])('%s tells rows apart', (_, change) => {
  expect(keyOf({ ...ROW, ...change })).not.toBe(keyOf(ROW))
})

test('what stands before the ids is not taken for one of them', () => {
  const one = { ...ROW, ids: Int32Array.of(1, 2), wantsTokens: false }
  const other = { ...ROW, ids: Int32Array.of(0, 1, 2), wantsTokens: false }
  expect(keyOf(one)).not.toBe(keyOf(other))
})

test('every key has the same length', () => {
  expect(keyOf(ROW)).toHaveLength(32)
  expect(keyOf({ ...ROW, ids: new Int32Array(512) })).toHaveLength(32)
})

test('media have keys as long as those of texts, by what reads them and by their digest', () => {
  const keys = [mediaKeyOf('image', 'aa'), mediaKeyOf('audio', 'aa'), mediaKeyOf('image', 'ab'), keyOf(ROW)]
  expect(keys.map(({ length }) => length)).toEqual([32, 32, 32, 32])
  expect(new Set(keys).size).toBe(4)
  expect(mediaKeyOf('image', 'aa')).toBe(keys[0])
})
