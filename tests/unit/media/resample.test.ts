import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Picture } from '../../../src/media/resample.ts'
import { resample } from '../../../src/media/resample.ts'
import type { ResizedCase } from './pictures.ts'
import { readBytes, readPictures } from './pictures.ts'

const { resized, hashes } = readPictures()
const blob = readBytes('resized.bin')

test.each(resized)('$filter: $input becomes $output as Pillow makes it, to the last bit', (resizedCase) => {
  const { offset, output } = resizedCase
  const expected = blob.subarray(offset, offset + output[0] * output[1] * 3)
  expect([...resizeWhole(resizedCase).pixels]).toEqual([...expected])
})

test.each(hashes)('$filter: $input becomes $output as Pillow makes it, by its hash', (resizedCase) => {
  const { pixels } = resizeWhole(resizedCase)
  expect(createHash('sha256').update(pixels).digest('hex')).toBe(resizedCase.sha256)
})

test.each([...resized, ...hashes])(
  '$filter: a part of $input → $output is that part of the whole',
  (resizedCase) => {
    const [width, height] = resizedCase.output
    const whole = resizeWhole(resizedCase)
    const across = { outputSize: width, first: width >> 2, count: Math.max(width >> 1, 1) }
    const down = { outputSize: height, first: height >> 1, count: Math.max(height >> 2, 1) }
    const part = resample(count(...resizedCase.input), { width: across, height: down }, resizedCase.filter)
    expect([part.width, part.height]).toEqual([across.count, down.count])
    const rows = Array.from({ length: down.count }, (_, row) => {
      const start = ((down.first + row) * width + across.first) * 3
      return [...whole.pixels.subarray(start, start + across.count * 3)]
    })
    expect([...part.pixels]).toEqual(rows.flat())
  },
)

function resizeWhole({ input, output: [width, height], filter }: Omit<ResizedCase, 'offset'>): Picture {
  return resample(
    count(...input),
    {
      width: { outputSize: width, first: 0, count: width },
      height: { outputSize: height, first: 0, count: height },
    },
    filter,
  )
}

/** As `count` of make-pictures.py. */
function count(width: number, height: number): Picture {
  const pixels = new Uint8Array(width * height * 3)
  let x = 1
  for (let index = 0; index < pixels.length; index++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0
    pixels[index] = x >>> 24
  }
  return { width, height, pixels }
}
