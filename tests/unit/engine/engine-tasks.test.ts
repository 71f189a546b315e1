import { describe, expect, test } from 'vitest'
import type { Engine } from '../../../src/engine/engine.ts'
import { MAX_TEXT_CHARACTERS } from '../../../src/engine/expect-readable.ts'
import { engineOf, fakeModel } from '../../fakes/model.ts'
import { settle } from '../../fakes/runner.ts'
import { FakeTokenizer } from '../../fakes/tokenizer.ts'

const ANY = { model: undefined }

describe('embed', () => {
  test('vectors are in the order of the texts, and tokens are counted', async () => {
    const texts = ['bb', 'a', 'cccc']
    const { vectors, dimensions, promptTokens } = await engineOf([fakeModel()]).embed({
      kind: 'embed',
      ...ANY,
      texts,
    })
    // The echo of the device: first character, length, last character.
    expect([...vectors]).toEqual([98, 2, 98, 97, 1, 97, 99, 4, 99])
    expect([dimensions, promptTokens]).toEqual([3, 7])
  })

  test('the prompt asked for goes before every text, and one that the model lacks is named', async () => {
    const model = fakeModel({ spec: { prompts: { query: 'Q ' } } })
    const engine = engineOf([model])
    const task = { kind: 'embed', ...ANY, texts: ['a'] } as const
    const known = await engine.embed({ ...task, prompt: { name: 'query', ifUnknown: 'refuse' } })
    const unknown = await engine.embed({ ...task, prompt: { name: 'clustering', ifUnknown: 'ignore' } })
    const own = await engine.embed({ ...task, prompt: { text: 'Own: ' } })
    expect(model.tokenizer.calls.map(({ prompt }) => prompt?.text)).toEqual(['Q ', '', 'Own: '])
    expect([known, unknown, own].map((result) => result.ignoredPrompt)).toEqual([
      undefined,
      'clustering',
      undefined,
    ])
    expect([known, unknown, own].map((result) => result.promptTokens)).toEqual([3, 1, 6])
  })

  test('a prompt that must be there and is not ends the request before any work', async () => {
    const model = fakeModel()
    const prompt = { name: 'query', ifUnknown: 'refuse' } as const
    await expect(
      engineOf([model]).embed({ kind: 'embed', ...ANY, texts: ['a'], prompt }),
    ).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('"query" is unknown'),
    })
    expect(model.tokenizer.calls).toEqual([])
  })
})

describe('what every result says besides', () => {
  test('is the time it took, and how many texts were cut', async () => {
    const model = fakeModel({ limits: { outputWidth: 2 }, labels: ['LABEL_0'] })
    const { texts, pairs } = model.tokenizer
    const tokenizer = Object.assign(new FakeTokenizer(), {
      texts: async (...given: Parameters<typeof texts>) => ({
        ...(await texts(...given)),
        truncatedRows: given[0].length,
      }),
      pairs: async (...given: Parameters<typeof pairs>) => ({
        ...(await pairs(...given)),
        truncatedRows: given[1].length,
      }),
    })
    const classifier = engineOf([{ ...model, tokenizer }])
    const embedder = engineOf([{ ...fakeModel(), tokenizer }])
    const results = [
      await embedder.embed({ kind: 'embed', ...ANY, texts: ['a', 'bc'] }),
      await embedder.embedTokens({ kind: 'embed_tokens', ...ANY, texts: ['a', 'bc'] }),
      await classifier.rerank({ kind: 'rerank', ...ANY, query: 'q', documents: ['a', 'b'] }),
      await classifier.classify({ kind: 'classify', ...ANY, texts: ['a', 'bc'] }),
    ]
    expect(results.map(({ truncatedItems }) => truncatedItems)).toEqual([2, 2, 2, 2])
    // The device takes a millisecond a token; the clock stands still.
    expect(results.map(({ timing }) => timing)).toEqual(
      [3, 3, 4, 3].map((runMs) => ({ tokenizeMs: 0, queueMs: 0, runMs })),
    )
  })
})

describe('rerank', () => {
  const judge = () => fakeModel({ labels: ['LABEL_0'], compute: (ids) => [ids.length / 8, ids.length] })

  test('every document is scored with the query, in their order', async () => {
    const documents = ['aaa', 'a', 'aa']
    const result = await engineOf([judge()]).rerank({ kind: 'rerank', ...ANY, query: 'q', documents })
    expect([...result.scores]).toEqual([0.5, 0.25, 0.375])
    expect([...result.logits]).toEqual([4, 2, 3])
    expect(result.promptTokens).toBe(9)
  })

  test('the query is tokenized once, and documents keep their numbers from chunk to chunk', async () => {
    const model = judge()
    const documents = Array.from({ length: 130 }, (_, index) => `document ${index}`)
    await engineOf([model]).rerank({ kind: 'rerank', ...ANY, query: 'q', documents, truncate: 'none' })
    const [query, ...pairs] = model.tokenizer.calls
    expect(query).toMatchObject({ kind: 'query', texts: ['q'] })
    expect(query?.options).toMatchObject({ noun: 'query', firstIndex: 0, truncate: 'none' })
    expect(pairs.map(({ kind, texts }) => [kind, texts.length])).toEqual([
      ['pairs', 64],
      ['pairs', 64],
      ['pairs', 2],
    ])
    expect(pairs.map(({ options }) => options)).toMatchObject(
      [0, 64, 128].map((firstIndex) => ({ noun: 'document', firstIndex })),
    )
    expect(pairs.flatMap(({ texts }) => texts)).toEqual(documents)
  })

  test('each document may have a query of its own, in every chunk', async () => {
    const model = judge()
    const query = Array.from({ length: 70 }, (_, n) => 'q'.repeat(n + 1))
    const documents = query.map(() => 'd')
    const result = await engineOf([model]).rerank({ kind: 'rerank', ...ANY, query, documents })
    expect([...result.logits]).toEqual(query.map((text) => text.length + 1))
    expect(model.tokenizer.calls.map(({ kind }) => kind)).toEqual(['pairs', 'pairs'])
  })

  test('long queries are tokenized a few at a time, as long documents are', async () => {
    const model = judge()
    const query = ['a', 'b', 'c'].map((letter) => letter.repeat(140_000))
    await engineOf([model]).rerank({ kind: 'rerank', ...ANY, query, documents: ['x', 'y', 'z'] })
    expect(model.tokenizer.calls.map(({ texts }) => texts)).toEqual([['x'], ['y'], ['z']])
  })

  test.each([
    [['a', 'b'], ['x', 'y', 'z'], 'there are 3 documents and 2 queries'],
    [['a'], ['x', 'y'], 'there are 2 documents and 1 queries'],
    [[], ['x'], 'there is no query'],
  ])('queries %j for documents %j are refused', async (query, documents, message) => {
    const task = { kind: 'rerank', ...ANY, query, documents } as const
    await expect(engineOf([judge()]).rerank(task)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(message),
    })
  })

  test('the limits of each side reach the tokenizer, for the query too', async () => {
    const model = judge()
    const limits = { maxQueryTokens: 3, maxDocumentTokens: 5, maxTokens: 12 }
    await engineOf([model]).rerank({ kind: 'rerank', ...ANY, query: 'q', documents: ['a'], ...limits })
    const sides = {
      first: { name: 'query', maxTokens: 3 },
      second: { name: 'document', maxTokens: 5 },
    }
    const asked = { sides, clientMaxTokens: 12, maxTokens: 256 }
    expect(model.tokenizer.calls.map(({ options }) => options)).toMatchObject([asked, asked])
  })

  test('a prompt goes before the query, or before each of them', async () => {
    const engine = engineOf([judge()])
    const task = { kind: 'rerank', ...ANY, documents: ['a', 'bc'], prompt: { text: 'Find ' } } as const
    expect([...(await engine.rerank({ ...task, query: 'q' })).logits]).toEqual([7, 8])
    expect([...(await engine.rerank({ ...task, query: ['q', 'rst'] })).logits]).toEqual([7, 10])
    const unknown = { name: 'judge', ifUnknown: 'ignore' } as const
    expect((await engine.rerank({ ...task, query: 'q', prompt: unknown })).ignoredPrompt).toBe('judge')
  })
})

describe('the default prompt of a model', () => {
  const spec = { prompts: { judge: 'JUDGE ' }, defaultPromptName: 'judge' }

  test('goes before the query of a ranking, not before its documents', async () => {
    const model = fakeModel({ labels: ['LABEL_0'], spec })
    await engineOf([model]).rerank({ kind: 'rerank', ...ANY, query: 'q', documents: ['a'] })
    expect(model.tokenizer.calls.map(({ texts }) => texts)).toEqual([['JUDGE q'], ['a']])
  })

  test('goes before every text to classify, alone or first of a pair', async () => {
    const model = fakeModel({
      labels: ['LABEL_0'],
      spec,
      limits: { outputWidth: 2 },
      compute: (ids) => [0, ids.length],
    })
    const engine = engineOf([model])
    const alone = await engine.classify({ kind: 'classify', ...ANY, texts: ['a'] })
    const pair = await engine.classify({ kind: 'classify', ...ANY, texts: ['a'], pairs: ['bc'] })
    expect([...alone.logits, ...pair.logits]).toEqual([7, 9])
  })
})

describe('classify', () => {
  const moods = () =>
    fakeModel({ labels: ['sad', 'glad'], compute: (ids) => [0, 1, ids.length, -ids.length] })

  test('scores and logits of every text come with the labels', async () => {
    const result = await engineOf([moods()]).classify({ kind: 'classify', ...ANY, texts: ['a', 'bcd'] })
    expect([result.labels, result.model, result.promptTokens]).toEqual([['sad', 'glad'], 'fake-model', 4])
    expect([...result.scores]).toEqual([0, 1, 0, 1])
    expect([...result.logits]).toEqual([1, -1, 3, -3])
  })

  test('second texts are joined to the first ones', async () => {
    const task = { kind: 'classify', ...ANY, texts: ['a', 'bcd'], pairs: ['xy', ''] } as const
    const { logits } = await engineOf([moods()]).classify(task)
    expect([...logits]).toEqual([3, -3, 4, -4])
  })

  test('a prompt goes before the first texts, and the limit of the client reaches the tokenizer', async () => {
    const model = moods()
    const task = { kind: 'classify', ...ANY, texts: ['a'], prompt: { text: 'Is ' }, maxTokens: 9 } as const
    const alone = await engineOf([model]).classify(task)
    const pair = await engineOf([model]).classify({ ...task, pairs: ['bc'] })
    expect([...alone.logits, ...pair.logits]).toEqual([4, -4, 6, -6])
    expect(model.tokenizer.calls.map(({ options }) => options)).toMatchObject([
      { clientMaxTokens: 9 },
      { clientMaxTokens: 9 },
    ])
  })

  test('a number of second texts that is not that of the texts is refused', async () => {
    const task = { kind: 'classify', ...ANY, texts: ['a', 'b'], pairs: ['x'] } as const
    await expect(engineOf([moods()]).classify(task)).rejects.toMatchObject({
      code: 'invalid_request',
      message: 'there are 2 texts and 1 second texts',
    })
  })
})

describe('what the tokenizer is told', () => {
  test('the limit is the smaller of the folder and the graph, the side that of the folder', async () => {
    const tokenizer = { file: '', maxTokens: 100, truncationSide: 'left', lowerCase: false } as const
    const byFolder = fakeModel({ spec: { tokenizer } })
    const byGraph = fakeModel({ limits: { maxTokens: 64, vocabularySize: 50 } })
    const unlimited = fakeModel({ spec: { tokenizer: { ...tokenizer, maxTokens: undefined } } })
    for (const model of [byFolder, byGraph, unlimited]) {
      await engineOf([model]).embed({ kind: 'embed', ...ANY, texts: ['a'] })
    }
    expect(byFolder.tokenizer.calls[0]?.options).toMatchObject({ maxTokens: 100, truncate: 'left' })
    expect(byGraph.tokenizer.calls[0]?.options).toMatchObject({ maxTokens: 64, vocabularySize: 50 })
    expect(unlimited.tokenizer.calls[0]?.options).toMatchObject({ maxTokens: 512 })
  })

  test('where truncation is off, all texts are tokenized before any runs', async () => {
    const model = fakeModel()
    const texts = Array.from({ length: 100 }, (_, n) => `${n}`)
    const runsBefore: number[] = []
    const tokenizer = Object.assign(new FakeTokenizer(), {
      texts: (...given: Parameters<typeof model.tokenizer.texts>) => {
        runsBefore.push(model.runner.batches.length)
        return model.tokenizer.texts(...given)
      },
    })
    const engine = engineOf([{ ...model, tokenizer }])
    await engine.embed({ kind: 'embed', ...ANY, texts, truncate: 'none' })
    expect(runsBefore).toEqual([0, 0])
    await engine.embed({ kind: 'embed', ...ANY, texts })
    expect(runsBefore.slice(2)).not.toEqual([runsBefore[2], runsBefore[2]])
  })

  test('the truncation of the request wins over that of the folder', async () => {
    const model = fakeModel()
    await engineOf([model]).embed({ kind: 'embed', ...ANY, texts: ['a'], truncate: 'none' })
    expect(model.tokenizer.calls[0]?.options).toMatchObject({ truncate: 'none' })
  })

  test('the limit of the request goes beside that of the model', async () => {
    const model = fakeModel()
    await engineOf([model]).embed({ kind: 'embed', ...ANY, texts: ['a'], maxTokens: 12 })
    await engineOf([model]).embed({ kind: 'embed', ...ANY, texts: ['a'] })
    expect(model.tokenizer.calls.map(({ options }) => options)).toMatchObject([
      { maxTokens: 256, clientMaxTokens: 12 },
      { maxTokens: 256, clientMaxTokens: undefined },
    ])
  })
})

describe('a long prompt', () => {
  const prompt = { text: 'P'.repeat(65_536) }
  const texts = Array.from({ length: 9 }, (_, n) => `${n}`)
  const open = () => [
    fakeModel({ names: ['e'], limits: { maxTokens: 8_000_000 } }),
    fakeModel({ names: ['r'], labels: ['LABEL_0'], limits: { maxTokens: 8_000_000 } }),
  ]

  test.each<[string, (engine: Engine) => Promise<unknown>]>([
    ['embed', (engine) => engine.embed({ kind: 'embed', ...ANY, texts, prompt })],
    [
      'embedTokens',
      (engine) => engine.embedTokens({ kind: 'embed_tokens', ...ANY, texts: texts.slice(0, 5), prompt }),
    ],
    ['classify', (engine) => engine.classify({ kind: 'classify', ...ANY, texts, prompt })],
    [
      'classify pairs',
      (engine) => engine.classify({ kind: 'classify', ...ANY, texts, pairs: texts, prompt }),
    ],
    ['rerank', (engine) => engine.rerank({ kind: 'rerank', ...ANY, query: texts, documents: texts, prompt })],
  ])('of %s counts with every text, so that few cross to the tokenizer at a time', async (_, ask) => {
    const models = open()
    await ask(engineOf(models))
    const sizes = models.flatMap(({ tokenizer }) => tokenizer.calls.map((call) => call.texts.length))
    expect(Math.max(...sizes)).toBe(3)
  })

  test('before a query that all documents share is read once', async () => {
    const models = open()
    await engineOf(models).rerank({ kind: 'rerank', ...ANY, query: 'q', documents: texts, prompt })
    expect(models[1]?.tokenizer.calls.map((call) => call.texts.length)).toEqual([1, 9])
  })
})

describe('texts that cannot be read', () => {
  const tooLong = 'x'.repeat(MAX_TEXT_CHARACTERS + 1)
  const cases: readonly [string, string, (engine: Engine) => Promise<unknown>][] = [
    ['text', '1', (engine) => engine.embed({ kind: 'embed', ...ANY, texts: ['a', tooLong] })],
    ['query', '0', (engine) => engine.rerank({ kind: 'rerank', ...ANY, query: tooLong, documents: ['a'] })],
    [
      'document',
      '2',
      (engine) => engine.rerank({ kind: 'rerank', ...ANY, query: 'q', documents: ['a', 'b', tooLong] }),
    ],
    ['text', '0', (engine) => engine.classify({ kind: 'classify', ...ANY, texts: [tooLong] })],
    [
      'query',
      '1',
      (engine) => engine.rerank({ kind: 'rerank', ...ANY, query: ['q', tooLong], documents: ['a', 'b'] }),
    ],
    ['text', '0', (engine) => engine.embedTokens({ kind: 'embed_tokens', ...ANY, texts: [tooLong] })],
    [
      'text',
      '1',
      (engine) => engine.embed({ kind: 'embed', ...ANY, texts: ['a', tooLong], lateChunking: true }),
    ],
    [
      'text',
      '0',
      (engine) => engine.tokenize({ kind: 'tokenize', model: 'e', texts: [tooLong], addSpecialTokens: true }),
    ],
    ['pair', '0', (engine) => engine.classify({ kind: 'classify', ...ANY, texts: ['a'], pairs: [tooLong] })],
  ]

  test.each(cases)(
    'a %s %s over the limit is named, with its length and the limit',
    async (noun, index, ask) => {
      const models = [fakeModel({ names: ['e'] }), fakeModel({ names: ['r'], labels: ['LABEL_0'] })]
      await expect(ask(engineOf(models))).rejects.toMatchObject({
        code: 'invalid_request',
        message: `${noun} ${index} has 1048577 characters; a ${noun} may have 1048576`,
      })
      expect(models.flatMap(({ tokenizer }) => tokenizer.calls)).toEqual([])
    },
  )

  test('a text of the very limit reaches the tokenizer', async () => {
    const model = fakeModel({ limits: { maxTokens: 8_000_000 } })
    const texts = ['x'.repeat(MAX_TEXT_CHARACTERS)]
    const { promptTokens } = await engineOf([model]).embed({ kind: 'embed', ...ANY, texts })
    expect(promptTokens).toBe(MAX_TEXT_CHARACTERS)
  })

  test('no text at all is refused', async () => {
    const engine = engineOf([fakeModel()])
    await expect(engine.embed({ kind: 'embed', ...ANY, texts: [] })).rejects.toMatchObject({
      code: 'invalid_request',
      message: 'there is no text; at least one is needed',
    })
  })
})

test('a cancelled request is dropped by every task', async () => {
  const models = [
    fakeModel({ names: ['e'], automatic: false }),
    fakeModel({ names: ['r'], labels: ['LABEL_0'], automatic: false }),
  ]
  const engine = engineOf(models)
  const controller = new AbortController()
  const { signal } = controller
  const ended = Promise.allSettled([
    engine.embed({ kind: 'embed', ...ANY, texts: ['a'] }, { signal }),
    engine.embed({ kind: 'embed', ...ANY, texts: ['a'], lateChunking: true }, { signal }),
    engine.embedTokens({ kind: 'embed_tokens', ...ANY, texts: ['a'] }, { signal }),
    engine.rerank({ kind: 'rerank', ...ANY, query: 'q', documents: ['a'] }, { signal }),
    engine.classify({ kind: 'classify', ...ANY, texts: ['a'] }, { signal }),
  ])
  await settle()
  controller.abort()
  for (const result of await ended) expect(result).toMatchObject({ reason: { code: 'cancelled' } })
})

test('closing the engine closes every device', async () => {
  const models = [fakeModel({ names: ['a'] }), fakeModel({ names: ['b'] })]
  await engineOf(models).close()
  expect(models.map(({ runner }) => runner.closeCount)).toEqual([1, 1])
})
