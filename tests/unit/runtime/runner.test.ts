import { expect, test } from 'vitest'
import { NO_ADAPTER, joinRows } from '../../../src/runtime/runner.ts'

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
