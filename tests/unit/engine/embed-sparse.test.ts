import { describe, expect, test } from 'vitest'
import { keepGreatest } from '../../../src/engine/tasks/embed-sparse.ts'
import type { LexicalHead, SparseHead } from '../../../src/model/spec.ts'
import { POOLING, engineOf, fakeModel } from '../../fakes/model.ts'

const ANY = { kind: 'embed_sparse', model: undefined } as const

test('the greatest weights are kept in their order, the first of equal ones', () => {
  const pairs = Float32Array.of(1, 0.5, 3, 2, 4, 0.5, 9, 1)
  expect([...keepGreatest(pairs, 3)]).toEqual([1, 0.5, 3, 2, 9, 1])
  expect(keepGreatest(pairs, 4)).toBe(pairs)
  expect(keepGreatest(pairs)).toBe(pairs)
})

describe('a model whose queries have fixed weights', () => {
  const weights = new Float32Array(200)
  weights[97] = 2
  weights[99] = 0.5
  const model = (isDefault: boolean) => {
    const fixed = { tasks: ['query'], isDefault, weights }
    const head: SparseHead = { kind: 'sparse', pooling: 'max', logarithms: 1, fixed }
    return fakeModel({ spec: { head, prompts: { query: '', document: '' } } })
  }
  const query = { name: 'search_query', ifUnknown: 'ignore' } as const

  test('looks up each word of a query once, without the device', async () => {
    const served = model(false)
    const engine = engineOf([served])
    const result = await engine.embedSparse({ ...ANY, texts: ['cabca', 'x', ''], prompt: query })
    expect(result.pairs.map((row) => [...row])).toEqual([[97, 2, 99, 0.5], [], []])
    expect(result).toMatchObject({ promptTokens: 6, truncatedItems: 0 })
    expect(served.runner.batches).toEqual([])
    expect(served.tokenizer.tokenizeCalls[0]?.options).toMatchObject({ addSpecialTokens: false })
  })

  test('cuts a query where a text is cut', async () => {
    const engine = engineOf([model(false)])
    const result = await engine.embedSparse({ ...ANY, texts: ['ca'], prompt: query, maxTokens: 1 })
    expect(result.pairs.map((row) => [...row])).toEqual([[99, 0.5]])
    expect(result.truncatedItems).toBe(1)
  })

  test('asks the device for other texts, unless queries are the default', async () => {
    const served = model(false)
    await engineOf([served]).embedSparse({ ...ANY, texts: ['ab'] })
    const document = { name: 'document', ifUnknown: 'ignore' } as const
    await engineOf([served]).embedSparse({ ...ANY, texts: ['ab'], prompt: document })
    expect(served.runner.batches).toHaveLength(2)
    const byDefault = model(true)
    await engineOf([byDefault]).embedSparse({ ...ANY, texts: ['ab'] })
    expect(byDefault.runner.batches).toEqual([])
  })
})

test('it is what the model can do, and what others cannot', async () => {
  const head: SparseHead = { kind: 'sparse', pooling: 'sum', logarithms: 1 }
  const engine = engineOf([fakeModel({ names: ['sparse'], spec: { head } }), fakeModel({ names: ['dense'] })])
  expect(engine.models().map(({ capabilities }) => capabilities)).toEqual([['embed_sparse'], ['embed']])
  expect(engine.models()[0]).toMatchObject({ pooling: 'splade', labels: [] })
  await expect(engine.embedSparse({ ...ANY, model: 'dense', texts: ['a'] })).rejects.toMatchObject({
    code: 'wrong_task',
    message: 'model "dense" embeds; it does not make sparse vectors. Models that can: sparse.',
  })
  await expect(engine.embed({ kind: 'embed', model: 'sparse', texts: ['a'] })).rejects.toMatchObject({
    message: 'model "sparse" makes sparse vectors; it does not embed. Models that can: dense.',
  })
})

describe('a model that weighs the words of its texts besides', () => {
  const lexical = {} as LexicalHead
  const head = { kind: 'embedding', steps: [POOLING], lexical: { ...lexical, skippedIds: [98] } } as const
  // The echo of the device: a token's id, its index in the text, then 0.
  const computeToken = (id: number, index: number) => [id, index, id === 99 ? 0 : index + 0.5]
  const model = () => fakeModel({ limits: { tokenWidth: 3 }, computeToken, spec: { head } })

  test('gives the greatest weight of each word, whatever chunks and batches its texts were in', async () => {
    const engine = engineOf([model()])
    const texts = Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? 'abca' : 'ba'))
    const { pairs } = await engine.embedSparse({ ...ANY, texts })
    expect(new Set(pairs.map((row, n) => `${n % 2}: ${row.join()}`))).toEqual(
      new Set(['0: 97,3.5', '1: 97,1.5']),
    )
    expect(engine.models()[0]?.capabilities).toEqual(['embed', 'embed_sparse'])
  })

  test('gives vectors of tokens without their weights', async () => {
    const result = await engineOf([model()]).embedTokens({
      kind: 'embed_tokens',
      model: undefined,
      texts: ['ab'],
    })
    expect(result.width).toBe(2)
    expect(result.tokens.map((row) => [...row])).toEqual([[97, 0, 98, 1]])
  })
})
