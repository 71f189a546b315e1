/** Tasks of a model that compares texts token by token, on a device that answers by ids. */
import { describe, expect, test } from 'vitest'
import type { MultiVectorHead } from '../../../src/model/spec.ts'
import { RULES, comparer } from '../../fakes/comparer.ts'
import { NORMALIZE, POOLING, engineOf, fakeModel } from '../../fakes/model.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'

const ANY = { model: undefined } as const
describe('what is told of a model', () => {
  test('it compares tokens and reranks; its limit is that of documents, its dimensions those of a token', () => {
    const [info] = engineOf([comparer()]).models()
    expect(info).toMatchObject({
      capabilities: ['multi_vector', 'rerank'],
      dimensions: 2,
      pooling: undefined,
      maxTokens: 300,
    })
  })

  test('a dense model with a head for tokens does all four', () => {
    const tensor = { file: '/f', byteOffset: 0, byteLength: 0, dtype: 'F32' } as const
    const multiVector = {
      weight: { ...tensor, shape: [2, 3] },
      bias: { ...tensor, shape: [2] },
      rules: RULES,
    }
    const lexical = {
      weight: { ...tensor, shape: [1, 3] },
      bias: { ...tensor, shape: [1] },
      skippedIds: [],
    }
    const head = { kind: 'embedding', steps: [POOLING, NORMALIZE], lexical, multiVector } as const
    const [info] = engineOf([fakeModel({ spec: { head } })]).models()
    expect(info?.capabilities).toEqual(['embed', 'embed_sparse', 'multi_vector', 'rerank'])
  })

  test('it does not embed, and says where its vectors are', async () => {
    const asked = engineOf([comparer()]).embed({ kind: 'embed', ...ANY, model: 'fake-model', texts: ['a'] })
    await expect(asked).rejects.toMatchObject({
      code: 'wrong_task',
      message: expect.stringContaining(
        'makes multi-vectors (/v1/multi-vector) and reranks; it does not embed',
      ),
    })
  })
})

describe('vectors of tokens', () => {
  const ask = (fields: object, model = comparer()) =>
    engineOf([model]).embedMulti({ kind: 'embed_multi', ...ANY, texts: ['ab.', 'c'], ...fields })

  test('are those of the tokens that count, of documents unless told', async () => {
    const model = comparer()
    const { vectors, dimensions, promptTokens } = await ask({}, model)
    expect(vectors.map((row) => [...row])).toEqual([
      [1, 1, 2, 1],
      [3, 1],
    ])
    expect([dimensions, promptTokens]).toEqual([2, 4])
    expect(model.tokenizer.calls[0]).toMatchObject({ options: { maxTokens: 300, noun: 'text' } })
    expect(model.tokenizer.calls[0]?.options.fill).toBeUndefined()
  })

  test('of queries are read as queries are', async () => {
    const model = comparer({}, { spec: { prompts: { query: 'Q', document: 'D' } } })
    const { vectors } = await ask({ prompt: { name: 'search_query', ifUnknown: 'ignore' } }, model)
    expect([...(vectors[0] ?? [])]).toEqual([81 - 96, 1, 1, 1, 2, 1, 46 - 96, 1])
    expect(model.tokenizer.calls[0]).toMatchObject({
      prompt: { text: 'Q' },
      options: { maxTokens: 32, fill: { id: 7, tokens: 32 } },
    })
  })

  test('of queries without a limit of their own are cut where the tokenizer’s files say, not where documents are', async () => {
    const model = comparer({ query: { skippedIds: [] } })
    await ask({ prompt: { name: 'query', ifUnknown: 'ignore' } }, model)
    expect(model.tokenizer.calls[0]?.options.maxTokens).toBe(tokenizerOf(model.spec).maxTokens)
  })

  test('are cut to fewer numbers, and made unit length again only where the model normalizes', async () => {
    const plain = await ask({ dimensions: 1 })
    expect(plain.vectors.map((row) => [...row])).toEqual([[1, 2], [3]])
    const steps = [{ kind: 'normalize', perToken: true }] as const
    const head: MultiVectorHead = { kind: 'multi_vector', steps, rules: RULES }
    const unit = await ask({ dimensions: 1 }, comparer({}, { spec: { head } }))
    expect(unit.vectors.map((row) => [...row])).toEqual([[1, 1], [1]])
    const made = await ask({ normalize: true })
    expect(made.vectors[1]?.[0]).toBeCloseTo(3 / Math.hypot(3, 1), 6)
    await expect(ask({ dimensions: 3 })).rejects.toMatchObject({
      code: 'invalid_request',
      message: 'dimensions is 3; fake-model has 1 to 2',
    })
    await expect(ask({ normalize: false }, comparer({}, { spec: { head } }))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('normalize is false'),
    })
    expect((await ask({ normalize: false })).vectors).toHaveLength(2)
  })

  test('are what a model has to give where the vectors of all tokens are asked for', async () => {
    const { tokens, width } = await engineOf([comparer()]).embedTokens({
      kind: 'embed_tokens',
      ...ANY,
      texts: ['a.b'],
    })
    expect(width).toBe(2)
    expect(tokens.map((row) => [...row])).toEqual([[1, 1, 2, 1]])
  })

  test('of an embedder are asked for first, where a model of each kind is served', async () => {
    const embedder = fakeModel({ names: ['embedder'] })
    const engine = engineOf([comparer(), embedder])
    const task = { kind: 'embed_tokens', ...ANY, texts: ['a'] } as const
    expect((await engine.embedTokens(task)).model).toBe('embedder')
    expect((await engine.embedTokens({ ...task, model: 'fake-model' })).model).toBe('fake-model')
  })

  test('that are too many numbers are refused before anything runs', async () => {
    const model = comparer({}, { limits: { outputWidth: 2, tokenWidth: 65_536 }, computeToken: () => [] })
    await expect(ask({ texts: ['x'.repeat(64), 'y'] }, model)).rejects.toMatchObject({
      code: 'request_too_large',
      message: expect.stringContaining('texts 0 to 1 have 65 tokens of 65536 numbers each'),
    })
    expect(model.runner.batches).toEqual([])
  })
})
