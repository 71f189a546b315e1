import { describe, expect, test, vi } from 'vitest'
import { MediaRows } from '../../../src/engine/media-rows.ts'
import { ResultCache } from '../../../src/engine/result-cache.ts'
import { serveModel } from '../../../src/engine/served-model.ts'
import type { CallOptions, EmbedMediaTask, MediaItem } from '../../../src/task.ts'
import { AUDIO, BAD, FakeReader, IMAGE, TOWERS, mediaItem } from '../../fakes/media-reader.ts'
import type { FakeModelOptions } from '../../fakes/model.ts'
import { engineOf, fakeModel } from '../../fakes/model.ts'
import { outcome } from '../../fakes/lane.ts'
import { settle } from '../../fakes/runner.ts'

/** A model of texts, pictures and sounds, whose device runs batches as the test says. */
function open(
  options: FakeModelOptions = {},
  { isHeld = false, cacheBytes = 0, queueTokens = 100_000 } = {},
) {
  const model = fakeModel({
    towers: TOWERS,
    ...options,
    spec: { image: IMAGE, audio: AUDIO, ...options.spec },
  })
  const reader = new FakeReader({ isHeld })
  const cache = cacheBytes > 0 ? new ResultCache({ maxBytes: cacheBytes }) : undefined
  const engine = engineOf([model], { media: reader, cache, queueTokens })
  const embed = (
    items: EmbedMediaTask['items'],
    { more = {}, ...call }: CallOptions & { more?: Partial<EmbedMediaTask> } = {},
  ) => engine.embedMedia({ kind: 'embed_media', model: undefined, items, ...more }, call)
  return { model, runner: model.runner, reader, engine, embed }
}

const pictures = (count: number, first = 1) =>
  Array.from({ length: count }, (_, index) => mediaItem(first + index, index))

/** The device's echo of each row: its first number, its tokens, its last number. */
function echoes(vectors: Float32Array): number[][] {
  return Array.from({ length: vectors.length / 3 }, (_, row) => [...vectors.subarray(3 * row, 3 * row + 3)])
}

describe('texts, pictures and sounds of one request', () => {
  const sound = mediaItem(8, 3, { modality: 'audio', tokens: 2 })
  const MIXED = ['a', mediaItem(7, 1), 'bb', sound, 'ccc', 'd']

  test('have their vectors in their order, and what each has counts', async () => {
    const { embed, reader, runner } = open()
    const { vectors, dimensions, promptTokens, model } = await embed(MIXED)
    expect(echoes(vectors)).toEqual([
      [97, 1, 97],
      [7, 5, 7],
      [98, 2, 98],
      // Of sound a row has as many tokens as the tower reads, whatever the lines of features are.
      [8, 9, 8],
      [99, 3, 99],
      [100, 1, 100],
    ])
    // The fake counts one unit fewer than there are tokens.
    expect([dimensions, promptTokens, model]).toEqual([3, 1 + 4 + 2 + 1 + 3 + 1, 'fake-model'])
    expect(reader.reads.map(({ item }) => item)).toEqual([MIXED[1], sound])
    expect(reader.reads[0]?.processing).toEqual({ image: IMAGE.processing, audio: AUDIO.processing })
    expect(runner.modalities.toSorted()).toEqual(['audio', 'image', 'text'])
  })

  test('are read with the prompt and the places that texts have in the request', async () => {
    const { embed, model } = open({ spec: { prompts: { query: 'Q ' } } })
    await embed(MIXED, { more: { prompt: { name: 'query', ifUnknown: 'refuse' }, truncate: 'left' } })
    const calls = model.tokenizer.calls.map(({ texts, prompt, options }) => ({ texts, prompt, options }))
    const options = { noun: 'input', truncate: 'left' }
    expect(calls).toMatchObject([
      { texts: ['a'], prompt: { text: 'Q ' }, options: { ...options, firstIndex: 0 } },
      { texts: ['bb'], options: { firstIndex: 2 } },
      { texts: ['ccc', 'd'], options: { firstIndex: 4 } },
    ])
  })

  test('are refused before anything is read where a text is too long to look at', async () => {
    const { embed, reader } = open()
    await expect(embed([mediaItem(1, 0), 'x'.repeat(1_048_577)])).rejects.toMatchObject({
      code: 'invalid_request',
      message: 'input 1 has 1048577 characters; an input may have 1048576',
    })
    await expect(embed([])).rejects.toMatchObject({ code: 'invalid_request' })
    expect(reader.reads).toEqual([])
  })

  test('are told of one by one', async () => {
    const { embed } = open()
    const onProgress = vi.fn<NonNullable<CallOptions['onProgress']>>()
    await embed(MIXED, { onProgress })
    expect(onProgress.mock.calls).toEqual([1, 2, 3, 4, 5, 6].map((done) => [done, 6]))
  })

  test('of texts alone are what a task of texts makes of them', async () => {
    const { embed, model, reader, engine } = open()
    const texts = ['a', 'bb']
    const task = { kind: 'embed', model: undefined, texts } as const
    expect(await embed(texts)).toEqual({ ...(await engine.embed(task)), timing: expect.anything() })
    expect(model.tokenizer.calls.map(({ options }) => options.noun)).toEqual(['text', 'text'])
    expect(reader.reads).toEqual([])
  })

  test('are cut and made unit length as asked', async () => {
    const { embed } = open({ compute: () => [3, 4, 12], limits: { outputWidth: 3 } })
    const { vectors, dimensions } = await embed([mediaItem(1, 0)], { more: { dimensions: 2 } })
    expect([dimensions, ...vectors]).toEqual([2, Math.fround(0.6), Math.fround(0.8)])
    await expect(embed([mediaItem(1, 0)], { more: { dimensions: 4 } })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('dimensions is 4'),
    })
  })
})

describe('one that cannot be read', () => {
  test('is named, and fails its own request alone', async () => {
    const { embed } = open()
    const [good, bad] = [embed(pictures(3)), outcome(embed([mediaItem(1, 0), 'a', mediaItem(BAD, 2)]))]
    expect(await bad).toEqual({ code: 'invalid_request', message: 'input[2]: the file is no picture' })
    expect(echoes((await good).vectors)).toHaveLength(3)
  })

  test('leaves those that are in a batch with its request’s others as they are', async () => {
    const { embed, runner } = open({ automatic: false })
    const other = embed(pictures(2, 20))
    // Eight are read at a time: those before it are on the device already.
    const bad = outcome(embed([...pictures(8), mediaItem(BAD, 8)]))
    await settle()
    await runner.finishAll()
    expect(await bad).toMatchObject({ message: 'input[8]: the file is no picture' })
    expect(echoes((await other).vectors)).toEqual([
      [20, 5, 20],
      [21, 5, 21],
    ])
  })

  test('ends the reading of the others', async () => {
    const { embed, reader } = open({}, { isHeld: true })
    const ended = outcome(embed([mediaItem(BAD, 0), mediaItem(1, 1)]))
    await settle()
    reader.reads[0]?.go()
    expect(await ended).toMatchObject({ code: 'invalid_request' })
    expect(reader.reads[1]?.signal?.aborted).toBe(true)
  })
})

describe('a request that is given up', () => {
  test('while its pictures are read ends at once, and so does their reading', async () => {
    const { embed, reader, engine } = open({}, { isHeld: true })
    const ending = new AbortController()
    const ended = outcome(embed(pictures(2), { signal: ending.signal }))
    await settle()
    expect(reader.waiting).toBe(2)
    ending.abort()
    expect(await ended).toMatchObject({ code: 'cancelled' })
    await settle()
    expect(reader.waiting).toBe(0)
    expect(engine.models()[0]?.stats).toEqual({
      queuedItems: 0,
      heldRequests: 0,
      waitingTokens: 0,
      runningBatches: 0,
    })
  })

  test('gives others its room, wherever it was given up', async () => {
    const { embed, reader, runner } = open({ automatic: false }, { isHeld: true })
    const ending = new AbortController()
    const given = Array.from({ length: 10 }, () => outcome(embed(pictures(8), { signal: ending.signal })))
    await settle()
    // Six of them have all the room there is; the first is on the device.
    expect(reader.reads).toHaveLength(48)
    reader.reads.slice(0, 8).forEach(({ go }) => go())
    await settle()
    ending.abort()
    for (const one of given) expect(await one).toMatchObject({ code: 'cancelled' })
    const others = Array.from({ length: 6 }, () => embed(pictures(8, 100)))
    await settle()
    expect(reader.reads).toHaveLength(96)
    reader.go()
    await settle()
    await runner.finishAll()
    for (const { vectors } of await Promise.all(others)) expect(echoes(vectors)[7]).toEqual([107, 5, 107])
  })

  test('by the end of the engine says so', async () => {
    const { embed, reader, engine } = open({}, { isHeld: true })
    const ended = outcome(embed(pictures(1)))
    await settle()
    await engine.close()
    expect(await ended).toMatchObject({ code: 'stopping' })
    await settle()
    expect(reader.waiting).toBe(0)
  })
})

describe('pictures', () => {
  test('of one request are read not far ahead of the device', async () => {
    const { embed, reader, runner } = open({ automatic: false, batchSize: 4 })
    const all = embed(pictures(100))
    for (let turn = 0; turn < 10; turn++) await settle()
    // Four on the device, and more are read only while no more than sixteen wait.
    expect(reader.reads).toHaveLength(24)
    runner.finish()
    for (let turn = 0; turn < 10; turn++) await settle()
    expect(reader.reads).toHaveLength(32)
    await runner.finishAll()
    expect(echoes((await all).vectors).map(([first]) => first)).toEqual(pictures(100).map((_, n) => n + 1))
  })

  test('of all requests together are no more than there is room for, and all are served', async () => {
    const { embed, reader, runner } = open({ automatic: false, batchSize: 4 })
    const all = Array.from({ length: 100 }, (_, n) => embed([`text ${n}`, ...pictures(3, 10 * n)]))
    for (let turn = 0; turn < 10; turn++) await settle()
    expect(reader.reads).toHaveLength(48)
    await runner.finishAll()
    for (const [n, { vectors }] of (await Promise.all(all)).entries())
      expect(echoes(vectors).map(([first]) => first)).toEqual([116, 10 * n, 10 * n + 1, 10 * n + 2])
  })

  test('have no room of the texts beside them that are done', async () => {
    const { embed, reader, engine } = open({}, { isHeld: true })
    const onProgress = vi.fn<NonNullable<CallOptions['onProgress']>>()
    const texts = Array.from({ length: 64 }, (_, n) => `text ${n}`)
    const first = outcome(embed([...texts, mediaItem(1, 64)], { onProgress }))
    await vi.waitFor(() => expect(onProgress).toHaveBeenCalledTimes(64))
    const others = Array.from({ length: 60 }, () => outcome(embed(pictures(1))))
    await settle()
    expect(reader.waiting).toBe(48)
    await engine.close()
    await Promise.all([first, ...others])
  })

  test('that came with their request wait for no hosts of others', async () => {
    const { embed, reader, engine } = open({}, { isHeld: true })
    const others = Array.from({ length: 60 }, () => outcome(embed(pictures(1))))
    await settle()
    expect(reader.waiting).toBe(48)
    const own = outcome(embed([{ ...mediaItem(1, 0), source: { bytes: Uint8Array.of(1) } }]))
    await settle()
    expect(reader.waiting).toBe(49)
    await engine.close()
    await Promise.all([...others, own])
  })

  test('of a request that ends in the moment in which there is room for them leave it to others', async () => {
    const model = fakeModel({ towers: TOWERS, spec: { image: IMAGE } })
    const served = serveModel(model, { queueSize: 10 })
    const { fetchSlots } = served
    const signal = new AbortController().signal
    await fetchSlots.take(48, 'normal', signal)
    const reader = new FakeReader()
    const asked = { task: {}, items: pictures(2), prompt: undefined, noun: 'input', reader, options: {} }
    const rows = new MediaRows(served, asked)
    const making = outcome(rows.make(0, 2))
    fetchSlots.give(2)
    rows.close()
    expect(await making).toMatchObject({ code: 'cancelled' })
    expect(reader.reads).toEqual([])
    await fetchSlots.take(2, 'normal', signal)
  })

  test('that look alike are computed once, and are not mistaken for sounds or texts', async () => {
    const { embed, runner } = open()
    const item = mediaItem(97, 0, { tokens: 1 })
    const { vectors } = await embed([item, item, { ...item, modality: 'audio' }, 'a'])
    expect(echoes(vectors)).toEqual([
      [97, 1, 97],
      [97, 1, 97],
      [97, 9, 97],
      [97, 1, 97],
    ])
    expect(runner.batches.map((rows) => rows.length)).toEqual([1, 1, 1])
    expect(runner.modalities.toSorted()).toEqual(['audio', 'image', 'text'])
  })

  test('that were computed before are answered from the cache', async () => {
    const { embed, runner } = open({}, { cacheBytes: 100_000 })
    const first = await embed(pictures(3))
    const count = runner.batches.length
    expect((await embed(pictures(3))).vectors).toEqual(first.vectors)
    expect(runner.batches).toHaveLength(count)
  })

  test('count in the queue for as much as a tower reads until they are read, and then for what they have', async () => {
    const { embed, reader, runner } = open({ automatic: false }, { isHeld: true, queueTokens: 20 })
    const plug = embed(['plug'])
    await settle()
    const two = embed(pictures(2))
    await settle()
    // Nine tokens each.
    expect(await outcome(embed(pictures(1)))).toMatchObject({
      code: 'overloaded',
      message: expect.stringContaining('of 18 tokens; about 9 more would pass its limit of 20'),
    })
    reader.go()
    await settle()
    // Five each.
    const third = embed(pictures(1, 3))
    await settle()
    reader.go()
    await runner.finishAll()
    expect((await Promise.all([plug, two, third])).map(({ promptTokens }) => promptTokens)).toEqual([4, 8, 4])
  })
})

describe('a row of media', () => {
  test('that is no number fails its request, not those in its batch', async () => {
    const { embed, runner } = open()
    runner.nonFiniteIds.add(13)
    const [bad, good] = await Promise.all([outcome(embed(pictures(2, 13))), embed(pictures(2, 50))])
    expect(bad).toMatchObject({ code: 'non_finite_output', message: expect.stringContaining('input 0') })
    expect(echoes(good.vectors)[0]).toEqual([50, 5, 50])
  })

  test('that ends the thread twice is not tried again, and its neighbours are answered', async () => {
    const { embed, runner } = open({ automatic: false })
    runner.lethalIds.add(13)
    const asked = [outcome(embed([mediaItem(13, 0)])), embed(pictures(3, 50))] as const
    await settle()
    await runner.finishAll()
    expect(await asked[0]).toMatchObject({ code: 'poisoned_input' })
    expect(echoes((await asked[1]).vectors)).toHaveLength(3)
    expect(new Set(runner.modalities)).toEqual(new Set(['image']))
  })

  test('too many of which find no room runs in halves', async () => {
    const { embed, runner } = open()
    runner.paddedRoom = 10
    const { vectors } = await embed(pictures(7))
    expect(echoes(vectors).map(([first]) => first)).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  test('that the device refuses fails by its place in the request', async () => {
    const { embed, runner } = open()
    runner.refusedIds.add(3)
    await expect(embed(['a', ...pictures(3)])).rejects.toMatchObject({
      code: 'inference_failed',
      message: 'input 3: refused',
    })
  })
})

describe('a model without texts', () => {
  function openPictures() {
    const full = fakeModel({
      towers: { image: TOWERS.image },
      spec: { image: IMAGE, head: { kind: 'embedding', steps: [] } },
    })
    const model = { ...full, tokenizer: undefined, spec: { ...full.spec, tokenizer: undefined } }
    return engineOf([model], { media: new FakeReader() })
  }

  test('embeds pictures, and says that it is what it can', async () => {
    const engine = openPictures()
    const task = { kind: 'embed_media', model: undefined, items: pictures(1, 7) } as const
    expect(echoes((await engine.embedMedia(task)).vectors)).toEqual([[7, 5, 7]])
    expect(engine.models()[0]).toMatchObject({
      capabilities: ['image_embed'],
      pooling: undefined,
      healthy: true,
      dimensions: 3,
    })
    // Its vectors are of unit length already: cut, they are made so again.
    const cut = await engine.embedMedia({ ...task, dimensions: 1 })
    expect([...cut.vectors]).toEqual([1])
  })

  test.each([
    ['embed', { kind: 'embed', texts: ['a'] }, 'embed texts'],
    ['embedTokens', { kind: 'embed_tokens', texts: ['a'] }, 'give the vectors of tokens'],
    ['tokenize', { kind: 'tokenize', texts: ['a'], addSpecialTokens: true }, 'tokenize'],
    ['decode', { kind: 'decode', ids: [[1]], vocabulary: 'model', skipSpecialTokens: true }, 'decode'],
    ['embedMedia', { kind: 'embed_media', items: ['a'] }, 'embed texts'],
    ['embedMedia', { kind: 'embed_media', items: ['a', mediaItem(1, 1)] }, 'embed texts'],
  ] as const)('refuses to %s %o', async (name, task, what) => {
    const ask = openPictures()[name] as (task: object) => Promise<unknown>
    await expect(ask({ ...task, model: 'fake-model' })).rejects.toMatchObject({
      code: 'wrong_task',
      message: expect.stringContaining(`model "fake-model" embeds images; it does not ${what}.`),
    })
    await expect(ask({ ...task, model: undefined })).rejects.toMatchObject({ code: 'wrong_task' })
  })
})

test('a model without the tower says who has it', async () => {
  const plain = fakeModel({ names: ['plain'] })
  const seeing = fakeModel({ names: ['seeing'], towers: TOWERS, spec: { image: IMAGE } })
  const engine = engineOf([plain, seeing], { media: new FakeReader() })
  const ask = (model: string | undefined, items: readonly (string | MediaItem)[]) =>
    engine.embedMedia({ kind: 'embed_media', model, items })
  await expect(ask('plain', pictures(1))).rejects.toMatchObject({
    code: 'wrong_task',
    message: 'model "plain" embeds; it does not embed images. Models that can: seeing.',
  })
  await expect(ask('seeing', [mediaItem(1, 0, { modality: 'audio' })])).rejects.toMatchObject({
    code: 'wrong_task',
    message:
      'model "seeing" embeds and embeds images; it does not embed audio. No served model can embed audio.',
  })
  expect((await ask(undefined, pictures(1))).model).toBe('seeing')
  expect((await ask('a placeholder', ['a', ...pictures(1)])).model).toBe('seeing')
})
