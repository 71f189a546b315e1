import { afterEach, expect, test, vi } from 'vitest'
import { Threads } from '../../src/threads.ts'
import { IMAGE } from '../fakes/media-reader.ts'

const LIMITS = { maxPixels: 1, maxSeconds: 1 }

afterEach(() => vi.unstubAllEnvs())

test("ONNX Runtime's telemetry is off before the first thread can load it", async () => {
  vi.stubEnv('ORT_DISABLE_TELEMETRY', undefined)
  const threads = new Threads()
  expect(process.env['ORT_DISABLE_TELEMETRY']).toBe('1')
  await threads.close()
})

test('the media thread is made once, by whoever asks first, and ends with the others', async () => {
  const threads = new Threads()
  const { media } = threads
  expect(threads.media).toBe(media)
  await threads.close()
  await expect(media.prepareImage(new Uint8Array(1), IMAGE.processing, LIMITS)).rejects.toMatchObject({
    code: 'stopping',
  })
})
