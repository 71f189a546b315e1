/** The golden fixtures, and how far an answer is from theirs. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const GOLDEN = fileURLToPath(new URL('../../tests/golden', import.meta.url))
const BUNDLED = 'bundled.json'

interface EmbedCase {
  readonly text: string
  readonly prompt_name?: string
  readonly vector: readonly number[]
}

interface PairCase {
  readonly query: string
  readonly document: string
  readonly scores: readonly number[]
}

export type Golden =
  | { readonly kind: 'embed'; readonly cases: readonly EmbedCase[] }
  | { readonly kind: 'rerank'; readonly cases: readonly PairCase[] }

export interface Fixture {
  readonly family: string
  readonly folder: string
  readonly golden: Golden
}

/** `bert/bert-cls` and so on, and the bundled model's file. */
export function listFixtures(root = GOLDEN): string[] {
  const families = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory())
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
  if (golden.kind !== 'embed' && golden.kind !== 'rerank') {
    throw new Error(
      `${path}: kind "${String((golden as { kind: unknown }).kind)}" is not known to this check`,
    )
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
  const cosine = product / Math.sqrt(actualSquare * expectedSquare)
  // of a vector of zeros it is a NaN
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
