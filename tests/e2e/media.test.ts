/** Pictures and sounds through a whole service: threads, towers, and texts beside them. */
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LogEvent } from '../../src/base/log.ts'
import { loadConfig } from '../../src/config.ts'
import { CPU } from '../../src/devices/device.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { openFolder } from '../../src/model/open-folder.ts'
import { InferenceThread } from '../../src/runtime/inference-thread.ts'
import { NO_ADAPTER, joinRows } from '../../src/runtime/runner.ts'
import type { RunningService } from '../../src/start.ts'
import { startService } from '../../src/start.ts'
import type { EmbedMediaTask, MediaItem } from '../../src/task.ts'

const CLIP = folderOf('_vision/clip')
const VIT = folderOf('_vision/vit')
const CLAP = folderOf('clap/clap-unfused')

function folderOf(name: string): string {
  return fileURLToPath(new URL(`../golden/${name}/model`, import.meta.url))
}

let service: RunningService
let engine: Engine
const logged: LogEvent[] = []
beforeAll(async () => {
  const env = { MODEL_NAMES: `clip=${CLIP};vit=${VIT};clap=${CLAP}`, DTYPES: 'fp32;int8;fp32' }
  service = await startService({ config: loadConfig(env, []), log: (_, event) => void logged.push(event) })
  engine = service.engine
})
afterAll(() => service?.close())

function embed(model: string | undefined, items: EmbedMediaTask['items'], signal?: AbortSignal) {
  return engine.embedMedia({ kind: 'embed_media', model, items }, { signal })
}

/** Edges of a picture as the models here read them. */
const SIZE = 32

/** RGB, by a rule of its own for each seed. */
function pixelsOf(seed: number): Uint8Array {
  return Uint8Array.from({ length: 3 * SIZE * SIZE }, (_, index) => (index * (2 * seed + 1) * 7 + seed) % 256)
}

async function picture(seed: number, index: number): Promise<MediaItem> {
  const raw = { width: SIZE, height: SIZE, channels: 3 as const }
  const bytes = await sharp(pixelsOf(seed), { raw }).png().toBuffer()
  return { modality: 'image', name: `input[${index}]`, source: { bytes: new Uint8Array(bytes) } }
}

/** A tone in mono, 16 bits, 48,000 samples a second. */
function sound(hertz: number, seconds: number, index: number): MediaItem {
  const rate = 48_000
  const count = rate * seconds
  const view = new DataView(new ArrayBuffer(44 + 2 * count))
  const write = (at: number, text: string) => new Uint8Array(view.buffer).set(Buffer.from(text, 'latin1'), at)
  write(0, 'RIFF')
  view.setUint32(4, 36 + 2 * count, true)
  write(8, 'WAVEfmt ')
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, rate, true)
  view.setUint32(28, 2 * rate, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  write(36, 'data')
  view.setUint32(40, 2 * count, true)
  for (let n = 0; n < count; n++)
    view.setInt16(44 + 2 * n, 20_000 * Math.sin((2 * Math.PI * hertz * n) / rate), true)
  return { modality: 'audio', name: `input[${index}]`, source: { bytes: new Uint8Array(view.buffer) } }
}

function rowsOf(vectors: Float32Array, dimensions: number): number[][] {
  return Array.from({ length: vectors.length / dimensions }, (_, row) => [
    ...vectors.subarray(row * dimensions, (row + 1) * dimensions),
  ])
}

/** The greatest difference of two vectors' numbers. */
function distance(one: readonly number[] = [], other: readonly number[] = []): number {
  expect(one).toHaveLength(other.length)
  return Math.max(...one.map((value, index) => Math.abs(value - (other[index] ?? NaN))))
}

/** What the tower makes of a picture that is laid out here, by the rules of CLIP's preparation. */
async function computeByHand(seeds: readonly number[]): Promise<number[][]> {
  const spec = await openFolder(CLIP)
  const { patchSize, mean = [0, 0, 0], std = [1, 1, 1] } = spec.image?.processing ?? { patchSize: 1 }
  const across = SIZE / patchSize
  const rows = seeds.map((seed) => {
    const pixels = pixelsOf(seed)
    // Nothing before the patches: there stands the learned token.
    const lines: number[] = Array<number>(3 * patchSize * patchSize).fill(0)
    for (let patch = 0; patch < across * across; patch++)
      for (let channel = 0; channel < 3; channel++)
        for (let y = 0; y < patchSize; y++)
          for (let x = 0; x < patchSize; x++) {
            const [top, left] = [Math.floor(patch / across) * patchSize, (patch % across) * patchSize]
            const value = (pixels[3 * ((top + y) * SIZE + left + x) + channel] ?? 0) / 255
            lines.push((value - (mean[channel] ?? 0)) / (std[channel] ?? 1))
          }
    const values = new Float32Array(new SharedArrayBuffer(4 * lines.length))
    values.set(lines)
    const ids = new Int32Array(across * across + 1)
    const row = { typeStart: ids.length, unpooledTokens: 0, adapter: NO_ADAPTER, wantsTokens: false }
    return { ...row, ids, media: { modality: 'image' as const, values } }
  })
  const thread = new InferenceThread()
  try {
    const runner = await thread.load(spec, { target: 'cpu-f32', device: CPU, threadCount: 1 })
    const { rows: made } = await runner.run(joinRows(rows))
    const { outputWidth, vectorWidth } = runner.limits
    return rowsOf(made, outputWidth).map((row) => row.slice(0, vectorWidth))
  } finally {
    await thread.close()
  }
}

describe('pictures', () => {
  test('have the vectors that the tower makes of them, whatever else is in the request', async () => {
    const items = ['a dog', await picture(1, 1), 'the sea', await picture(2, 3)]
    const { vectors, dimensions } = await embed('clip', items)
    const [dog, one, sea, two] = rowsOf(vectors, dimensions)
    const [oneByHand, twoByHand] = await computeByHand([1, 2])
    expect(distance(one, oneByHand)).toBeLessThan(1e-6)
    expect(distance(two, twoByHand)).toBeLessThan(1e-6)
    expect(distance(one, two)).toBeGreaterThan(0.01)
    const texts = ['a dog', 'the sea']
    const alone = await engine.embed({ kind: 'embed', model: 'clip', texts })
    const [dogAlone, seaAlone] = rowsOf(alone.vectors, dimensions)
    expect(distance(dog, dogAlone)).toBeLessThan(1e-6)
    expect(distance(sea, seaAlone)).toBeLessThan(1e-6)
  })

  test('count for their patches, and texts for their tokens', async () => {
    const counts = await Promise.all([
      embed('clip', [await picture(1, 0)]),
      embed('clip', [await picture(1, 0), await picture(2, 1), 'a dog']),
      engine.embed({ kind: 'embed', model: 'clip', texts: ['a dog'] }),
    ])
    const [picturesTokens = 0, mixed = 0, text = 0] = counts.map(({ promptTokens }) => promptTokens)
    expect(picturesTokens).toBe(16)
    expect(mixed).toBe(2 * 16 + text)
  })

  test('have one vector each where there are more than are read at a time', async () => {
    const items = await Promise.all(Array.from({ length: 70 }, (_, index) => picture(index, index)))
    const { vectors, dimensions } = await embed('clip', items)
    const [first] = rowsOf((await embed('clip', [await picture(69, 0)])).vectors, dimensions)
    expect(rowsOf(vectors, dimensions)).toHaveLength(70)
    expect(distance(rowsOf(vectors, dimensions)[69], first)).toBeLessThan(1e-6)
  })

  test('that are none are named, and requests beside them are answered', async () => {
    const broken: MediaItem = {
      modality: 'image',
      name: 'input[1]',
      source: { bytes: Uint8Array.of(1, 2, 3) },
    }
    const [good, bad] = await Promise.allSettled([
      embed('clip', [await picture(3, 0)]),
      embed('clip', ['a dog', broken]),
    ])
    expect(good.status).toBe('fulfilled')
    expect(bad).toMatchObject({
      reason: { code: 'invalid_request', message: expect.stringMatching(/^input\[1\]: /) },
    })
  })

  test('are refused where their files are larger than is allowed', async () => {
    const large: MediaItem = {
      modality: 'image',
      name: 'input[0]',
      source: { bytes: new Uint8Array(20_000_001) },
    }
    await expect(embed('clip', [large])).rejects.toMatchObject({
      code: 'invalid_request',
      message: 'input[0]: the file has 20000001 bytes; 20000000 are allowed (MEDIA_MAX_MB)',
    })
  })

  test('at addresses of this machine are not fetched', async () => {
    const local: MediaItem = {
      modality: 'image',
      name: 'input[0]',
      source: { url: 'http://127.0.0.1:9/a.png' },
    }
    await expect(embed('clip', [local])).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^input\[0\]: /),
    })
  })
})

describe('models', () => {
  test('say what they can', () => {
    const found = engine.models().map(({ id, capabilities, healthy }) => [id, capabilities, healthy])
    expect(found).toEqual([
      ['clip', ['embed', 'image_embed'], true],
      ['vit', ['image_embed'], true],
      ['clap', ['embed', 'audio_embed'], true],
    ])
  })

  test('without texts embed pictures, and refuse texts', async () => {
    const { vectors } = await embed('vit', [await picture(1, 0)])
    expect(Math.hypot(...vectors)).toBeCloseTo(1, 5)
    await expect(engine.embed({ kind: 'embed', model: 'vit', texts: ['a'] })).rejects.toMatchObject({
      code: 'wrong_task',
      message: expect.stringContaining('Models that can: clip, clap.'),
    })
  })

  test('without texts are computed in fp32 where int8 is asked for, which is told', () => {
    expect(logged).toContainEqual(
      expect.objectContaining({ event: 'dtype_replaced', requested: 'int8', used: 'fp32' }),
    )
  })

  test('that hear are found by what is sent', async () => {
    const items = [sound(440, 1, 0), 'a tone', sound(2000, 1, 2), sound(440, 1, 3)]
    const { vectors, dimensions, model, promptTokens } = await embed(undefined, items)
    const [low, , high, again] = rowsOf(vectors, dimensions)
    expect(model).toBe('clap')
    expect(distance(low, again)).toBeLessThan(1e-6)
    expect(distance(low, high)).toBeGreaterThan(1e-3)
    const { promptTokens: text } = await engine.embed({ kind: 'embed', model: 'clap', texts: ['a tone'] })
    expect(promptTokens).toBe(text + 3)
  })
})
