/** Clients that do not run here, in `fixtures/`: their requests as they put them on the wire, and what they read. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Program } from '../start-program.ts'
import { fromBase64, largestDifference, signBits } from './compare.ts'
import { describeClaim } from './describe-client.ts'
import { mismatches, valuesAt } from './match-pattern.ts'
import { KEY, plainScores, plainVectors, serve } from './serve.ts'
import { STRICT_PARSERS } from './strict-parsers.ts'

interface Fixture {
  readonly client: string
  readonly version: string
  readonly baseUrl: string
  readonly works: string
  /** Against a server that wants its key; most of these clients send none. */
  readonly keyed?: boolean
  readonly requests: readonly Replayed[]
}

interface Replayed {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly expect: Expected
}

interface Expected {
  readonly status?: number
  /** Header names to what they hold, or `<absent>`. */
  readonly headers?: Readonly<Record<string, string>>
  /** A pattern of `mismatches`. */
  readonly body?: unknown
  /** Vectors, of numbers or as base64, that are those of the texts. */
  readonly vectors?: { readonly at: string; readonly of: readonly string[]; readonly dimensions?: number }
  /** A bit for each number, eight a byte. */
  readonly signBits?: { readonly at: string; readonly of: readonly string[]; readonly minus: number }
  /** Scores in the order of the documents, or the best first. */
  readonly scores?: {
    readonly at: string
    readonly query: string
    readonly documents: readonly string[]
    readonly ranked?: boolean
  }
  /** Numbers that fall. */
  readonly descending?: string
  /** Every one from 0 on, in any order. */
  readonly indexes?: { readonly at: string; readonly count: number }
  /** Names in STRICT_PARSERS. */
  readonly parsers?: readonly string[]
}

let open: Program
let keyed: Program

beforeAll(async () => {
  open = await serve({ API_KEY: '' })
  keyed = await serve()
})

afterAll(() => Promise.all([open.stop(), keyed.stop()]))

const FOLDER = join(import.meta.dirname, 'fixtures')
for (const file of readdirSync(FOLDER)) {
  const fixture = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Fixture
  const { requests, keyed: isKeyed = false, ...claim } = fixture
  describeClaim({ ...claim, how: 'replayed' }, () => {
    test.each(
      requests.map((request, index) => [`${request.method} ${request.path}, request ${index + 1}`, request]),
    )('%s gets the answer that it reads', async (_title, request) => {
      await expectAnswer(isKeyed ? keyed.found : open.found, request)
    })
  })
}

test('a key that is wrong is refused, so that those of the fixtures count', async () => {
  const headers = { authorization: `x${KEY}`, 'content-type': 'application/json' }
  const { status } = await fetch(`${keyed.found}/embed`, { method: 'POST', headers, body: '{"inputs":"a"}' })
  expect(status).toBe(401)
})

async function expectAnswer(
  url: string,
  { method, path, headers, body, expect: wanted }: Replayed,
): Promise<void> {
  const response = await fetch(url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  expect(response.status, text).toBe(wanted.status ?? 200)
  expect(response.headers.get('content-type')).toMatch(/^application\/json/)
  const answer: unknown = JSON.parse(text)
  expect(mismatches(answer, wanted.body ?? answer)).toEqual([])
  for (const [name, value] of Object.entries(wanted.headers ?? {})) {
    expect(mismatches(response.headers.get(name) ?? undefined, value, name)).toEqual([])
  }
  for (const name of wanted.parsers ?? []) {
    expect(STRICT_PARSERS[name]?.safeParse(answer).error?.issues, name).toBeUndefined()
    expect(STRICT_PARSERS).toHaveProperty([name])
  }
  await expectNumbers(url, answer, wanted)
}

async function expectNumbers(url: string, answer: unknown, wanted: Expected): Promise<void> {
  const { vectors, signBits: bits, scores, descending, indexes } = wanted
  if (vectors !== undefined) {
    const { dimensions } = vectors
    const plain = await plainVectors(url, vectors.of, dimensions === undefined ? {} : { dimensions })
    const found = valuesAt(answer, vectors.at).map((vector) =>
      typeof vector === 'string' ? fromBase64(vector) : (vector as number[]),
    )
    expect(largestDifference(found, plain)).toBeLessThanOrEqual(1e-6)
  }
  if (bits !== undefined) {
    const plain = await plainVectors(url, bits.of)
    const packed = plain.map((vector) => signBits(vector).map((byte) => byte - bits.minus))
    expect(valuesAt(answer, bits.at)).toEqual(packed)
  }
  if (scores !== undefined) {
    const plain = await plainScores(url, scores.query, scores.documents)
    const found = valuesAt(answer, scores.at).flat() as number[]
    const expected = scores.ranked === true ? plain.toSorted((one, other) => other - one) : plain
    expect(largestDifference([found], [expected])).toBeLessThanOrEqual(1e-6)
  }
  if (descending !== undefined) {
    const found = valuesAt(answer, descending) as number[]
    expect(found).toEqual(found.toSorted((one, other) => other - one))
  }
  if (indexes !== undefined) {
    const found = valuesAt(answer, indexes.at) as number[]
    expect(found.toSorted((one, other) => one - other)).toEqual([...Array(indexes.count).keys()])
  }
}
