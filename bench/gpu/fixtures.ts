/** The golden fixtures, and how far an answer is from theirs. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const GOLDEN = fileURLToPath(new URL('../../tests/golden', import.meta.url))
const BUNDLED = 'bundled.json'

export interface TextCase {
  readonly text: string
  readonly prompt_name?: string
  /** What the text is for, where that is not told by a prompt. */
  readonly task?: string
}

export interface EmbedCase extends TextCase {
  readonly vector: readonly number[]
  /** Of fixtures that are about it: a vector for each token. */
  readonly tokens?: readonly (readonly number[])[]
}

export interface SparseCase extends TextCase {
  /** Index and weight of what is not 0. */
  readonly sparse: readonly (readonly [number, number])[]
}

export interface PairCase {
  readonly query: string
  readonly document: string
  readonly scores: readonly number[]
}

export interface MultiVectorCase extends TextCase {
  readonly name: string
  /** A vector for each token, and the places of those by which the text is compared. */
  readonly tokens: readonly (readonly number[])[]
  readonly kept: readonly number[]
  /** What else a model makes of a text that does all three. */
  readonly dense?: readonly number[]
  readonly sparse?: readonly (readonly [number, number])[]
}

export type Golden =
  | { readonly kind: 'embed'; readonly cases: readonly EmbedCase[] }
  | { readonly kind: 'sparse'; readonly dimensions: number; readonly cases: readonly SparseCase[] }
  | { readonly kind: 'rerank'; readonly cases: readonly PairCase[] }
  | {
      readonly kind: 'multi_vector'
      readonly cases: readonly MultiVectorCase[]
      /** Names of a query's case and a document's, and their score. */
      readonly pairs: readonly (readonly [string, string, number])[]
    }

const KINDS: readonly string[] = ['embed', 'sparse', 'rerank', 'multi_vector'] satisfies Golden['kind'][]

export interface Fixture {
  readonly family: string
  readonly folder: string
  readonly golden: Golden
}

/** `bert/bert-cls` and so on, and the bundled model's file. */
export function listFixtures(root = GOLDEN): string[] {
  // Those that begin so have marks of their own.
  const families = readdirSync(root, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('_'),
  )
  const paths = families.flatMap(({ name }) =>
    readdirSync(join(root, name)).map((fixture) => `${name}/${fixture}`),
  )
  const fixtures = paths.filter((path) => existsSync(join(root, path, 'golden.json')))
  return existsSync(join(root, BUNDLED)) ? [BUNDLED, ...fixtures.toSorted()] : fixtures.toSorted()
}

export function readFixture(path: string, root = GOLDEN): Fixture {
  if (path === BUNDLED) {
    const folder = fileURLToPath(new URL('../../models/all-MiniLM-L6-v2-int8', import.meta.url))
    const { cases } = readJson(join(root, path)) as { cases: EmbedCase[] }
    return { family: 'bundled', folder, golden: { kind: 'embed', cases } }
  }
  const golden = readJson(join(root, path, 'golden.json')) as Golden
  if (!KINDS.includes(golden.kind)) {
    throw new Error(`${path}: kind "${golden.kind}" is not known to this check`)
  }
  return { family: path.split('/')[0] ?? path, folder: join(root, path, 'model'), golden }
}

export interface Distance {
  readonly maxDiff: number
  readonly minCosine: number
}

/** As far as can be; infinity would not come through JSON. */
const FAR: Distance = { maxDiff: Number.MAX_VALUE, minCosine: -1 }

/** Of one answer. A NaN, or another length, is as far as can be. */
export function distance(actual: ArrayLike<number>, expected: readonly number[]): Distance {
  if (actual.length !== expected.length) return FAR
  const largest = Math.max(1, ...expected.map(Math.abs))
  let maxDiff = 0
  let product = 0
  let actualSquare = 0
  let expectedSquare = 0
  for (const [index, wanted] of expected.entries()) {
    const given = actual[index] as number
    if (!Number.isFinite(given)) return FAR
    maxDiff = Math.max(maxDiff, Math.abs(given - wanted) / largest)
    product += given * wanted
    actualSquare += given * given
    expectedSquare += wanted * wanted
  }
  // A text without tokens may have a vector of zeros, which has no direction: only zeros agree with it.
  if (actualSquare === 0 && expectedSquare === 0) return { maxDiff, minCosine: 1 }
  const cosine = product / Math.sqrt(actualSquare * expectedSquare)
  return { maxDiff, minCosine: Number.isFinite(cosine) ? cosine : -1 }
}

export function worst(distances: readonly Distance[]): Distance {
  return {
    maxDiff: Math.max(0, ...distances.map(({ maxDiff }) => maxDiff)),
    minCosine: Math.min(1, ...distances.map(({ minCosine }) => minCosine)),
  }
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}
