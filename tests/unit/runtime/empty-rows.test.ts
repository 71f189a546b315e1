import { expect, test } from 'vitest'
import { layOut } from '../../../src/runtime/feeds.ts'

test('a row without tokens weighs none, not even its neighbour', () => {
  const batch = {
    ids: Int32Array.of(5, 6, 7),
    bounds: Int32Array.of(0, 2, 2, 3),
    typeStarts: Int32Array.of(2, 0, 1),
    unpooledTokens: Int32Array.of(0, 0, 0),
    adapters: Int32Array.of(-1, -1, -1),
    wantsTokens: false,
  }
  const weights = layOut(batch, ['mean_weights']).get('mean_weights')
  expect([...(weights?.data ?? [])]).toEqual([0.5, 0.5, 0, 0, 0, 0, 0, 0, 1])
})

test('a batch of nothing but rows without tokens is laid out', () => {
  const batch = {
    ids: new Int32Array(),
    bounds: Int32Array.of(0, 0, 0),
    typeStarts: new Int32Array(2),
    unpooledTokens: new Int32Array(2),
    adapters: Int32Array.of(-1, -1),
    wantsTokens: false,
  }
  expect(layOut(batch, ['ids', 'mean_weights']).get('mean_weights')).toEqual({
    data: new Float32Array(),
    dims: [2, 0],
  })
})
