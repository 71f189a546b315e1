import { describe, expect, test } from 'vitest'
import type { EngineOptions } from '../../../src/engine/engine.ts'
import type { EmbedTask } from '../../../src/task.ts'
import type { DecodeCall } from '../../../src/tokenize/tokenizer.ts'
import { NORMALIZE, POOLING, engineOf, fakeModel } from '../../fakes/model.ts'

const ANY = { model: undefined }

describe('embedTokens', () => {
  test('the vectors of every text come in the order of the texts, whatever batches they were in', async () => {
    const model = fakeModel({ batchSize: 2 })
    const texts = ['ab', 'c', 'dé', 'f']
    const result = await engineOf([model]).embedTokens({ kind: 'embed_tokens', ...ANY, texts })
    expect(result.width).toBe(2)
    // The echo of the device: a token's id, and its index in the text.
    expect(result.tokens.map((vectors) => [...vectors])).toEqual([
      [97, 0, 98, 1],
      [99, 0],
      [100, 0, 233, 1],
      [102, 0],
    ])
    expect([result.model, result.promptTokens]).toEqual(['fake-model', 6])
    expect(model.runner.batches.length).toBeGreaterThan(1)
  })

  test('the prompt, the limit of the client and its side reach the tokenizer', async () => {
    const model = fakeModel()
    const task = { kind: 'embed_tokens', ...ANY, texts: ['a'], maxTokens: 7, truncate: 'left' } as const
    const result = await engineOf([model]).embedTokens({ ...task, prompt: { text: 'P' } })
    expect(model.tokenizer.calls[0]).toMatchObject({
      kind: 'texts',
      prompt: { text: 'P', pooled: true },
      options: { clientMaxTokens: 7, truncate: 'left', noun: 'text' },
    })
    expect(result.tokens[0]).toHaveLength(4)
    const unknown = { name: 'query', ifUnknown: 'ignore' } as const
    const ignored = await engineOf([model]).embedTokens({ ...task, prompt: unknown })
    expect(ignored.ignoredPrompt).toBe('query')
  })

  test('a request of too many numbers is refused before anything runs', async () => {
    const limits = { tokenWidth: 1024, maxTokens: 512 }
    const model = fakeModel({ limits, computeToken: () => [] })
    const engine = engineOf([model])
    // 4,096 tokens of 1,024 numbers are the very limit.
    const texts = Array.from({ length: 32 }, (_, n) => `${1000 + n}`.repeat(32))
    const task = { kind: 'embed_tokens', ...ANY } as const
    await expect(engine.embedTokens({ ...task, texts: [...texts, 'x'] })).rejects.toMatchObject({
      code: 'request_too_large',
      message:
        'texts 0 to 32 have 4097 tokens of 1024 numbers each; the token vectors of a request may hold 4194304 numbers',
    })
    expect(model.runner.batches).toEqual([])
    expect(engine.models()[0]?.stats.queuedItems).toBe(0)
    expect((await engine.embedTokens({ ...task, texts })).tokens).toHaveLength(32)
  })

  test('a classifier has none', async () => {
    const model = fakeModel({ labels: ['a', 'b'] })
    const task = { kind: 'embed_tokens', ...ANY, texts: ['a'] } as const
    await expect(engineOf([model]).embedTokens(task)).rejects.toMatchObject({ code: 'wrong_task' })
  })
})

describe('late chunking', () => {
  const limits = { outputWidth: 3, vectorWidth: 2, tokenWidth: 2 }
  const task = { kind: 'embed', ...ANY, texts: ['ab', 'c'], lateChunking: true } as const
  /** What the device echoes of `ab` and `c`, read as one: ids 97 to 99, at 0 to 2. */
  const MEANS = [97.5, 0.5, 99, 2]
  const UNIT = [
    97.5 / Math.hypot(97.5, 0.5),
    0.5 / Math.hypot(97.5, 0.5),
    99 / Math.hypot(99, 2),
    2 / Math.hypot(99, 2),
  ]

  async function embed(model: ReturnType<typeof fakeModel>, fields: Partial<EmbedTask> = {}) {
    const { vectors } = await engineOf([model]).embed({ ...task, ...fields })
    return [...vectors]
  }

  function expectClose(actual: readonly number[], expected: readonly number[]): void {
    expect(actual).toHaveLength(expected.length)
    for (const [index, value] of expected.entries()) expect(actual[index]).toBeCloseTo(value, 4)
  }

  test('the texts are one row, and each is the mean of its own tokens, normalized as the files say', async () => {
    const model = fakeModel({ limits })
    expectClose(await embed(model), UNIT)
    expect(model.runner.batches).toEqual([[[97, 98, 99]]])
    expect(model.tokenizer.calls).toMatchObject([
      { kind: 'chunks', texts: ['ab', 'c'], options: { noun: 'text', firstIndex: 0, maxTokens: 256 } },
    ])
    expectClose(await embed(fakeModel({ limits }), { normalize: false }), MEANS)
    expectClose(await embed(fakeModel({ limits }), { normalize: true }), UNIT)
    expectClose(await embed(fakeModel({ limits }), { dimensions: 1 }), [1, 1])
    expectClose(await embed(fakeModel({ limits }), { dimensions: 1, normalize: false }), [97.5, 99])
  })

  test('a model that does not normalize gives means, unless they are asked for otherwise', async () => {
    const plain = { limits: { ...limits, outputWidth: 2 }, steps: [POOLING] }
    expectClose(await embed(fakeModel(plain)), MEANS)
    expectClose(await embed(fakeModel(plain), { normalize: false }), MEANS)
    expectClose(await embed(fakeModel(plain), { normalize: true }), UNIT)
  })

  test('the prompt and the limit reach the tokenizer, and its tokens belong to no chunk', async () => {
    const model = fakeModel({ limits })
    const fields = { prompt: { text: 'XY' }, maxTokens: 9, normalize: false } as const
    expectClose(await embed(model, fields), [97.5, 2.5, 99, 4])
    expect(model.tokenizer.calls[0]).toMatchObject({
      prompt: { text: 'XY', pooled: true },
      options: { clientMaxTokens: 9 },
    })
  })

  test('the client is told of its chunks, not of the one row', async () => {
    const progress: unknown[] = []
    const onProgress = (...facts: readonly number[]) => progress.push(facts)
    const result = await engineOf([fakeModel({ limits })]).embed(task, { onProgress })
    expect(progress).toEqual([[2, 2]])
    expect([result.model, result.promptTokens, result.dimensions]).toEqual(['fake-model', 3, 2])
    expect(result.truncatedItems).toBe(0)
    await engineOf([fakeModel({ limits })]).embed(task)
  })

  test('a prompt that the model lacks is named', async () => {
    const prompt = { name: 'clustering', ifUnknown: 'ignore' } as const
    const result = await engineOf([fakeModel({ limits })]).embed({ ...task, prompt })
    expect(result.ignoredPrompt).toBe('clustering')
  })

  const dense = { kind: 'dense', weight: {}, bias: undefined, activation: 'tanh' }
  test.each([
    ['pooling with cls, normalize', [{ ...POOLING, modes: ['cls'] }, NORMALIZE]],
    ['pooling with mean+max', [{ ...POOLING, modes: ['mean', 'max'] }]],
    ['pooling with mean, dense', [POOLING, dense]],
    ['pooling with mean, normalize, dense', [POOLING, NORMALIZE, dense]],
  ])('a model that has %s is refused, before any work', async (says, steps) => {
    const model = fakeModel({ limits, steps: steps as never })
    await expect(engineOf([model]).embed(task)).rejects.toMatchObject({
      code: 'invalid_request',
      message: `late chunking needs a model that averages its tokens and at most normalizes; fake-model has: ${says}`,
    })
    expect(model.tokenizer.calls).toEqual([])
  })

  test('off, texts are read one by one', async () => {
    const model = fakeModel({ limits })
    await engineOf([model]).embed({ ...task, lateChunking: false })
    expect(model.tokenizer.calls.map(({ kind }) => kind)).toEqual(['texts'])
  })
})

describe('tokenize', () => {
  test('tokens of every text come with the name of the model, which may be of any kind', async () => {
    const model = fakeModel({ names: ['judge'], labels: ['LABEL_0'], spec: { prompts: { query: 'Q' } } })
    const task = { kind: 'tokenize', ...ANY, texts: ['ab', 'c'], addSpecialTokens: false } as const
    const prompt = { name: 'query', ifUnknown: 'refuse' } as const
    const result = await engineOf([model]).tokenize({ ...task, prompt })
    expect(result.model).toBe('judge')
    expect(result.tokens.map((tokens) => tokens.map(({ text }) => text))).toEqual([
      ['Q', 'a', 'b'],
      ['Q', 'c'],
    ])
    const options = { addSpecialTokens: false, prompt: { text: 'Q', pooled: true }, signal: undefined }
    expect(model.tokenizer.tokenizeCalls).toEqual([{ texts: ['ab', 'c'], options }])
  })

  test('the signal reaches the tokenizer', async () => {
    const model = fakeModel()
    const { signal } = new AbortController()
    const task = { kind: 'tokenize', ...ANY, texts: ['x'], addSpecialTokens: true } as const
    await engineOf([model]).tokenize(task, { signal })
    expect(model.tokenizer.tokenizeCalls[0]?.options.signal).toBe(signal)
  })

  test('the model asked for is asked', async () => {
    const models = [fakeModel({ names: ['a'] }), fakeModel({ names: ['b'] })]
    const task = { kind: 'tokenize', model: 'b', texts: ['x'], addSpecialTokens: true } as const
    expect((await engineOf(models).tokenize(task)).model).toBe('b')
    expect(models.map(({ tokenizer }) => tokenizer.tokenizeCalls.length)).toEqual([0, 1])
  })
})

describe('decode', () => {
  const task = { kind: 'decode', ...ANY, ids: [[104, 105], [33]], skipSpecialTokens: true } as const
  const native = { texts: ['hi', '!'] }
  const cl100k = { texts: ['cl100k 104 105', 'cl100k 33'] }

  test.each([
    ['model', 'cl100k', native],
    ['model', 'reject', native],
    ['cl100k', 'native', cl100k],
    ['cl100k', 'reject', cl100k],
    ['client', 'cl100k', cl100k],
    ['client', 'native', native],
  ] as const)(
    'ids of the vocabulary "%s" under TOKEN_INPUT=%s are read so',
    async (vocabulary, tokenInput, texts) => {
      const engine = engineOf([fakeModel()], { tokenInput })
      expect(await engine.decode({ ...task, vocabulary })).toEqual(texts)
    },
  )

  test("a client's integers are refused where TOKEN_INPUT says so", async () => {
    const engine = engineOf([fakeModel()], { tokenInput: 'reject' })
    await expect(engine.decode({ ...task, vocabulary: 'client' })).rejects.toMatchObject({
      code: 'invalid_request',
      message: 'TOKEN_INPUT=reject: integer inputs are refused; send text',
    })
  })

  test('whether special tokens are left out is told to the tokenizer of the model that is named', async () => {
    const [first, second] = [fakeModel({ names: ['a'] }), fakeModel({ names: ['b'] })]
    const engine = engineOf([first, second])
    for (const skipSpecialTokens of [true, false]) {
      await engine.decode({ ...task, model: 'b', vocabulary: 'model', skipSpecialTokens })
    }
    expect(first.tokenizer.decodeCalls).toEqual([])
    expect(second.tokenizer.decodeCalls).toMatchObject([
      { ids: task.ids, options: { skipSpecialTokens: true } },
      { ids: task.ids, options: { skipSpecialTokens: false } },
    ])
  })

  test('the names of the lists and the signal reach whoever decodes', async () => {
    const told: DecodeCall[] = []
    const cl100k: EngineOptions['cl100k'] = async (_, call) => {
      told.push(call)
      return []
    }
    const model = fakeModel()
    const engine = engineOf([model], { cl100k })
    const { signal } = new AbortController()
    const names = ['input[0]', 'input[1]']
    await engine.decode({ ...task, vocabulary: 'cl100k', names }, { signal })
    await engine.decode({ ...task, vocabulary: 'model', names }, { signal })
    told.push(...model.tokenizer.decodeCalls.map((call) => call.options))
    expect(told).toMatchObject([{ names }, { names, skipSpecialTokens: true }])
    for (const call of told) expect(call.signal).toBe(signal)
  })

  test('cl100k ids need no model that is known', async () => {
    const engine = engineOf([fakeModel({ names: ['a'] }), fakeModel({ names: ['b'] })])
    expect(await engine.decode({ ...task, model: 'gpt-4', vocabulary: 'cl100k' })).toEqual(cl100k)
  })
})
