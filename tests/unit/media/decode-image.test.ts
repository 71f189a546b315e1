import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { decodeImage, readHeader } from '../../../src/media/decode-image.ts'
import type { Picture } from '../../../src/media/resample.ts'
import { readBytes, readPictures } from './pictures.ts'

const LIMITS = { maxPixels: 1_000_000, maxSeconds: 1 }
const expected = readBytes('decoded.bin')

async function decode(bytes: Uint8Array): Promise<Picture> {
  return decodeImage(bytes, await readHeader(bytes, LIMITS), LIMITS)
}

test.each(readPictures().decoded)('$file is decoded as Pillow decodes it', async (decodedCase) => {
  const { file, width, height, offset } = decodedCase
  const picture = await decode(readBytes(file))
  expect([picture.width, picture.height]).toEqual([width, height])
  expect([...picture.pixels]).toEqual([...expected.subarray(offset, offset + width * height * 3)])
})

test('AVIF is read, within a level of what was written', async () => {
  const { pixels, width, height } = await decode(readBytes('rgb.png'))
  const raw = { width, height, channels: 3 } as const
  const bytes = await sharp(pixels, { raw }).avif({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer()
  const picture = await decode(bytes)
  expect([picture.width, picture.height]).toEqual([width, height])
  const worst = Math.max(...picture.pixels.map((level, index) => Math.abs(level - (pixels[index] as number))))
  expect(worst).toBeLessThanOrEqual(1)
})

test('of grey in 16 bits the upper eight stay', async () => {
  const rows = [Uint8Array.of(0x12, 0xff, 0xab, 0x00), Uint8Array.of(0x00, 0xff, 0xff, 0xff)]
  const { pixels } = await decode(png({ width: 2, height: 2, depth: 16, color: 0 }, rows))
  expect([...pixels]).toEqual([0x12, 0xab, 0x00, 0xff].flatMap((level) => [level, level, level]))
})

test('a picture of one pixel is a picture', async () => {
  const picture = await decode(png({ width: 1, height: 1, depth: 8, color: 2 }, [Uint8Array.of(9, 8, 7)]))
  expect(picture).toMatchObject({ width: 1, height: 1 })
  expect([...picture.pixels]).toEqual([9, 8, 7])
})

describe('more pixels than are allowed are refused by the header', () => {
  test('of a PNG that holds nothing', async () => {
    const bomb = png({ width: 30_000, height: 30_000, depth: 8, color: 2 }, [])
    await expect(decode(bomb)).rejects.toMatchObject({
      code: 'invalid_request',
      message:
        'the PNG picture has 30000 × 30000 = 900000000 pixels; at most 1000000 are allowed (MEDIA_MAX_PIXELS)',
    })
  })

  test('and as many as are allowed are not', async () => {
    const bytes = readBytes('rgb.png')
    await expect(readHeader(bytes, { maxPixels: 13 * 11, maxSeconds: 1 })).resolves.toMatchObject({
      pixels: 143,
    })
    await expect(readHeader(bytes, { maxPixels: 13 * 11 - 1, maxSeconds: 1 })).rejects.toThrow(
      '13 × 11 = 143',
    )
  })
})

const FORMATS = 'a picture may be JPEG, PNG, WebP, GIF, TIFF, AVIF'
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'

describe('what is no picture is refused by its first bytes, and named', () => {
  test.each<[name: string, bytes: string | Uint8Array, found: string]>([
    ['nothing', '', 'empty'],
    ['an SVG', SVG, 'SVG'],
    [
      'an SVG behind a prologue',
      `\ufeff<?xml version="1.0"?>\n<!-- a --><!-- b -->\n<!DOCTYPE svg>${SVG}`,
      'SVG',
    ],
    ['HTML', '\n<!DOCTYPE html><html>', 'HTML'],
    ['HTML without a doctype', '<html><body>', 'HTML'],
    ['XML', '<?xml version="1.0"?><feed/>', 'XML'],
    ['a comment without an end', '<!-- '.repeat(400), 'of no known format'],
    ['a PDF', '%PDF-1.7\n', 'PDF'],
    ['a BMP', Uint8Array.from([0x42, 0x4d, 70, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0]), 'BMP'],
    ['HEIC', '\0\0\0\x18ftypheic\0\0\0\0', 'HEIC'],
    ['JPEG XL', Uint8Array.of(0xff, 0x0a, 1, 2), 'JPEG XL'],
    ['an icon', Uint8Array.of(0, 0, 1, 0, 1, 0), 'ICO'],
    ['text', 'a cat', 'of no known format'],
    [
      'random bytes',
      Uint8Array.from({ length: 500 }, (_, index) => (index * 197 + 31) % 251),
      'of no known format',
    ],
  ])('%s', async (_, bytes, found) => {
    await expect(decode(Buffer.from(bytes))).rejects.toMatchObject({
      code: 'invalid_request',
      message: `the file is ${found}; ${FORMATS}`,
    })
  })
})

describe('a file that ends early or is damaged is refused, and its format named', () => {
  test.each([
    ['photo.jpg', 0.5],
    ['photo.jpg', 0.95],
    ['progressive.jpg', 0.6],
    ['rgb.png', 0.5],
    ['lossy.webp', 0.5],
    ['hidden.gif', 0.5],
    ['lzw.tif', 0.5],
    ['photo.jpg', 0.02],
  ])('%s up to %d', async (file, share) => {
    const bytes = readBytes(file)
    await expect(decode(bytes.subarray(0, bytes.length * share))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(
        /^the (JPEG|PNG|WebP|GIF|TIFF) picture cannot be decoded: it is damaged, ends early, or/,
      ),
    })
  })

  test('a PNG whose header says more than it holds', async () => {
    const lying = png({ width: 300, height: 300, depth: 8, color: 2 }, [new Uint8Array(900)])
    await expect(decode(lying)).rejects.toThrow('the PNG picture cannot be decoded: ')
  })

  test('a PNG whose data are none', async () => {
    const bytes = readBytes('rgb.png')
    bytes.fill(0x55, 60, bytes.length - 20)
    await expect(decode(bytes)).rejects.toThrow('the PNG picture cannot be decoded: ')
  })
})

function png(
  { width, height, depth, color }: { width: number; height: number; depth: number; color: number },
  rows: readonly Uint8Array[],
): Buffer<ArrayBuffer> {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = depth
  header[9] = color
  const data = deflateSync(Buffer.concat(rows.flatMap((row) => [Buffer.of(0), row])))
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(name: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(name), data])
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  sum.writeUInt32BE(crc32(named))
  return Buffer.concat([length, named, sum])
}
