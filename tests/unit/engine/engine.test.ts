import { describe, expect, test } from 'vitest'
import { NORMALIZE, POOLING, engineOf, fakeModel } from '../../fakes/model.ts'

const VECTOR = [3, 4, 12, 0]
const FIXED = { limits: { outputWidth: 4 }, compute: () => VECTOR }

function embedTask(fields: object = {}) {
  return { kind: 'embed', model: undefined, texts: ['text'], ...fields } as const
}

describe('what is listed', () => {
  test('a model says what it can do and what it is', () => {
    const embedder = fakeModel({ names: ['small', 'tiny'], limits: { outputWidth: 384 } })
    const reranker = fakeModel({ names: ['judge'], labels: ['LABEL_0'], limits: { maxTokens: 64 } })
    const classifier = fakeModel({ names: ['moods'], labels: ['sad', 'glad'] })
    const listed = engineOf([embedder, reranker, classifier]).models()
    expect(listed[0]).toEqual({
      id: 'small',
      aliases: ['tiny'],
      capabilities: ['embed'],
      dimensions: 384,
      maxTokens: 256,
      dtype: 'fp32',
      dtypeRequested: 'auto',
      provider: 'fake',
      batchSize: 32,
      readyAt: expect.any(Number),
      stats: { queuedItems: 0, heldRequests: 0, waitingTokens: 0, runningBatches: 0 },
      healthy: true,
    })
    expect(listed[1]).toMatchObject({
      capabilities: ['rerank', 'classify'],
      dimensions: undefined,
      maxTokens: 64,
    })
    expect(listed[2]).toMatchObject({ capabilities: ['classify'] })
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
    await engineOf([model]).embed(embedTask({ texts: Array<string>(10).fill('12345') }))
    expect(model.runner.batches.map((batch) => batch.length)).toEqual(sizes)
  })
})

describe('dimensions', () => {
  test('absent, all numbers are kept as they came', async () => {
    const { vectors, dimensions, model } = await engineOf([fakeModel(FIXED)]).embed(embedTask())
    expect([[...vectors], dimensions, model]).toEqual([VECTOR, 4, 'fake-model'])
  })

  test('asked for of a model that normalizes, the cut has unit length', async () => {
    const { vectors, dimensions } = await engineOf([fakeModel(FIXED)]).embed(embedTask({ dimensions: 2 }))
    expect([[...vectors], dimensions]).toEqual([[...Float32Array.of(0.6, 0.8)], 2])
  })

  test('asked for of a model that does not normalize, the cut keeps its length', async () => {
    const model = fakeModel({ ...FIXED, steps: [POOLING] })
    expect([...(await engineOf([model]).embed(embedTask({ dimensions: 2 }))).vectors]).toEqual([3, 4])
  })

  test('a cut that the files of the model ask for is not made unit length, and is what is listed', async () => {
    const model = fakeModel({ ...FIXED, steps: [POOLING, NORMALIZE], spec: { truncateDimensions: 2 } })
    const engine = engineOf([model])
    expect([...(await engine.embed(embedTask())).vectors]).toEqual([3, 4])
    expect(engine.models()[0]?.dimensions).toBe(2)
    expect((await engine.embed(embedTask({ dimensions: 4 }))).dimensions).toBe(4)
  })

  test.each([0, -1, 5])('%i is refused with the limits, before any work', async (dimensions) => {
    const model = fakeModel(FIXED)
    await expect(engineOf([model]).embed(embedTask({ dimensions }))).rejects.toMatchObject({
      code: 'invalid_request',
      message: `dimensions is ${dimensions}; fake-model has 1 to 4`,
    })
    expect(model.tokenizer.calls).toEqual([])
  })
})

describe('prompts', () => {
  const spec = { prompts: { query: 'search: ', shout: 'HEY ' } }

  test('a named prompt, the default one, or none, goes before the text', async () => {
    const model = fakeModel({ spec: { ...spec, defaultPromptName: 'shout' } })
    const engine = engineOf([model])
    await engine.embed(embedTask({ promptName: 'query' }))
    await engine.embed(embedTask())
    await engineOf([{ ...model, spec: { ...model.spec, defaultPromptName: undefined } }]).embed(embedTask())
    expect(model.tokenizer.calls.map(({ prompt }) => prompt)).toEqual([
      { text: 'search: ', pooled: true },
      { text: 'HEY ', pooled: true },
      { text: '', pooled: true },
    ])
  })

  test('a model that pools without its prompt says so to the tokenizer', async () => {
    const model = fakeModel({ spec, steps: [{ ...POOLING, includePrompt: false }] })
    await engineOf([model]).embed(embedTask({ promptName: 'query' }))
    expect(model.tokenizer.calls[0]?.prompt).toEqual({ text: 'search: ', pooled: false })
  })

  test.each(['qury', 'toString', '__proto__'])(
    'the unknown prompt "%s" is refused with those known',
    async (name) => {
      await expect(
        engineOf([fakeModel({ spec })]).embed(embedTask({ promptName: name })),
      ).rejects.toMatchObject({
        code: 'invalid_request',
        message: `prompt "${name}" is unknown; fake-model has: query, shout`,
      })
    },
  )
})
