import { expect, test } from 'vitest'
import { prepareImage } from '../../../src/media/prepare-image.ts'
import { PixelGate } from '../../../src/media/pixel-gate.ts'
import { patchPlaces } from '../../../src/media/patch-places.ts'
import type { PreparedMedia } from '../../../src/media/media.ts'
import type { ImageProcessing } from '../../../src/model/spec.ts'
import { readBytes, readPictures } from './pictures.ts'

const LIMITS = { maxPixels: 1_000_000, maxSeconds: 1 }
const PATCH = 8
const CLIP: ImageProcessing = {
  resize: { kind: 'shortest_edge', edge: 17 },
  resample: 'bicubic',
  crop: { height: 16, width: 16 },
  scale: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  patchSize: PATCH,
  leadingTokens: 0,
}
const HALF = [0.5, 0.5, 0.5] as const
const PLAIN: ImageProcessing = { ...CLIP, crop: undefined, mean: HALF, std: HALF }

const PROCESSINGS: Readonly<Record<string, ImageProcessing>> = {
  'shortest edge, cropped': CLIP,
  'a tall one': { ...CLIP, resize: { kind: 'shortest_edge', edge: 16 }, crop: { height: 24, width: 8 } },
  'cropped beyond its edges': { ...CLIP, resize: { kind: 'shortest_edge', edge: 11 } },
  'not resized': { ...CLIP, resize: undefined },
  'exact size': { ...PLAIN, resize: { kind: 'exact', height: 8, width: 24 } },
  'not normalized': {
    ...PLAIN,
    resize: { kind: 'exact', height: 16, width: 16 },
    mean: undefined,
    std: undefined,
  },
  patches: { ...PLAIN, resample: 'bilinear', resize: { kind: 'patches', maxPatches: 9, places: 3 } },
  'patches of a tall one': {
    ...PLAIN,
    resample: 'bilinear',
    resize: { kind: 'patches', maxPatches: 7, places: 3 },
  },
}

const blob = readBytes('prepared.bin')
const expected = new Float32Array(blob.buffer, 0, blob.byteLength / 4)

function prepare(file: string, processing: ImageProcessing, limits = LIMITS): Promise<PreparedMedia> {
  return prepareImage(readBytes(file), processing, { limits, gate: new PixelGate(1_000_000, 1) })
}

test.each(readPictures().prepared)(
  '$name: the numbers are those of transformers, to the last bit',
  async (prepared) => {
    const { name, file, offset, width, height } = prepared
    const { values, tokens, units } = await prepare(file, PROCESSINGS[name] as ImageProcessing)
    expect([tokens, units]).toEqual([(width * height) / PATCH ** 2, (width * height) / PATCH ** 2])
    const pixels = expected.subarray(offset, offset + 3 * width * height)
    expect([...values]).toEqual([...toPatches(pixels, { width, height })])
  },
)

test('leading tokens are lines of zeros, and are not counted as patches', async () => {
  const without = await prepare('photo.jpg', CLIP)
  const { values, tokens, units } = await prepare('photo.jpg', { ...CLIP, leadingTokens: 5 })
  expect([tokens, units]).toEqual([9, 4])
  const start = 5 * 3 * PATCH ** 2
  expect(values.subarray(0, start).every((value) => value === 0)).toBe(true)
  expect(values.subarray(start)).toEqual(without.values)
})

test('what is left of a patch at the right and at the bottom is dropped', async () => {
  const whole = await prepare('photo.jpg', { ...CLIP, resize: undefined, crop: undefined })
  expect(whole.tokens).toBe(Math.floor(61 / PATCH) * Math.floor(47 / PATCH))
})

test('patches of any number come with their places on the learned grid', async () => {
  const { places, tokens } = await prepare('photo.jpg', PROCESSINGS['patches'] as ImageProcessing)
  expect(tokens).toBe(9)
  expect(places).toEqual(patchPlaces({ rows: 3, columns: 3 }, { rows: 3, columns: 3 }))
  expect((await prepare('photo.jpg', CLIP)).places).toBeUndefined()
})

test('numbers and places lie in shared memory', async () => {
  const { values, places } = await prepare(
    'tall.png',
    PROCESSINGS['patches of a tall one'] as ImageProcessing,
  )
  expect(values.buffer).toBeInstanceOf(SharedArrayBuffer)
  expect(places?.buffer).toBeInstanceOf(SharedArrayBuffer)
})

test('equal numbers have one digest, whatever file they came from, and others have another', async () => {
  const one = await prepare('rgb.png', CLIP)
  expect(one.digest).toMatch(/^[0-9a-f]{64}$/)
  expect((await prepare('lzw.tif', CLIP)).digest).toBe(one.digest)
  expect((await prepare('444.jpg', CLIP)).digest).not.toBe(one.digest)
})

test('the same numbers in another shape have another digest', async () => {
  const black = { ...CLIP, resize: undefined, mean: undefined, std: undefined, scale: 0 }
  const tall = await prepare('rgb.png', { ...black, crop: { height: 16, width: 8 } })
  const wide = await prepare('rgb.png', { ...black, crop: { height: 8, width: 16 } })
  expect(tall.values).toEqual(wide.values)
  expect(tall.digest).not.toBe(wide.digest)
})

test('a picture that would grow beyond the limit is refused', async () => {
  const processing: ImageProcessing = {
    ...CLIP,
    resize: { kind: 'shortest_edge', edge: 500 },
    crop: undefined,
  }
  await expect(prepare('tall.png', processing)).rejects.toMatchObject({
    code: 'invalid_request',
    message:
      'the picture of 9 × 40 pixels becomes one of 500 × 2222; at most 1000000 are allowed (MEDIA_MAX_PIXELS)',
  })
})

test('of a line that grows long only what is cut out of it is computed', async () => {
  // 224 × 8,960,000 pixels, were all of it made
  const bytes = await makeLine(40_000)
  const processing: ImageProcessing = {
    ...CLIP,
    resize: { kind: 'shortest_edge', edge: 224 },
    crop: { height: 224, width: 224 },
  }
  const prepared = await prepareImage(bytes, processing, { limits: LIMITS, gate: new PixelGate(1, 1) })
  expect(prepared.units).toBe(784)
})

async function makeLine(width: number): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp')
  return sharp({ create: { width, height: 1, channels: 3, background: 'teal' } })
    .png()
    .toBuffer()
}

/** [3, height, width] → [patches, 3, 8, 8] */
function toPatches(pixels: Float32Array, { width, height }: { width: number; height: number }): Float32Array {
  const patches = new Float32Array(pixels.length)
  let to = 0
  for (let top = 0; top < height; top += PATCH)
    for (let left = 0; left < width; left += PATCH)
      for (let channel = 0; channel < 3; channel++)
        for (let y = top; y < top + PATCH; y++)
          for (let x = left; x < left + PATCH; x++)
            patches[to++] = pixels[(channel * height + y) * width + x] as number
  return patches
}
