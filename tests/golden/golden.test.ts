/** Every fixture against the numbers of the Python libraries: token ids equal, vectors and scores within 2e-5. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PromptChoice } from '../../src/task.ts'
import { BUNDLED_MODEL, type OpenModel, openModel } from '../open-model.ts'
import { readKind } from '../read-kind.ts'
import { tokenizerOf } from '../../src/model/spec.ts'

interface EmbedCase {
  readonly name: string
  readonly text: string
  readonly prompt_name?: string
  /** What the text is for, where that is not told by a prompt. */
  readonly task?: string
  readonly ids: readonly number[]
  readonly vector: readonly number[]
  /** Of fixtures that are about it: a vector for each id. */
  readonly tokens?: readonly (readonly number[])[]
}

/** Of a sparse model: index and weight of what is not 0. */
interface SparseCase extends Omit<EmbedCase, 'vector' | 'tokens'> {
  readonly sparse: readonly (readonly [number, number])[]
  /** False: its ids are read without the template. */
  readonly special?: boolean
}

/** Of a model whose tokens are compared. */
interface MultiVectorCase extends Omit<EmbedCase, 'vector' | 'tokens' | 'prompt_name'> {
  readonly task: 'query' | 'document'
  /** A vector for each id, and the places of those that count. */
  readonly tokens: readonly (readonly number[])[]
  readonly kept: readonly number[]
  /** What else a model makes of a text that does all three. */
  readonly dense?: readonly number[]
  readonly sparse?: readonly (readonly [number, number])[]
}

interface RerankCase {
  readonly name: string
  readonly query: string
  readonly document: string
  readonly ids: readonly number[]
  /** Left out where the reference's tokenizer gives none. */
  readonly type_ids?: readonly number[]
  readonly logits: readonly number[]
  readonly scores: readonly number[]
}

interface Golden {
  readonly kind: 'embed' | 'rerank' | 'sparse' | 'multi_vector'
  /** Of vectors. */
  readonly dimensions?: number
  readonly cases:
    | readonly EmbedCase[]
    | readonly RerankCase[]
    | readonly SparseCase[]
    | readonly MultiVectorCase[]
  /** Names of a query and a document, and their score. */
  readonly pairs?: readonly (readonly [string, string, number])[]
}

interface Fixture {
  readonly name: string
  readonly folder: string
  readonly golden: Golden
}

const TOLERANCE = 2e-5

const here = import.meta.dirname
const bundled: Fixture = {
  name: 'bundled model',
  folder: BUNDLED_MODEL,
  golden: { ...(readJson(join(here, 'bundled.json')) as Golden), kind: 'embed' },
}
const fixtures: Fixture[] = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith('_') && entry.name !== 'families')
  .flatMap(({ name: family }) => readdirSync(join(here, family)).map((name) => join(here, family, name)))
  .map((path) => ({
    name: path.slice(here.length + 1),
    folder: join(path, 'model'),
    golden: readJson(join(path, 'golden.json')) as Golden,
  }))

test('there are fixtures of every kind', () => {
  expect(fixtures.length).toBeGreaterThan(30)
  expect(new Set(fixtures.map(({ golden }) => golden.kind))).toEqual(
    new Set(['embed', 'rerank', 'sparse', 'multi_vector']),
  )
})

describe.each([bundled, ...fixtures])('$name', ({ folder, golden }) => {
  let model: OpenModel
  beforeAll(async () => {
    model = await openModel(folder)
  })
  afterAll(() => model?.close())

  if (golden.kind === 'embed') {
    const cases = golden.cases as readonly EmbedCase[]
    test.each(cases)('embeds "$name" alone', async (golden) => {
      const { text, prompt_name: promptName, ids, vector } = golden
      expect(await tokenize(model, text, promptName)).toEqual(ids)
      const { vectors } = await embed(model, [text], golden)
      expectClose(vectors, vector)
    })

    const known = cases.filter(({ tokens }) => tokens !== undefined)
    test.each(known)('gives the tokens of "$name" alone', async ({ text, tokens = [] }) => {
      const task = { kind: 'embed_tokens', model: undefined, texts: [text] } as const
      const { width, tokens: given } = await model.engine.embedTokens(task)
      expect(width).toBe(tokens[0]?.length)
      expectClose(given[0] ?? new Float32Array(), tokens.flat())
    })

    test('embeds all texts of a prompt in one request', async () => {
      const kindOf = ({ prompt_name: name, task }: EmbedCase) => `${name} ${task}`
      for (const some of Map.groupBy(cases, kindOf).values()) {
        const texts = some.map(({ text }) => text)
        const { vectors, dimensions } = await embed(model, texts, some[0])
        for (const [row, { vector }] of some.entries()) {
          expectClose(vectors.subarray(row * dimensions, (row + 1) * dimensions), vector)
        }
      }
    })

    const kinds = new Set(cases.map(({ prompt_name: name, task }) => name ?? task))
    if (kinds.size === 1) return
    test('embeds texts of all prompts side by side', async () => {
      const requests = cases.map((golden) => embed(model, [golden.text], golden))
      for (const [index, { vectors }] of (await Promise.all(requests)).entries())
        expectClose(vectors, cases[index]?.vector ?? [])
    })
  } else if (golden.kind === 'multi_vector') {
    const cases = golden.cases as readonly MultiVectorCase[]
    const { dimensions: width = 0, pairs = [] } = golden
    const expected = ({ tokens, kept }: MultiVectorCase) => kept.flatMap((place) => tokens[place] ?? [])

    test.each(cases)('gives the vectors of "$name" alone', async (golden) => {
      const { text, task, ids } = golden
      expect([...(await readKind(model, text, task)).ids]).toEqual(ids)
      const { vectors, dimensions } = await embedMulti(model, [text], task)
      expect(dimensions).toBe(width)
      expectClose(vectors[0] ?? new Float32Array(), expected(golden))
    })

    test('gives the vectors of all texts of a kind in one request', async () => {
      for (const [task, some] of Map.groupBy(cases, (golden) => golden.task)) {
        const texts = some.map(({ text }) => text)
        const { vectors } = await embedMulti(model, texts, task)
        for (const [row, golden] of some.entries())
          expectClose(vectors[row] ?? new Float32Array(), expected(golden))
      }
    })

    test('reranks the documents of one query', async () => {
      const textOf = (name: string) => cases.find((golden) => golden.name === name)?.text ?? ''
      for (const [name, some] of Map.groupBy(pairs, ([query]) => query)) {
        const documents = some.map(([, document]) => textOf(document))
        const task = { kind: 'rerank', model: undefined, query: textOf(name), documents } as const
        expectEachClose((await model.engine.rerank(task)).scores, some)
      }
    })

    test('reranks documents that have a query each', async () => {
      const textOf = (name: string) => cases.find((golden) => golden.name === name)?.text ?? ''
      const query = pairs.map(([name]) => textOf(name))
      const documents = pairs.map(([, name]) => textOf(name))
      const task = { kind: 'rerank', model: undefined, query, documents } as const
      expectEachClose((await model.engine.rerank(task)).scores, pairs)
    })

    const whole = cases.filter(({ dense }) => dense !== undefined)
    test.each(whole)('embeds and weighs "$name" as well', async ({ text, dense = [], sparse = [] }) => {
      expectClose((await embed(model, [text], undefined)).vectors, dense)
      const { pairs } = await model.engine.embedSparse(sparseTask([text], undefined))
      const size = model.runner.limits.vocabularySize
      expectClose(widen(pairs[0] ?? [], size), [...widen(sparse.flat(), size)])
    })
  } else if (golden.kind === 'sparse') {
    const cases = golden.cases as readonly SparseCase[]
    const { dimensions = 0 } = golden
    test.each(cases)('weighs "$name" alone', async ({ text, task, ids, special = true, sparse }) => {
      if (special) expect(await tokenize(model, text, undefined)).toEqual(ids)
      const { pairs } = await model.engine.embedSparse(sparseTask([text], task))
      expectClose(widen(pairs[0] ?? [], dimensions), [...widen(sparse.flat(), dimensions)])
    })

    test('weighs all texts of a task in one request', async () => {
      for (const [task, some] of Map.groupBy(cases, (golden) => golden.task)) {
        const texts = some.map(({ text }) => text)
        const { pairs } = await model.engine.embedSparse(sparseTask(texts, task))
        for (const [row, { sparse }] of some.entries()) {
          expectClose(widen(pairs[row] ?? [], dimensions), [...widen(sparse.flat(), dimensions)])
        }
      }
    })
  } else {
    const cases = golden.cases as readonly RerankCase[]
    test.each(cases)(
      'scores "$name" alone',
      async ({ query, document, ids, type_ids: types, logits, scores }) => {
        const rows = await model.tokenizer.pairs([query], [document], rowOptions(model))
        expect([...rows.ids]).toEqual(ids)
        const given = ids.map((_, index) => (index < (rows.typeStarts[0] ?? 0) ? 0 : 1))
        expect(given).toEqual(types ?? ids.map(() => 0))
        const texts = [query]
        const result = await model.engine.classify({
          kind: 'classify',
          model: undefined,
          texts,
          pairs: [document],
        })
        expectClose(result.scores, scores)
        expectClose(result.logits, logits)
      },
    )

    test('scores all pairs in one request', async () => {
      const texts = cases.map(({ query }) => query)
      const pairs = cases.map(({ document }) => document)
      const { scores } = await model.engine.classify({ kind: 'classify', model: undefined, texts, pairs })
      expectClose(
        scores,
        cases.flatMap((golden) => golden.scores),
      )
    })

    // A model of several labels classifies and does not rerank.
    if (cases[0]?.scores.length !== 1) return
    test('reranks the documents of one query', async () => {
      for (const query of new Set(cases.map((golden) => golden.query))) {
        const some = cases.filter((golden) => golden.query === query)
        const documents = some.map(({ document }) => document)
        const { scores } = await model.engine.rerank({ kind: 'rerank', model: undefined, query, documents })
        expectClose(
          scores,
          some.flatMap((golden) => golden.scores),
        )
      }
    })
  }
})

function embed({ engine }: OpenModel, texts: readonly string[], golden: EmbedCase | undefined) {
  return engine.embed({ kind: 'embed', model: undefined, texts, prompt: golden && promptOf(golden) })
}

function embedMulti({ engine }: OpenModel, texts: readonly string[], task: string) {
  const prompt = { name: task, ifUnknown: 'ignore' } as const
  return engine.embedMulti({ kind: 'embed_multi', model: undefined, texts, prompt })
}

function sparseTask(texts: readonly string[], task: string | undefined) {
  const prompt = task === undefined ? undefined : { name: task, ifUnknown: 'ignore' as const }
  return { kind: 'embed_sparse', model: undefined, texts, prompt } as const
}

/** A sparse vector with its zeros. */
function widen(pairs: ArrayLike<number>, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions)
  for (let i = 0; i < pairs.length; i += 2) {
    // An index beyond them would be dropped without a word.
    expect(pairs[i]).toBeLessThan(dimensions)
    vector[pairs[i] as number] = pairs[i + 1] as number
  }
  return vector
}

function promptOf({ prompt_name: name, task }: EmbedCase): PromptChoice | undefined {
  if (name !== undefined) return { name, ifUnknown: 'refuse' }
  return task === undefined ? undefined : { name: task, ifUnknown: 'ignore' }
}

async function tokenize(
  { spec, tokenizer, ...model }: OpenModel,
  text: string,
  promptName = spec.defaultPromptName,
) {
  const prompt = { text: promptName === undefined ? '' : (spec.prompts[promptName] ?? ''), pooled: true }
  return [...(await tokenizer.texts([text], prompt, rowOptions({ spec, tokenizer, ...model }))).ids]
}

function rowOptions({ spec, runner }: OpenModel) {
  return {
    noun: 'text',
    firstIndex: 0,
    truncate: tokenizerOf(spec).truncationSide,
    maxTokens: Math.min(tokenizerOf(spec).maxTokens ?? Infinity, runner.limits.maxTokens),
    vocabularySize: runner.limits.vocabularySize,
  }
}

/** Vectors of models that do not normalize reach 20: their tolerance grows with their largest number. */
function expectClose(actual: Float32Array, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length)
  const largest = Math.max(1, ...expected.map(Math.abs))
  const worst = Math.max(...expected.map((value, index) => Math.abs((actual[index] ?? NaN) - value)))
  expect(worst).toBeLessThanOrEqual(TOLERANCE * largest)
}

/** Of scores, one of which may be far below the others: a document without vectors has -1e9. */
function expectEachClose(scores: Float32Array, pairs: readonly (readonly [string, string, number])[]): void {
  expect(scores).toHaveLength(pairs.length)
  for (const [index, [, , score]] of pairs.entries()) expectClose(scores.subarray(index, index + 1), [score])
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
