import { describe, expect, test } from 'vitest'
import type { Engine } from '../../../src/engine/engine.ts'
import { MAX_TEXT_CHARACTERS } from '../../../src/engine/engine.ts'
import type { Tokenizer } from '../../../src/tokenize/tokenizer.ts'
import { engineOf, fakeModel } from '../../fakes/model.ts'
import { settle } from '../../fakes/runner.ts'

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
    expect(
      pairs.map(({ kind, options, texts }) => [kind, options.noun, options.firstIndex, texts.length]),
    ).toEqual([
      ['pairs', 'document', 0, 64],
      ['pairs', 'document', 64, 64],
      ['pairs', 'document', 128, 2],
    ])
    expect(pairs.flatMap(({ texts }) => texts)).toEqual(documents)
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
    expect(result.labels).toEqual(['sad', 'glad'])
    expect([...result.scores]).toEqual([0, 1, 0, 1])
    expect([...result.logits]).toEqual([1, -1, 3, -3])
  })

  test('second texts are joined to the first ones', async () => {
    const task = { kind: 'classify', ...ANY, texts: ['a', 'bcd'], pairs: ['xy', ''] } as const
    const { logits } = await engineOf([moods()]).classify(task)
    expect([...logits]).toEqual([3, -3, 4, -4])
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
    const texts = Array.from({ length: 100 }, () => 'a')
    const runsBefore: number[] = []
    const tokenizer: Tokenizer = {
      joinsPairs: true,
      healthy: true,
      query: model.tokenizer.query,
      pairs: model.tokenizer.pairs,
      texts: (...given: Parameters<typeof model.tokenizer.texts>) => {
        runsBefore.push(model.runner.batches.length)
        return model.tokenizer.texts(...given)
      },
    }
    const engine = engineOf([{ ...model, tokenizer }])
    await engine.embed({ kind: 'embed', ...ANY, texts, truncate: 'none' })
    expect(runsBefore).toEqual([0, 0])
    await engine.embed({ kind: 'embed', ...ANY, texts })
    expect(runsBefore.slice(2)).not.toEqual([runsBefore[2], runsBefore[2]])
  })

  test('the truncation of the request wins over that of the folder', async () => {
    const model = fakeModel()
    await engineOf([model]).embed({ kind: 'embed', ...ANY, texts: ['a'], truncate: 'none' })
    expect(model.tokenizer.calls[0]?.options.truncate).toBe('none')
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
