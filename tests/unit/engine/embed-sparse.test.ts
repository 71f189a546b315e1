import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keepGreatest } from '../../../src/engine/tasks/embed-sparse.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { LexicalHead, SparseHead } from '../../../src/model/spec.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'
import type { EmbedSparseResult, EmbedSparseTask } from '../../../src/task.ts'
import type { Tokenizer } from '../../../src/tokenize/tokenizer.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'
import { POOLING, engineOf, fakeModel } from '../../fakes/model.ts'
import { BUNDLED_MODEL } from '../../open-model.ts'

const ANY = { kind: 'embed_sparse', model: undefined } as const

test('the greatest weights are kept in their order, the first of equal ones', () => {
  const pairs = Float32Array.of(1, 0.5, 3, -2, 4, 0.5, 9, 1)
  expect([...keepGreatest(pairs, 3)]).toEqual([1, 0.5, 3, -2, 9, 1])
  expect(keepGreatest(pairs, 4)).toBe(pairs)
  expect(keepGreatest(pairs)).toBe(pairs)
})

describe('a model whose queries have fixed weights', () => {
  const threads = new TokenizerThread()
  let tokenizer: Tokenizer
  let cat: number
  let dog: number
  const weights = new Float32Array(30_522)
  beforeAll(async () => {
    tokenizer = await threads.open(tokenizerOf(await openFolder(BUNDLED_MODEL)))
    const options = { prompt: { text: '', pooled: true }, addSpecialTokens: false }
    const [tokens] = await tokenizer.tokenize(['cat dog'], options)
    ;[cat = 0, dog = 0] = tokens?.map(({ id }) => id) ?? []
    weights[cat] = 0.5
    weights[dog] = -2
    for (const special of [101, 102]) weights[special] = 9
  })
  afterAll(() => threads.close())

  const model = ({ isDefault = false, maxActive }: { isDefault?: boolean; maxActive?: number } = {}) => {
    const fixed = { tasks: ['query'], otherTasks: ['doc', 'notes'], isDefault, weights }
    const active = maxActive === undefined ? {} : { maxActive }
    const head: SparseHead = { kind: 'sparse', pooling: 'max', logarithms: 1, fixed, ...active }
    const made = fakeModel({
      limits: { vocabularySize: 30_522 },
      spec: { head, prompts: { query: '', document: '' } },
    })
    return { ...made, tokenizer }
  }
  const named = (name: string) => ({ name, ifUnknown: 'ignore' }) as const
  const query = named('search_query')
  const weigh = async (task: Partial<EmbedSparseTask>, options?: Parameters<typeof model>[0]) =>
    engineOf([model(options)]).embedSparse({ ...ANY, texts: ['cat dog cat'], prompt: query, ...task })
  const rowsOf = ({ pairs }: EmbedSparseResult) => pairs.map((row) => [...row])

  test('looks up each word of a query once, without the device', async () => {
    const served = model()
    const texts = ['dog cat dog', 'bird', '']
    const result = await engineOf([served]).embedSparse({ ...ANY, texts, prompt: query })
    // By ascending id.
    expect(rowsOf(result)).toEqual([[dog, -2, cat, 0.5], [], []])
    expect(result).toMatchObject({ promptTokens: 4, truncatedItems: 0 })
    expect(served.runner.batches).toEqual([])
  })

  test('cuts a query at the end that the request names, and refuses it where nothing is to be cut', async () => {
    const right = await weigh({ texts: ['cat dog'], maxTokens: 1 })
    expect([rowsOf(right), right.truncatedItems, right.promptTokens]).toEqual([[[cat, 0.5]], 1, 1])
    const left = await weigh({ texts: ['cat dog'], maxTokens: 1, truncate: 'left' })
    expect([rowsOf(left), left.truncatedItems]).toEqual([[[dog, -2]], 1])
    const texts = [...Array.from({ length: 70 }, () => 'cat'), 'cat '.repeat(300)]
    await expect(weigh({ texts, truncate: 'none' })).rejects.toMatchObject({
      code: 'text_too_long',
      message: 'text 70 has 300 tokens; the model takes 256 and truncation is off',
    })
  })

  test('keeps the greatest weights alone where the model says how many', async () => {
    expect(rowsOf(await weigh({}, { maxActive: 1 }))).toEqual([[dog, -2]])
  })

  test('may be asked about more tokens than a request to tokenize, and tells how far it is', async () => {
    const texts = Array.from({ length: 2100 }, () => 'cat '.repeat(256))
    const told: number[] = []
    const engine = engineOf([model()])
    const result = await engine.embedSparse(
      { ...ANY, texts, prompt: query },
      { onProgress: (done) => told.push(done) },
    )
    expect([result.promptTokens, result.pairs.length, told.at(-1)]).toEqual([2100 * 256, 2100, 2100])
    expect(told.length).toBeGreaterThan(30)
  })

  test('stops between portions once nobody waits', async () => {
    const abort = new AbortController()
    const texts = Array.from({ length: 200 }, () => 'cat')
    const told: number[] = []
    const onProgress = (done: number) => {
      told.push(done)
      abort.abort()
    }
    const asked = { ...ANY, texts, prompt: query }
    const answer = engineOf([model()]).embedSparse(asked, { signal: abort.signal, onProgress })
    await expect(answer).rejects.toMatchObject({ code: 'cancelled' })
    expect(told).toHaveLength(1)
  })

  test.each([
    ['no kind', undefined, ['device', 'fixed']],
    ['words of its own', { text: 'query' }, ['device', 'fixed']],
    ['query', named('query'), ['fixed', 'fixed']],
    ['passage', named('passage'), ['device', 'device']],
    ['notes', named('notes'), ['device', 'device']],
    ['a kind that has no route', named('clustering'), ['device', 'fixed']],
  ])('reads a text of %s as a dense model with its routes would', async (_, prompt, ways) => {
    const taken = []
    for (const isDefault of [false, true]) {
      const served = model({ isDefault })
      await engineOf([served]).embedSparse({ ...ANY, texts: ['cat'], prompt })
      taken.push(served.runner.batches.length > 0 ? 'device' : 'fixed')
    }
    expect(taken).toEqual(ways)
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
