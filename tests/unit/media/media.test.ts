import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { MediaThreads } from '../../../src/media/media.ts'
import type { ImageProcessing } from '../../../src/model/spec.ts'
import { readBytes } from './pictures.ts'
import { CLAP, wrapWav } from './sounds.ts'

const LIMITS = { maxPixels: 1_000_000, maxSeconds: 1 }
const WHY = 'it is damaged, ends early, or is of a kind that is not supported'
const PROCESSING: ImageProcessing = {
  resize: { kind: 'exact', height: 16, width: 16 },
  resample: 'bicubic',
  crop: undefined,
  scale: 1 / 255,
  mean: undefined,
  std: undefined,
  patchSize: 8,
  leadingTokens: 1,
}

const thread = new MediaThreads()
afterAll(() => thread.close())

test('pictures come back as numbers in shared memory', async () => {
  const { values, tokens, units } = await thread.prepareImage(readBytes('photo.jpg'), PROCESSING, LIMITS)
  expect([tokens, units, values.length]).toEqual([5, 4, 5 * 3 * 64])
  expect(values.buffer).toBeInstanceOf(SharedArrayBuffer)
})

test('what is wrong with a file is said, and others that are read beside it are not touched', async () => {
  const picture = readBytes('photo.jpg')
  const asked = [picture, picture.subarray(0, 900), Buffer.from('<svg/>'), picture, Buffer.alloc(0), picture]
  const results = await Promise.allSettled(
    asked.map((bytes) => thread.prepareImage(bytes, PROCESSING, LIMITS)),
  )
  const told = results.map((result) =>
    result.status === 'fulfilled' ? result.value.units : [result.reason.code, result.reason.message],
  )
  expect(told).toEqual([
    4,
    ['invalid_request', `the JPEG picture cannot be decoded: ${WHY}`],
    ['invalid_request', 'the file is SVG; a picture may be JPEG, PNG, WebP, GIF, TIFF, AVIF'],
    4,
    ['invalid_request', 'the file is empty; a picture may be JPEG, PNG, WebP, GIF, TIFF, AVIF'],
    4,
  ])
})

test('many at once all come back, each as alone', async () => {
  const files = [
    '444.jpg',
    'rgb.png',
    'moving.gif',
    'lossy.webp',
    'lzw.tif',
    'cmyk.jpg',
    'photo.jpg',
    'tall.png',
  ]
  const alone: string[] = []
  for (const file of files) alone.push((await prepareFile(file)).digest)
  expect(new Set(alone).size).toBeGreaterThan(5)
  const together = await Promise.all(Array.from({ length: 10 }, () => files.map(prepareFile)).flat())
  expect(together.map(({ digest }) => digest)).toEqual(Array.from({ length: 10 }, () => alone).flat())
})

test('the bytes stay the caller’s, and only they cross of a larger buffer', async () => {
  const picture = readBytes('rgb.png')
  const large = new Uint8Array(new ArrayBuffer(64 * 1024 * 1024))
  large.set(picture, 1000)
  const view = large.subarray(1000, 1000 + picture.length)
  const post = vi.spyOn((await import('node:worker_threads')).Worker.prototype, 'postMessage')
  const { digest } = await thread.prepareImage(view, PROCESSING, LIMITS)
  const [message] = post.mock.calls[0] as [{ ask: { bytes: Uint8Array } }]
  post.mockRestore()
  expect(message.ask.bytes.buffer.byteLength).toBe(picture.length)
  expect([...view]).toEqual([...picture])
  expect((await thread.prepareImage(picture, PROCESSING, LIMITS)).digest).toBe(digest)
})

test('a picture does not wait for minutes of sound', async () => {
  const both = new MediaThreads()
  const ended: string[] = []
  const minutes = wrapWav(new Uint8Array(180 * 44_100 * 2), { rate: 44_100 })
  const sound = both
    .prepareAudio(minutes, CLAP, { ...LIMITS, maxSeconds: 180 })
    .then(() => ended.push('sound'))
  const picture = both
    .prepareImage(readBytes('photo.jpg'), PROCESSING, LIMITS)
    .then(() => ended.push('picture'))
  await Promise.all([sound, picture])
  await both.close()
  expect(ended).toEqual(['picture', 'sound'])
})

describe('its thread', () => {
  const FILE = new URL('../../fakes/dying-media-thread.ts', import.meta.url)
  afterEach(() => vi.unstubAllEnvs())

  test('is started by the first call, and a call that it dies over is made once more', async () => {
    const mortal = new MediaThreads(FILE)
    vi.stubEnv('THREAD_DIES', 'yes')
    const prepared = mortal.prepareImage(readBytes('rgb.png'), PROCESSING, LIMITS)
    vi.unstubAllEnvs()
    expect(await prepared).toMatchObject({ units: 4 })
    await mortal.close()
  })

  test('comes up again after a call that killed it twice', async () => {
    const mortal = new MediaThreads(FILE)
    vi.stubEnv('THREAD_DIES', 'yes')
    const prepared = mortal.prepareImage(readBytes('rgb.png'), PROCESSING, LIMITS)
    await expect(prepared).rejects.toMatchObject({ code: 'thread_died' })
    vi.unstubAllEnvs()
    expect(await mortal.prepareImage(readBytes('rgb.png'), PROCESSING, LIMITS)).toMatchObject({ units: 4 })
    await mortal.close()
  })

  test('never comes up once it is closed', async () => {
    const closed = new MediaThreads(FILE)
    await closed.close()
    await expect(closed.prepareImage(readBytes('rgb.png'), PROCESSING, LIMITS)).rejects.toMatchObject({
      code: 'stopping',
    })
  })

  test('ends after the calls under way', async () => {
    const closing = new MediaThreads()
    const prepared = closing.prepareImage(readBytes('rgb.png'), PROCESSING, LIMITS)
    await closing.close()
    expect(await prepared).toMatchObject({ units: 4 })
  })
})

function prepareFile(file: string) {
  return thread.prepareImage(readBytes(file), PROCESSING, LIMITS)
}
