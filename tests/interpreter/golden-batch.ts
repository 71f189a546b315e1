/** A golden fixture as one ragged batch: its cases tokenized as the service does it, and what must come out. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findPrompt } from '../../src/engine/find-prompt.ts'
import { findRoute } from '../../src/engine/find-route.ts'
import { openFolder } from '../../src/model/open-folder.ts'
import { tokenRulesOf } from '../../src/engine/token-kind.ts'
import type { ModelSpec } from '../../src/model/spec.ts'
import { tokenizerOf } from '../../src/model/spec.ts'
import type { RaggedBatch, RaggedRow } from '../../src/runtime/runner.ts'
import { NO_ADAPTER, joinRows } from '../../src/runtime/runner.ts'
import type { PromptChoice } from '../../src/task.ts'
import type { TokenizedRows, Tokenizer, TokenizerThread } from '../../src/tokenize/tokenizer.ts'
import { BUNDLED_MODEL } from '../open-model.ts'
import { readKind } from '../read-kind.ts'

interface GoldenCase {
  readonly name: string
  readonly ids: readonly number[]
  readonly text?: string
  readonly prompt_name?: string
  /** What the text is for, where that is not told by a prompt. */
  readonly task?: string
  readonly vector?: readonly number[]
  /** False: no model is asked about it. */
  readonly special?: boolean
  /** What is not 0 of a sparse vector: index and value each. */
  readonly sparse?: readonly (readonly [number, number])[]
  /** A vector for each id; the last numbers of what the graph gives for a token. */
  readonly tokens?: readonly (readonly number[])[]
  /** Places of the tokens by which a text is compared. */
  readonly kept?: readonly number[]
  /** Of a text that has a vector besides. */
  readonly dense?: readonly number[]
  readonly query?: string
  readonly document?: string
  readonly logits?: readonly number[]
  readonly scores?: readonly number[]
}

export interface Fixture {
  readonly name: string
  readonly folder: string
  /** golden.json; read when the fixture is opened, so that a broken one fails alone. */
  readonly golden: string
}

export interface GoldenBatch {
  readonly spec: ModelSpec
  readonly batch: RaggedBatch
  /** For each row the numbers of its output, from a part of it on: 0, or ½ where the second of two routes is meant. */
  readonly expected: readonly { readonly numbers: readonly number[]; readonly from: number }[]
  /** For each row the vectors of its tokens, where the fixture tells them. */
  readonly tokens: readonly (readonly number[] | undefined)[]
}

export const BUNDLED = 'bundled model'

/** Of each fixture: the longest, and others of all its kinds. */
const CASES = 4

/** A real model's weights are large enough for the interpreter to be slow: a few short texts of it are enough. */
const BUNDLED_CASES = 2
const BUNDLED_TOKENS = 24

const here = join(import.meta.dirname, '../golden')

export function listFixtures(): Fixture[] {
  const families = readdirSync(here, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('_') && entry.name !== 'families',
  )
  const paths = families.flatMap(({ name }) =>
    readdirSync(join(here, name)).map((folder) => `${name}/${folder}`),
  )
  const fixtures = paths.map((name) => ({
    name,
    folder: join(here, name, 'model'),
    golden: join(here, name, 'golden.json'),
  }))
  return [{ name: BUNDLED, folder: BUNDLED_MODEL, golden: join(here, 'bundled.json') }, ...fixtures]
}

/** Of an exported model only the head is a graph of ours: what stands before it is another's file, which no interpreter here reads. */
export function isExported({ name }: Fixture): boolean {
  return name.startsWith('exported/')
}

function casesOf({ name, golden }: Fixture): readonly GoldenCase[] {
  const all = JSON.parse(readFileSync(golden, 'utf8')) as { cases: readonly GoldenCase[] }
  const cases = all.cases.filter(({ special = true }) => special)
  if (name !== BUNDLED) return someOf(cases)
  const short = cases.filter(({ ids }) => ids.length > 2 && ids.length <= BUNDLED_TOKENS)
  return short.slice(0, BUNDLED_CASES)
}

/** Evenly from the list, which goes from kind to kind. */
function someOf(cases: readonly GoldenCase[]): readonly GoldenCase[] {
  const longest = cases.reduce((most, next) => (next.ids.length > most.ids.length ? next : most))
  const others = cases.filter((golden) => golden !== longest)
  const count = Math.min(CASES - 1, others.length)
  const some = Array.from({ length: count }, (_, i) => others[Math.floor((i * others.length) / count)])
  // Not at the end, so that rows follow it.
  return [some[0], longest, ...some.slice(1)].filter((golden) => golden !== undefined)
}

/** Throws where the tokenizer gives other ids than the fixture tells. */
export async function openGolden(fixture: Fixture, tokenizers: TokenizerThread): Promise<GoldenBatch> {
  const cases = casesOf(fixture)
  const spec = await openFolder(fixture.folder)
  const tokenizer = await tokenizers.open(tokenizerOf(spec))
  const rows: RaggedRow[] = []
  for (const golden of cases) {
    const row = await rowOf(golden, spec, tokenizer)
    if (row.ids.join() !== golden.ids.join())
      throw new Error(`${fixture.name}: "${golden.name}" has other ids`)
    rows.push(row)
  }
  return {
    spec,
    batch: joinRows(rows),
    expected: cases.map((golden) => {
      const { dense, vector = dense ?? widen(golden, spec), scores = [], logits = [] } = golden
      return { numbers: vector ?? [...scores, ...logits], from: routeOf(golden, spec) }
    }),
    tokens: cases.map(({ tokens }) => tokens?.flat()),
  }
}

/** A sparse vector with its zeros. */
function widen({ sparse }: GoldenCase, { head, config }: ModelSpec): number[] | undefined {
  if (sparse === undefined) return undefined
  // Made of the tokens' weights behind the graph.
  if (head.kind !== 'sparse') return []
  const vector = Array.from({ length: Number(config['vocab_size']) }, () => 0)
  for (const [index, value] of sparse) vector[index] = value
  return vector
}

/** Where in its row a vector begins, as a part of the row: the pipelines of a Router stand side by side. */
function routeOf(golden: GoldenCase, { head }: ModelSpec): number {
  if (head.kind !== 'embedding' || head.routes === undefined) return 0
  return findRoute(head.routes, choiceOf(golden)) / head.routes.length
}

function choiceOf({ prompt_name: promptName, task }: GoldenCase): PromptChoice | undefined {
  const name = promptName ?? task
  return name === undefined ? undefined : { name, ifUnknown: 'ignore' }
}

async function rowOf(golden: GoldenCase, spec: ModelSpec, tokenizer: Tokenizer): Promise<RaggedRow> {
  const options = {
    noun: 'text',
    firstIndex: 0,
    truncate: tokenizerOf(spec).truncationSide,
    // Of the fixtures: no graph of theirs takes fewer.
    maxTokens: tokenizerOf(spec).maxTokens ?? golden.ids.length,
    vocabularySize: Infinity,
  }
  if (golden.text === undefined)
    return firstRow(await tokenizer.pairs([golden.query ?? ''], [golden.document ?? ''], options))
  if (tokenRulesOf(spec) !== undefined && golden.kept !== undefined)
    return firstRow(await readKind({ spec, tokenizer }, golden.text, golden.task ?? ''))
  const { prompt_name: promptName = spec.defaultPromptName } = golden
  const text = promptName === undefined ? '' : (spec.prompts[promptName] ?? '')
  const steps = spec.head.kind === 'embedding' ? spec.head.steps : []
  const pooled = steps.every((step) => step.kind !== 'pooling' || step.includePrompt)
  const { adapter } = findPrompt(spec, choiceOf(golden))
  return { ...firstRow(await tokenizer.texts([golden.text], { text, pooled }, options)), adapter }
}

function firstRow({ ids, typeStarts, unpooledTokens }: TokenizedRows): RaggedRow {
  const adapter = NO_ADAPTER
  const [typeStart = ids.length] = typeStarts
  return { ids, typeStart, unpooledTokens: unpooledTokens[0] ?? 0, adapter, wantsTokens: false }
}
