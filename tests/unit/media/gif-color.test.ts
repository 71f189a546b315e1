import { expect, test } from 'vitest'
import { findHiddenColor } from '../../../src/media/gif-color.ts'

const SCREEN = [...Buffer.from('GIF89a'), 1, 0, 1, 0]
const PALETTE = [10, 11, 12, 20, 21, 22]
const COMMENT = [0x21, 0xfe, 2, 65, 66, 0]
const FRAME = [0x2c, 0, 0, 0, 0, 1, 0, 1, 0]

function control(flags: number, index: number): number[] {
  return [0x21, 0xf9, 4, flags, 0, 0, index, 0]
}

test.each<[name: string, bytes: readonly number[], color: readonly number[] | undefined]>([
  [
    'its index is in the shared palette',
    [0x80, 0, 0, ...PALETTE, ...control(1, 1), ...FRAME, 0],
    [20, 21, 22],
  ],
  [
    'other blocks are passed over',
    [0x80, 0, 0, ...PALETTE, ...COMMENT, ...control(1, 1), ...FRAME, 0],
    [20, 21, 22],
  ],
  [
    'an index that is not in use does not count',
    [0x80, 0, 0, ...PALETTE, ...control(0, 1), ...FRAME, 0],
    [10, 11, 12],
  ],
  [
    'the frame has a palette of its own',
    [0x80, 0, 0, ...PALETTE, ...control(1, 0), ...FRAME, 0x80, 7, 8, 9, 1, 2, 3],
    [7, 8, 9],
  ],
  ['there is no palette', [0, 0, 0, ...control(1, 1), ...FRAME, 0], undefined],
  ['the index is beyond the palette', [0x80, 0, 0, ...PALETTE, ...control(1, 2), ...FRAME, 0], undefined],
  ['the file ends in a block', [0x80, 0, 0, ...PALETTE, 0x21, 0xfe, 200, 1, 2], undefined],
  ['the file ends in the palette', [0x87, 0, 0, ...PALETTE], undefined],
])('%s', (_, bytes, color) => {
  expect(findHiddenColor(Uint8Array.from([...SCREEN, ...bytes]))).toEqual(color)
})

test('a file that is only its name has none', () => {
  expect(findHiddenColor(Buffer.from('GIF89a'))).toBeUndefined()
})
