/** A model of texts and pictures: its sides are loaded together, or not at all. */
import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { CudaDevice } from '../../../src/devices/device.ts'
import { CPU } from '../../../src/devices/device.ts'
import { ServerError } from '../../../src/errors.ts'
import { buildTower } from '../../../src/graph/build-tower.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { ModelSpec } from '../../../src/model/spec.ts'
import { InferenceThread } from '../../../src/runtime/inference-thread.ts'
import { loadSides, placeForAll, releaseSides } from '../../../src/runtime/load-sides.ts'
import { Overflow } from '../../../src/runtime/overflow.ts'
import type { LoadAsk } from '../../../src/runtime/protocol.ts'
import { NO_ADAPTER, joinRows } from '../../../src/runtime/runner.ts'
import type { createSession } from '../../../src/runtime/session.ts'
import { runBatch, warmUpBatch } from '../../../src/runtime/warm-up.ts'
import { mediaOf } from '../../fakes/media-reader.ts'
import { makeFolder } from '../model/model-folder.ts'

const H100: CudaDevice = {
  kind: 'cuda',
  index: 0,
  name: 'H100',
  totalBytes: 80e9,
  freeBytes: 79e9,
  computeCapability: 90,
}

/** Numbers of a vector, and its length before it was normalized. */
const WIDTH = 25

let spec: ModelSpec
beforeAll(async () => {
  spec = await openFolder(join(import.meta.dirname, '../../golden/_vision/clip/model'))
})

function askFor(given: Partial<LoadAsk> = {}): LoadAsk {
  return { spec, target: 'cpu-f32', device: CPU, threadCount: 1, share: undefined, ...given }
}

function withoutTexts(): ModelSpec {
  return { ...spec, tokenizer: undefined, head: { kind: 'embedding', steps: [] } }
}

interface Opened {
  side: 'text' | 'image' | undefined
  /** Tokens of all its batches. */
  readonly batches: number[]
  released: boolean
}

interface Device {
  /** Tokens of a batch that find room. */
  readonly room?: number
  /** The side whose numbers are none. */
  readonly nan?: Opened['side']
  /** Which session, counted from 1, is not made. */
  readonly refused?: number
}

/** Sessions of a device that is not there, in the order in which they were opened. */
function openOn(opened: Opened[], { room = Infinity, nan, refused }: Device = {}): typeof createSession {
  return async () => {
    if (opened.length + 1 === refused) throw new ServerError('load_failed', 'no session is made')
    const one: Opened = { side: undefined, batches: [], released: false }
    opened.push(one)
    return {
      run: async (feeds) => {
        one.side = feeds.has('patches') ? 'image' : 'text'
        const tokens = feeds.get('positions')?.dims[0] ?? NaN
        one.batches.push(tokens)
        if (tokens > room) throw new ServerError('out_of_memory', 'no memory')
        const [count = NaN] = (feeds.get('first_rows') ?? feeds.get('end_rows'))?.dims ?? []
        return { rows: new Float32Array(WIDTH * count).fill(one.side === nan ? NaN : 1), tokens: undefined }
      },
      release: async () => {
        one.released = true
      },
    }
  }
}

describe('all sides of a model', () => {
  test('are loaded and can run, and what none of them uses is told', async () => {
    const sides = await loadSides(askFor())
    expect(sides.unusedTensors).toEqual(['logit_scale'])
    expect(sides.budget).toEqual({ batchTokens: 512, longestRowFits: true })
    expect(sides.first).toBe(sides.text)
    for (const side of [sides.text, sides.image]) {
      if (side === undefined) throw new Error('a side is missing')
      const { rows } = await runBatch(side.graph, side.session, warmUpBatch([3, 17], side.graph, false))
      expect(rows).toHaveLength(2 * WIDTH)
    }
    expect(sides.audio).toBeUndefined()
    await releaseSides(sides)
  })

  test('are the tower alone where the model reads no text', async () => {
    const opened: Opened[] = []
    const sides = await loadSides(askFor({ spec: withoutTexts() }), openOn(opened))
    expect(opened).toMatchObject([{ side: 'image' }])
    expect([sides.text, sides.first]).toEqual([undefined, sides.image])
  })

  test.each([1, 2])('hold nothing of the device where session %i is not made', async (refused) => {
    const opened: Opened[] = []
    await expect(loadSides(askFor(), openOn(opened, { refused }))).rejects.toMatchObject({
      code: 'load_failed',
    })
    expect(opened.map(({ released }) => released)).toEqual(Array<boolean>(refused - 1).fill(true))
  })

  test.each(['text', 'image'] as const)(
    'go to a wider target together where half precision cannot hold those of %s',
    async (nan) => {
      const opened: Opened[] = []
      const ask = askFor({ target: 'cuda-f16', device: H100 })
      await expect(loadSides(ask, openOn(opened, { nan }))).rejects.toThrow(
        new Overflow('activations leave the range of fp16'),
      )
      expect(opened.map(({ released }) => released)).not.toContain(false)
      expect(opened.map(({ side }) => side)).toContain(nan)
    },
  )

  test('make vectors of one width, or are refused', async () => {
    const image = spec.image && {
      ...spec.image,
      steps: spec.image.steps.filter(({ kind }) => kind === 'dense'),
    }
    const opened: Opened[] = []
    const loading = loadSides(askFor({ spec: { ...spec, ...(image && { image }) } }), openOn(opened))
    await expect(loading).rejects.toMatchObject({
      code: 'model_invalid',
      message: expect.stringContaining('not alike: text 24, normalized; image 24, not normalized'),
    })
    expect(opened.map(({ released }) => released)).toEqual([true, true])
  })
})

describe('the size of batches', () => {
  const share = { memoryBytes: 1.1e9, maxRows: 1000 }

  test('is tried on each side, with its part of the memory', async () => {
    const [both, alone]: [Opened[], Opened[]] = [[], []]
    // The device has more room than there is to take.
    await loadSides(askFor({ share, target: 'cuda-f32', device: H100 }), openOn(both))
    const one = { ...spec, image: undefined } as unknown as ModelSpec
    await loadSides(askFor({ share, spec: one, target: 'cuda-f32', device: H100 }), openOn(alone))
    const greatest = (opened: Opened[], side: Opened['side']) =>
      Math.max(...(opened.find((each) => each.side === side)?.batches ?? []))
    const whole = greatest(alone, 'text')
    expect(greatest(both, 'text') / whole).toBeCloseTo(1 / 2, 1)
    // Whole pictures, of 17 tokens each.
    expect(greatest(both, 'image') / whole).toBeCloseTo(1 / 2, 1)
    expect(greatest(both, 'image') % 17).toBe(0)
  })

  test('is that of the side which has room for the least', async () => {
    const image = (feeds: ReadonlySet<unknown>) => feeds.has('patches')
    const limited: typeof createSession = async () => ({
      run: async (feeds) => {
        const tokens = feeds.get('positions')?.dims[0] ?? NaN
        if (image(new Set(feeds.keys())) && tokens > 100) throw new ServerError('out_of_memory', 'no memory')
        const [count = NaN] = (feeds.get('first_rows') ?? feeds.get('end_rows'))?.dims ?? []
        return { rows: new Float32Array(WIDTH * count), tokens: undefined }
      },
      release: async () => {},
    })
    const { budget } = await loadSides(askFor({ share, target: 'cuda-f32', device: H100 }), limited)
    expect(budget.longestRowFits).toBe(true)
    expect(budget.batchTokens).toBeLessThanOrEqual(100)
    expect(budget.batchTokens).toBeGreaterThan(50)
  })

  test('that no picture fits in is said in the words of a failed load', async () => {
    const opened: Opened[] = []
    const ask = askFor({ share, target: 'cuda-f32', device: H100 })
    await expect(loadSides(ask, openOn(opened, { room: 16 }))).rejects.toMatchObject({
      code: 'load_failed',
      message: expect.stringContaining('cuda:0 has too little memory'),
    })
    expect(opened.map(({ released }) => released)).not.toContain(false)
  })
})

test('converted weights of each side are files of their own, which outlive those of the other', async () => {
  const cacheFolder = await makeFolder()
  const ask = { spec, target: 'cuda-f16', cacheFolder } as const
  expect(await placeForAll(ask)).toEqual({ isKept: true })
  const names = (await readdir(cacheFolder)).toSorted()
  expect(names.filter((name) => name.includes('-f16-image-'))).toHaveLength(1)
  expect(names).toHaveLength(2)
  await loadSides(askFor({ ...ask, device: H100 }), openOn([]))
  expect((await readdir(cacheFolder)).toSorted()).toEqual(names)
  for (const name of names) await utimes(join(cacheFolder, name), 0, 0)
  await placeForAll({ ...ask, spec: { ...spec, image: undefined } as unknown as ModelSpec })
  await placeForAll({ ...ask, spec: withoutTexts() })
  expect((await readdir(cacheFolder)).toSorted()).toEqual(names)
})

test('the first batch of a tower is pictures that are not all alike, as large as one may be', () => {
  const graph = buildTower(spec, 'image', 'cpu-f32')
  const { media, ids } = warmUpBatch([17, 17], graph, false)
  expect(media?.values.map(({ length }) => length)).toEqual([17 * 192, 17 * 192])
  expect(new Set(media?.values[0]).size).toBeGreaterThan(1000)
  expect(Math.max(...(media?.values[0] ?? []).map(Math.abs))).toBeLessThanOrEqual(2)
  expect(new Set(ids)).toEqual(new Set([0]))
})

test('a thread runs batches on the side they are for, and has none for others', async () => {
  const thread = new InferenceThread()
  try {
    const runner = await thread.load(spec, { target: 'cpu-f32', device: CPU, threadCount: 1 })
    expect(runner.towers).toEqual({ image: { maxTokens: 17 } })
    const row = { typeStart: 17, unpooledTokens: 0, adapter: NO_ADAPTER, wantsTokens: false }
    const batch = (modality: 'image' | 'audio') =>
      joinRows([{ ...row, ids: new Int32Array(17), media: mediaOf(modality, 1, 17 * 192) }])
    const again = batch('image')
    const first = await runner.run(batch('image'))
    expect(first.rows).toHaveLength(WIDTH)
    // Media is shared: what one batch was given can be given to another.
    expect(again.media?.values[0]).toHaveLength(17 * 192)
    expect((await runner.run(again)).rows).toEqual(first.rows)
    await expect(runner.run(batch('audio'))).rejects.toMatchObject({
      code: 'internal',
      message: 'no side of the model is for audio',
    })
  } finally {
    await thread.close()
  }
})
