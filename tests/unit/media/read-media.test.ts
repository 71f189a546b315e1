import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { PreparedMedia } from '../../../src/media/media.ts'
import type { ReadMediaOptions } from '../../../src/media/read-media.ts'
import { openMediaReader } from '../../../src/media/read-media.ts'
import type { MediaItem } from '../../../src/task.ts'
import { AUDIO, IMAGE } from '../../fakes/media-reader.ts'

const PROCESSING = { image: IMAGE.processing, audio: AUDIO.processing }
const PREPARED = { tokens: 1, units: 1, digest: 'd', values: new Float32Array(new SharedArrayBuffer(4)) }

/** What was prepared, as it was asked for. */
function open(options: Partial<ReadMediaOptions> = {}) {
  const asked: unknown[][] = []
  const prepare =
    (kind: string) =>
    async (...given: unknown[]): Promise<PreparedMedia> => {
      asked.push([kind, ...given])
      return PREPARED
    }
  const thread = { prepareImage: prepare('image'), prepareAudio: prepare('audio') }
  const limits = { maxPixels: 100, maxSeconds: 10, maxBytes: 4, timeoutMs: 5000 }
  return { asked, reader: openMediaReader({ thread, policy: 'public', ...limits, ...options }) }
}

function itemOf(source: MediaItem['source'], modality: MediaItem['modality'] = 'image'): MediaItem {
  return { modality, name: 'input[0]', source }
}

test('bytes are prepared as their modality asks, within the limits', async () => {
  const { reader, asked } = open()
  const bytes = Uint8Array.of(1, 2, 3, 4)
  expect(await reader.read(itemOf({ bytes }), PROCESSING)).toBe(PREPARED)
  await reader.read(itemOf({ bytes }, 'audio'), PROCESSING)
  const limits = { maxPixels: 100, maxSeconds: 10 }
  expect(asked).toEqual([
    ['image', bytes, IMAGE.processing, limits],
    ['audio', bytes, AUDIO.processing, limits],
  ])
})

test('bytes are held to the limit of a file that is fetched', async () => {
  const { reader, asked } = open()
  await expect(reader.read(itemOf({ bytes: new Uint8Array(5) }), PROCESSING)).rejects.toMatchObject({
    code: 'invalid_request',
    message: 'the file has 5 bytes; 4 are allowed (MEDIA_MAX_MB)',
  })
  expect(asked).toEqual([])
})

test('addresses are fetched by the policy, and what comes is prepared', async () => {
  const server = createServer((_, response) => response.end(Buffer.from([7, 8])))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const item = itemOf({ url: `http://${host}/picture` })
    const { reader, asked } = open({ policy: [host] })
    await reader.read(item, PROCESSING)
    expect(asked.map(([kind, bytes]) => [kind, bytes])).toEqual([['image', Uint8Array.of(7, 8)]])
    await expect(open({ policy: 'off' }).reader.read(item, PROCESSING)).rejects.toMatchObject({
      code: 'invalid_request',
    })
    await expect(open({ policy: [host], maxBytes: 1 }).reader.read(item, PROCESSING)).rejects.toMatchObject({
      code: 'invalid_request',
    })
  } finally {
    server.close()
  }
})

test('nothing is prepared for a request that was given up', async () => {
  const { reader, asked } = open()
  const signal = AbortSignal.abort()
  const reading = reader.read(itemOf({ bytes: Uint8Array.of(1) }), PROCESSING, signal)
  await expect(reading).rejects.toMatchObject({ code: 'cancelled' })
  expect(asked).toEqual([])
})

test('of a request that ends only what a thread has already is prepared, and others come between', async () => {
  const ends: (() => void)[] = []
  const given: number[] = []
  const prepareImage = (bytes: Uint8Array): Promise<PreparedMedia> => {
    given.push(bytes[0] as number)
    return new Promise((resolve) => ends.push(() => resolve(PREPARED)))
  }
  const { reader } = open({ thread: { prepareImage, prepareAudio: prepareImage } })
  const ending = new AbortController()
  const read = (value: number, signal?: AbortSignal) =>
    reader.read(itemOf({ bytes: Uint8Array.of(value) }), PROCESSING, signal).then(
      () => 'read',
      ({ code }: { code: string }) => code,
    )
  const all = [1, 2, 3, 4, 5, 6, 7].map((value) => read(value, ending.signal))
  const other = read(8)
  await setImmediate()
  expect(given).toEqual([1, 2, 3, 4])
  ends[0]?.()
  await setImmediate()
  ends[1]?.()
  await setImmediate()
  expect(given).toEqual([1, 2, 3, 4, 8, 5])
  ending.abort()
  for (const end of ends) end()
  expect(await other).toBe('read')
  expect(await Promise.all(all)).toEqual([...Array<string>(5).fill('read'), 'cancelled', 'cancelled'])
  expect(given).toHaveLength(6)
})

test('a modality that the model has no tower for is our own mistake', async () => {
  const { reader } = open()
  const item = itemOf({ bytes: Uint8Array.of(1) }, 'audio')
  await expect(reader.read(item, { image: IMAGE.processing })).rejects.toMatchObject({
    code: 'internal',
    message: 'the model has no tower for audio',
  })
})
