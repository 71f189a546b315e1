/** Are the numbers right, on this device and in this dtype? */
import { loadConfig } from '../../src/config.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { messageOf } from '../../src/errors.ts'
import { startService } from '../../src/start.ts'
import type { PromptChoice } from '../../src/task.ts'
import type { Distance, Golden, TextCase } from './fixtures.ts'
import { distance, readFixture, worst } from './fixtures.ts'
import type { GoldenJob, Settings } from './jobs.ts'
import type { Finding, GoldenFinding } from './rows.ts'

/** A fixture that fails is a finding of its own; those behind it are measured all the same. */
export async function measureGolden(
  { fixtures, settings }: GoldenJob,
  emit: (finding: Finding) => void,
): Promise<void> {
  for (const fixture of fixtures) {
    emit({ kind: 'begin', fixture })
    try {
      emit(await measureFixture(fixture, settings))
    } catch (error) {
      emit({ kind: 'problem', outcome: 'failed', reason: messageOf(error), fixture })
    }
  }
}

async function measureFixture(fixture: string, settings: Settings): Promise<GoldenFinding> {
  const { family, folder, golden } = readFixture(fixture)
  const config = loadConfig({ ...settings, MODEL_NAMES: `model=${folder}` }, [])
  const { engine, close } = await startService({ config, log: () => {} })
  try {
    const [model] = engine.models()
    const { maxDiff, minCosine } = worst(await measureCases(engine, golden))
    return {
      kind: 'golden',
      family,
      fixture,
      dtypeRequested: settings['DTYPES'] ?? 'auto',
      dtype: model?.dtype ?? '',
      provider: model?.provider ?? '',
      cases: golden.cases.length,
      maxDiff,
      minCosine: golden.kind === 'rerank' ? undefined : minCosine,
    }
  } finally {
    await close()
  }
}

type EmbedGolden = Extract<Golden, { kind: 'embed' }>
type SparseGolden = Extract<Golden, { kind: 'sparse' }>
type PairGolden = Extract<Golden, { kind: 'rerank' }>
type MultiVectorGolden = Extract<Golden, { kind: 'multi_vector' }>

function measureCases(engine: Engine, golden: Golden): Promise<Distance[]> {
  if (golden.kind === 'embed') return embedAll(engine, golden)
  if (golden.kind === 'sparse') return weighAll(engine, golden)
  if (golden.kind === 'multi_vector') return compareAll(engine, golden)
  return scoreAll(engine, golden)
}

async function embedAll(engine: Engine, { cases }: EmbedGolden): Promise<Distance[]> {
  const distances: Distance[] = []
  for (const some of requestsOf(cases)) {
    const { vectors, dimensions } = await engine.embed({ kind: 'embed', ...taskOf(some) })
    for (const [row, { vector }] of some.entries()) {
      distances.push(distance(vectors.subarray(row * dimensions, (row + 1) * dimensions), vector))
    }
  }
  for (const some of requestsOf(cases.filter(({ tokens }) => tokens !== undefined))) {
    const { tokens: given } = await engine.embedTokens({ kind: 'embed_tokens', ...taskOf(some) })
    for (const [row, { tokens = [] }] of some.entries()) {
      distances.push(distance(given[row] ?? [], tokens.flat()))
    }
  }
  return distances
}

async function weighAll(engine: Engine, { cases, dimensions }: SparseGolden): Promise<Distance[]> {
  const distances: Distance[] = []
  for (const some of requestsOf(cases)) {
    const { pairs } = await engine.embedSparse({ kind: 'embed_sparse', ...taskOf(some) })
    for (const [row, { sparse }] of some.entries()) {
      distances.push(distance(widen(pairs[row] ?? [], dimensions), widen(sparse.flat(), dimensions)))
    }
  }
  return distances
}

/** The vectors of tokens, the scores that come of them, and what else the model makes of a text. */
async function compareAll(engine: Engine, { cases, pairs }: MultiVectorGolden): Promise<Distance[]> {
  const distances: Distance[] = []
  for (const some of requestsOf(cases)) {
    const { vectors } = await engine.embedMulti({ kind: 'embed_multi', ...taskOf(some) })
    for (const [row, { tokens, kept }] of some.entries()) {
      const expected = kept.flatMap((place) => tokens[place] ?? [])
      distances.push(distance(vectors[row] ?? [], expected))
    }
  }
  const textOf = (wanted: string) => cases.find(({ name }) => name === wanted)?.text ?? ''
  for (const [query, some] of Map.groupBy(pairs, ([name]) => name)) {
    const documents = some.map(([, name]) => textOf(name))
    const task = { kind: 'rerank', model: undefined, query: textOf(query), documents } as const
    const { scores } = await engine.rerank(task)
    // Each by itself: one without vectors is far below the others.
    for (const [index, [, , score]] of some.entries())
      distances.push(distance(scores.subarray(index, index + 1), [score]))
  }
  for (const { text, dense, sparse = [] } of cases) {
    if (dense === undefined) continue
    distances.push(...(await embedAll(engine, { kind: 'embed', cases: [{ text, vector: dense }] })))
    const dimensions = 1 + Math.max(0, ...sparse.map(([index]) => index))
    distances.push(...(await weighAll(engine, { kind: 'sparse', dimensions, cases: [{ text, sparse }] })))
  }
  return distances
}

/** With its zeros. An index that is too large makes it longer, which is as far as can be. */
function widen(pairs: ArrayLike<number>, dimensions: number): number[] {
  const vector = Array.from({ length: dimensions }, () => 0)
  for (let at = 0; at < pairs.length; at += 2) vector[pairs[at] as number] = pairs[at + 1] as number
  return vector
}

/** Each text alone, then all texts of a prompt at once: a batch takes other kernels. */
function requestsOf<T extends TextCase>(cases: readonly T[]): readonly (readonly T[])[] {
  const prompts = Map.groupBy(cases, ({ prompt_name: name, task }) => JSON.stringify([name, task]))
  return [...cases.map((single) => [single]), ...prompts.values()]
}

/** Of texts that have the same prompt. */
function taskOf(some: readonly TextCase[]) {
  return { model: undefined, texts: some.map(({ text }) => text), prompt: some[0] && promptOf(some[0]) }
}

function promptOf({ prompt_name: name, task }: TextCase): PromptChoice | undefined {
  if (name !== undefined) return { name, ifUnknown: 'refuse' }
  return task === undefined ? undefined : { name: task, ifUnknown: 'ignore' }
}

async function scoreAll(engine: Engine, { cases }: PairGolden): Promise<Distance[]> {
  const distances: Distance[] = []
  const score = async (some: PairGolden['cases']) => {
    const texts = some.map(({ query }) => query)
    const pairs = some.map(({ document }) => document)
    const { scores } = await engine.classify({ kind: 'classify', model: undefined, texts, pairs })
    distances.push(...compareScores(scores, some))
  }
  for (const single of cases) await score([single])
  await score(cases)
  // a model of several labels classifies and does not rerank
  if (cases[0]?.scores.length !== 1) return distances
  for (const [query, some] of Map.groupBy(cases, (single) => single.query)) {
    const documents = some.map(({ document }) => document)
    const { scores } = await engine.rerank({ kind: 'rerank', model: undefined, query, documents })
    distances.push(...compareScores(scores, some))
  }
  return distances
}

function compareScores(scores: Float32Array, cases: PairGolden['cases']): Distance[] {
  const width = scores.length / cases.length
  return cases.map((single, row) => distance(scores.subarray(row * width, (row + 1) * width), single.scores))
}
