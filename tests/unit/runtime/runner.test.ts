import { expect, test } from 'vitest'
import { NO_ADAPTER, joinRows, modalityOf } from '../../../src/runtime/runner.ts'
import { mediaOf } from '../../fakes/media-reader.ts'

function row(ids: readonly number[], wantsTokens: boolean, adapter = NO_ADAPTER) {
  return { ids: Int32Array.from(ids), typeStart: 1, unpooledTokens: 2, adapter, wantsTokens }
}

test('rows become one batch, in their order', () => {
  expect(joinRows([row([7, 8, 9], false), row([4], false, 3)])).toEqual({
    ids: Int32Array.of(7, 8, 9, 4),
    bounds: Int32Array.of(0, 3, 4),
    typeStarts: Int32Array.of(1, 1),
    unpooledTokens: Int32Array.of(2, 2),
    adapters: Int32Array.of(NO_ADAPTER, 3),
    wantsTokens: false,
  })
})

test('a batch wants the vectors of tokens where any of its rows does', () => {
  expect(joinRows([row([1], false), row([2], true), row([3], false)]).wantsTokens).toBe(true)
})

test('rows of media hand on their numbers as they are, with their places where they have some', () => {
  const [one, two] = [mediaOf('image', 1, 2), mediaOf('image', 2, 1)]
  const rows = [row([0, 0], false), row([0], false)] as const
  const batch = joinRows([
    { ...rows[0], media: one },
    { ...rows[1], media: two },
  ])
  expect(batch.ids).toEqual(new Int32Array(3))
  expect(batch.media).toEqual({ modality: 'image', values: [one.values, two.values], places: undefined })
  expect(batch.media?.values[0]).toBe(one.values)
  const placed = joinRows([{ ...rows[0], media: { ...one, places: two.values } }])
  expect(placed.media?.places).toEqual([two.values])
  expect([modalityOf({ media: undefined }), modalityOf({ media: one })]).toEqual(['text', 'image'])
  expect(joinRows(rows).media).toBeUndefined()
})
