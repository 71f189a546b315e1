/** One golden fixture through the engine: how far its numbers are from those of the Python libraries. */
import { readFileSync } from 'node:fs'
import type { PromptChoice } from '../../src/task.ts'
import type { OpenModel } from '../../tests/open-model.ts'
import { openModel } from '../../tests/open-model.ts'
import { readKind } from '../../tests/read-kind.ts'
import { tokenizerOf } from '../../src/model/spec.ts'

export interface Measured {
  readonly cases: number
  /** The largest difference of any number, as a part of the largest number of its row where that is above 1. */
  readonly difference: number
  /** The least of any vector; undefined where there are scores only. */
  readonly cosine: number | undefined
  /** Cases whose token ids are the reference's. */
  readonly sameIds: number
}

interface GoldenCase {
  readonly ids: readonly number[]
  readonly text?: string
  readonly prompt_name?: string
  readonly task?: string
  readonly vector?: readonly number[]
  readonly tokens?: readonly (readonly number[])[] | undefined
  /** What is not 0: index and value of each. */
  readonly sparse?: readonly (readonly [number, number])[]
  /** False: the text is read without the special tokens of the model's template. */
  readonly special?: boolean
  /** Places of the tokens by which a text is compared, of `tokens`. */
  readonly kept?: readonly number[]
  /** The one vector of a text that has those too. */
  readonly dense?: readonly number[]
  readonly name?: string
  readonly query?: string
  readonly document?: string
  readonly logits?: readonly number[]
  readonly scores?: readonly number[]
}

interface Golden {
  /** Undefined in bundled.json, which embeds. */
  readonly kind?: string
  readonly cases: readonly GoldenCase[]
  /** Names of a query's case and a document's, and their score. */
  readonly pairs?: readonly (readonly [string, string, number])[]
}

/** What came out, and what had to. */
interface Pair {
  readonly actual: Float32Array
  readonly expected: readonly number[]
}

interface CaseResult {
  readonly ids: readonly number[]
  readonly vectors: readonly Pair[]
  readonly scores: readonly Pair[]
}

const KINDS: Readonly<Record<string, (model: OpenModel, golden: GoldenCase) => Promise<CaseResult>>> = {
  embed: embedCase,
  sparse: sparseCase,
  rerank: rerankCase,
  multi_vector: multiVectorCase,
}

/** `golden`: the path of a golden.json. Throws what opening the folder throws, and for a kind of fixtures that is not known. */
export async function measureFixture(folder: string, golden: string): Promise<Measured> {
  const read = JSON.parse(readFileSync(golden, 'utf8')) as Golden
  const { kind = 'embed', cases } = read
  const measure = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined
  if (measure === undefined) throw new Error(`fixtures of kind "${kind}" are not measured yet`)
  const model = await openModel(folder)
  try {
    const results: CaseResult[] = []
    for (const golden of cases) results.push(await measure(model, golden))
    const vectors = results.flatMap((result) => result.vectors)
    const scores = [...results.flatMap((result) => result.scores), ...(await comparePairs(model, read))]
    const numbers = [...vectors, ...scores]
    return {
      cases: cases.length,
      difference: Math.max(...numbers.map(differenceOf)),
      cosine: vectors.length === 0 ? undefined : Math.min(...vectors.map(cosineOf)),
      sameIds: results.filter(({ ids }, index) => ids.join() === cases[index]?.ids.join()).length,
    }
  } finally {
    await model.close()
  }
}

async function embedCase(model: OpenModel, golden: GoldenCase): Promise<CaseResult> {
  const { text = '', vector = [], tokens } = golden
  const { engine } = model
  const embedding = { kind: 'embed', model: undefined, texts: [text], prompt: promptOf(golden) } as const
  const vectors: Pair[] = [{ actual: (await engine.embed(embedding)).vectors, expected: vector }]
  if (tokens !== undefined) {
    const { tokens: given } = await engine.embedTokens({
      kind: 'embed_tokens',
      model: undefined,
      texts: [text],
    })
    vectors.push({ actual: given[0] ?? new Float32Array(), expected: tokens.flat() })
  }
  return { ids: await idsOf(model, golden), vectors, scores: [] }
}

async function sparseCase(model: OpenModel, golden: GoldenCase): Promise<CaseResult> {
  const { text = '', sparse = [] } = golden
  const task = { kind: 'embed_sparse', model: undefined, texts: [text], prompt: promptOf(golden) } as const
  const [flat = new Float32Array()] = (await model.engine.embedSparse(task)).pairs
  const given = Array.from({ length: flat.length / 2 }, (_, place) => [
    flat[2 * place] as number,
    flat[2 * place + 1] as number,
  ])
  const width = 1 + Math.max(0, ...[...sparse, ...given].map(([index = 0]) => index))
  const widen = (pairs: readonly (readonly number[])[]): Float32Array => {
    const vector = new Float32Array(width)
    for (const [index = 0, value = NaN] of pairs) vector[index] = value
    return vector
  }
  const expected = [...widen(sparse)]
  return { ids: await idsOf(model, golden), vectors: [{ actual: widen(given), expected }], scores: [] }
}

async function multiVectorCase(model: OpenModel, golden: GoldenCase): Promise<CaseResult> {
  const { text = '', task = '', tokens = [], kept = [], dense, sparse } = golden
  const asked = { model: undefined, texts: [text], prompt: promptOf(golden) }
  const { vectors } = await model.engine.embedMulti({ kind: 'embed_multi', ...asked })
  const pairs: Pair[] = [
    { actual: vectors[0] ?? new Float32Array(), expected: kept.flatMap((place) => tokens[place] ?? []) },
  ]
  const { task: _, ...plain } = golden
  if (dense !== undefined)
    pairs.push(...(await embedCase(model, { ...plain, vector: dense, tokens: undefined })).vectors)
  if (sparse !== undefined) pairs.push(...(await sparseCase(model, plain)).vectors)
  const { ids } = await readKind(model, text, task)
  return { ids: [...ids], vectors: pairs, scores: [] }
}

/** Each query against all documents that it is paired with. */
async function comparePairs({ engine }: OpenModel, { cases, pairs = [] }: Golden): Promise<Pair[]> {
  const textOf = (name: string) => cases.find((golden) => golden.name === name)?.text ?? ''
  const results: Pair[] = []
  for (const [query, some] of Map.groupBy(pairs, ([name]) => name)) {
    const documents = some.map(([, name]) => textOf(name))
    const task = { kind: 'rerank', model: undefined, query: textOf(query), documents } as const
    const { scores } = await engine.rerank(task)
    // Each by itself: one without vectors is far below the others.
    for (const [index, [, , score]] of some.entries())
      results.push({ actual: scores.subarray(index, index + 1), expected: [score] })
  }
  return results
}

async function idsOf(
  model: OpenModel,
  { text = '', prompt_name: promptName, special = true }: GoldenCase,
): Promise<readonly number[]> {
  const { spec, tokenizer } = model
  const chosen = promptName ?? spec.defaultPromptName
  const prompt = { text: chosen === undefined ? '' : (spec.prompts[chosen] ?? ''), pooled: true }
  const options = rowOptions(model)
  if (special) return [...(await tokenizer.texts([text], prompt, options)).ids]
  const [tokens = []] = await tokenizer.tokenize([text], { prompt, addSpecialTokens: false })
  return tokens.slice(0, options.maxTokens).map(({ id }) => id)
}

function promptOf({ prompt_name: promptName, task }: GoldenCase): PromptChoice | undefined {
  if (promptName !== undefined) return { name: promptName, ifUnknown: 'refuse' }
  return task === undefined ? undefined : { name: task, ifUnknown: 'ignore' }
}

async function rerankCase(model: OpenModel, golden: GoldenCase): Promise<CaseResult> {
  const { query = '', document = '', scores = [], logits = [] } = golden
  const { ids } = await model.tokenizer.pairs([query], [document], rowOptions(model))
  const task = {
    kind: 'classify',
    model: undefined,
    texts: [query],
    pairs: [document],
  } as const
  const given = await model.engine.classify(task)
  return {
    ids: [...ids],
    vectors: [],
    scores: [
      { actual: given.scores, expected: scores },
      { actual: given.logits, expected: logits },
    ],
  }
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

/** Infinite where there are more numbers than there had to be, or fewer, or one that is none. */
export function differenceOf({ actual, expected }: Pair): number {
  if (actual.length !== expected.length) return Infinity
  let [apart, largest] = [0, 1]
  for (const [index, value] of expected.entries()) {
    const difference = Math.abs((actual[index] as number) - value)
    apart = Math.max(apart, Number.isNaN(difference) ? Infinity : difference)
    largest = Math.max(largest, Math.abs(value))
  }
  return apart / largest
}

export function cosineOf({ actual, expected }: Pair): number {
  let [dot, one, other] = [0, 0, 0]
  for (const [index, value] of expected.entries()) {
    const given = actual[index] ?? NaN
    dot += value * given
    one += value * value
    other += given * given
  }
  // A text without a token may have a zero vector, which has no direction: it is itself.
  if (one === 0 || other === 0) return one === other ? 1 : 0
  return dot / Math.sqrt(one * other)
}
