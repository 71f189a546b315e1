import { describe, expect, test } from 'vitest'
import { ResultCache } from '../../../src/engine/result-cache.ts'
import { NORMALIZE, POOLING, engineOf, fakeModel } from '../../fakes/model.ts'
import { settle } from '../../fakes/runner.ts'

function embedTask(fields: object = {}) {
  return { kind: 'embed', model: undefined, texts: ['text'], ...fields } as const
}

test('unless told how many tokens may wait, nothing but their number bounds the texts that do', async () => {
  const model = fakeModel({ automatic: false, limits: { maxTokens: 8192 }, batchSize: 1 })
  const engine = engineOf([model], { queueSize: 4 })
  const long = (letter: string) => letter.repeat(5000)
  const ask = (texts: readonly string[]) => engine.embed(embedTask({ texts }))
  const all = [ask([long('a')])]
  await settle()
  all.push(ask([long('b'), long('c')]), ask([long('d'), long('e')]))
  await settle()
  await expect(engine.embed(embedTask())).rejects.toThrow('holds 4 items; 1 more would pass its limit of 4')
  await model.runner.finishAll()
  expect(await Promise.all(all)).toHaveLength(3)
})

test("texts that wait count no more tokens than the model's files let a row have", async () => {
  const model = fakeModel({ automatic: false, limits: { maxTokens: 8192 }, batchSize: 1 })
  const engine = engineOf([model], { queueTokens: 1 })
  const all = [engine.embed(embedTask({ texts: ['a', 'b'] }))]
  await settle()
  await expect(engine.embed(embedTask({ texts: ['c'.repeat(50_000)] }))).rejects.toThrow('; about 256 more')
  await model.runner.finishAll()
  await Promise.all(all)
})

describe('of copies, which are computed once, the work of one is foretold', () => {
  const copies = Array.from({ length: 60 }, () => 'x')
  const each = copies.map((_, n) => `${n}`.padStart(2, '0'))
  const options = { withinMs: 1000, priority: 'high' } as const
  const any = { model: undefined }

  /** A model that takes 100 ms a token, measured, of whose queue most is left. */
  async function openBusy(labels?: readonly string[]) {
    const clock = { ms: 0 }
    const model = fakeModel({ automatic: false, batchSize: 4, joinsPairs: true, ...(labels && { labels }) })
    const engine = engineOf([model], { now: () => clock.ms })
    const texts = Array.from({ length: 40 }, (_, n) => String.fromCharCode(97 + n))
    const job = labels
      ? engine.classify({ kind: 'classify', ...any, texts })
      : engine.embed({ kind: 'embed', ...any, texts })
    await settle()
    for (let batch = 0; batch < 2; batch++) {
      clock.ms += 400
      model.runner.finish()
      await settle()
    }
    return { model, engine, job }
  }

  test.each([
    ['embed', undefined],
    ['embed_tokens', undefined],
    ['classify', undefined],
    ['classify', 'pairs'],
    ['rerank', undefined],
    ['rerank', 'pairs'],
  ] as const)('%s %s', async (kind, pairs) => {
    const isEmbedding = kind === 'embed' || kind === 'embed_tokens'
    const { model, engine, job } = await openBusy(isEmbedding ? undefined : ['LABEL_0'])
    const ask = (texts: readonly string[]) => {
      if (kind === 'embed') return engine.embed({ kind, ...any, texts }, options)
      if (kind === 'embed_tokens') return engine.embedTokens({ kind, ...any, texts }, options)
      if (kind === 'classify') {
        return engine.classify(
          { kind, ...any, texts: copies, pairs: pairs && texts, ...(!pairs && { texts }) },
          options,
        )
      }
      return engine.rerank({ kind, ...any, query: pairs ? copies : 'x', documents: texts }, options)
    }
    await expect(ask(each)).rejects.toMatchObject({ code: 'deadline_exceeded' })
    const answer = ask(copies)
    await model.runner.finishAll()
    await answer
    await job
  })
})

describe('what is listed', () => {
  test('a model says what it can do and what it is', () => {
    const embedder = fakeModel({
      names: ['small', 'tiny'],
      limits: { outputWidth: 385, vectorWidth: 384 },
      steps: [{ ...POOLING, modes: ['cls', 'mean'] }, NORMALIZE],
      spec: { prompts: { query: 'q: ', document: '' } },
      batchSize: 8,
      maxBatchTokens: 99,
    })
    const reranker = fakeModel({ names: ['judge'], labels: ['LABEL_0'], limits: { maxTokens: 64 } })
    const classifier = fakeModel({ names: ['moods'], labels: ['sad', 'glad'] })
    const listed = engineOf([embedder, reranker, classifier], { queueSize: 7 }).models()
    expect(listed[0]).toEqual({
      id: 'small',
      aliases: ['tiny'],
      capabilities: ['embed'],
      dimensions: 384,
      pooling: 'cls+mean',
      labels: [],
      adapters: [],
      prompts: ['query', 'document'],
      maxTokens: 256,
      dtype: 'fp32',
      dtypeRequested: 'auto',
      provider: 'fake',
      batchSize: 8,
      maxBatchTokens: 99,
      queueSize: 7,
      readyAt: expect.any(Number),
      stats: { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 },
      healthy: true,
    })
    expect(listed[1]).toMatchObject({
      capabilities: ['rerank', 'classify'],
      dimensions: undefined,
      pooling: undefined,
      labels: ['LABEL_0'],
      prompts: [],
      maxTokens: 64,
      batchSize: 32,
      maxBatchTokens: 512,
    })
    expect(listed[2]).toMatchObject({ capabilities: ['classify'], labels: ['sad', 'glad'] })
  })

  test('a model of one label whose tokenizer joins no pairs only classifies', () => {
    const model = fakeModel({ labels: ['LABEL_0'], joinsPairs: false })
    expect(engineOf([model]).models()[0]?.capabilities).toEqual(['classify'])
  })

  test('the queue of each model is counted as it is now', async () => {
    const busy = fakeModel({ names: ['busy'], automatic: false })
    const engine = engineOf([busy, fakeModel({ names: ['idle'] })])
    const answer = engine.embed(embedTask({ model: 'busy', texts: Array<string>(40).fill('text') }))
    const [first, second] = engine.models()
    expect(first?.stats).toMatchObject({ queuedItems: 40, runningBatches: 0 })
    expect(second?.stats).toMatchObject({ queuedItems: 0, runningBatches: 0 })
    await busy.runner.finishAll()
    await answer
    expect(engine.models()[0]?.stats).toMatchObject({ queuedItems: 0, runningBatches: 0 })
  })
})

describe('the health of a model', () => {
  test('is that of its threads, as they are when asked', () => {
    const [broken, mute, sound] = [
      fakeModel({ names: ['broken'] }),
      fakeModel({ names: ['mute'] }),
      fakeModel({ names: ['sound'] }),
    ]
    const engine = engineOf([broken, mute, sound])
    const health = () => engine.models().map(({ healthy }) => healthy)
    expect(health()).toEqual([true, true, true])
    broken.runner.healthy = false
    mute.tokenizer.healthy = false
    expect(health()).toEqual([false, false, true])
    broken.runner.healthy = true
    expect(health()).toEqual([true, false, true])
  })
})

describe('batches', () => {
  test('are told to whoever watches, with the name of their model', async () => {
    const told: unknown[] = []
    const models = [
      fakeModel({ names: ['small', 'tiny'], maxBatchTokens: 40 }),
      fakeModel({ names: ['large'] }),
    ]
    const engine = engineOf(models, { onBatch: (model, batch) => told.push({ model, ...batch }) })
    await engine.embed(embedTask({ model: 'tiny', texts: ['123', '12345'] }))
    await engine.embed(embedTask({ model: 'large', texts: ['12'] }))
    expect(told).toEqual([
      { model: 'small', rows: 2, tokens: 8, maxTokens: 40, runMs: 8 },
      { model: 'large', rows: 1, tokens: 2, maxTokens: 512, runMs: 2 },
    ])
  })

  test.each([
    [{ batchSize: 4 }, [4, 4, 2]],
    [{ maxBatchTokens: 20 }, [4, 4, 2]],
    [{ maxBatchTokens: 4 }, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
    [{}, [10]],
  ])('of a model with %j hold %j texts of five tokens', async (options, sizes) => {
    const model = fakeModel(options)
    await engineOf([model]).embed(embedTask({ texts: Array.from({ length: 10 }, (_, n) => `1234${n}`) }))
    expect(model.runner.batches.map((batch) => batch.length)).toEqual(sizes)
  })
})

test('what is said of batches follows the memory of the device, and is told with the name of the model', async () => {
  const told: unknown[] = []
  const small = fakeModel({ names: ['small', 'tiny'] })
  const engine = engineOf([small, fakeModel({ names: ['large'] })], {
    onBudget: (...facts) => told.push(facts),
  })
  small.runner.paddedRoom = 30
  const texts = Array.from({ length: 10 }, (_, n) => `1234${n}`)
  const { vectors } = await engine.embed(embedTask({ model: 'tiny', texts }))
  expect(vectors).toHaveLength(10 * 3)
  await settle()
  expect(told).toEqual([['small', 25]])
  expect(engine.models().map(({ maxBatchTokens }) => maxBatchTokens)).toEqual([25, 512])
})

describe('items that need no place in a batch', () => {
  test('are told to whoever watches, with the name of their model', async () => {
    const told: unknown[] = []
    const cache = new ResultCache({ maxBytes: 10_000 })
    const onReuse = (...facts: readonly unknown[]) => told.push(facts)
    const engine = engineOf([fakeModel({ names: ['small', 'tiny'] })], { cache, onReuse })
    const first = await engine.embed(embedTask({ model: 'tiny' }))
    const again = await engine.embed(embedTask({ model: 'tiny' }))
    expect(again.vectors).toEqual(first.vectors)
    expect(told).toEqual([['small', 1, 'cache']])
    expect(engine.cacheStats()).toEqual(cache.stats)
    expect(cache.stats.entries).toBe(1)
    expect(engineOf([fakeModel()]).cacheStats()).toBeUndefined()
  })

  test('of two models are not mistaken for each other', async () => {
    const cache = new ResultCache({ maxBytes: 10_000 })
    const models = [
      fakeModel({ names: ['a'], compute: () => [1, 2, 3] }),
      fakeModel({ names: ['b'], compute: () => [4, 5, 6] }),
    ]
    const engine = engineOf(models, { cache })
    const answers = [
      await engine.embed(embedTask({ model: 'a' })),
      await engine.embed(embedTask({ model: 'b' })),
    ]
    expect(answers.map(({ vectors }) => [...vectors])).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ])
  })
})

test.each([false, true])(
  'told to stop (%s), it lets what is nearly done pass a job in every batch',
  async (stopped) => {
    const model = fakeModel({ batchSize: 1, automatic: false })
    const engine = engineOf([model])
    const { runner } = model
    const plug = engine.embed(embedTask())
    await settle()
    let done = 0
    const onProgress = () => void done++
    const texts = Array.from({ length: 9 }, (_, index) => `of the job ${index}`)
    const job = engine.embed(embedTask({ texts }), { onProgress })
    const queries = Array.from({ length: 6 }, (_, index) =>
      engine.embed(embedTask({ texts: [`query ${index}`] })),
    )
    await settle()
    if (stopped) engine.drain()
    for (let batch = 0; batch < 7; batch++) {
      runner.finish()
      await settle()
    }
    expect(done).toBe(stopped ? 0 : 1)
    await runner.finishAll()
    await Promise.all([plug, job, ...queries])
  },
)
