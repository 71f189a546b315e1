/** What docs/models.md says of the fixtures and the families, and how its table is made. */
import { readFileSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findFamily } from '../../../src/graph/families/registry.ts'
import { cosineOf, differenceOf, measureFixture } from '../../../tools/conformance/measure.ts'
import { measurePictures, measureSounds } from '../../../tools/conformance/measure-media.ts'
import type { Measured } from '../../../tools/conformance/measure.ts'
import {
  TOLERANCE,
  conformanceTable,
  joinFixtures,
  readTable,
  withTable,
} from '../../../tools/conformance/table.ts'
import { fixturePath, makeFolder, readObject } from '../model/model-folder.ts'

const ROOT = join(import.meta.dirname, '../../..')
const DOCUMENT = readFileSync(join(ROOT, 'docs/models.md'), 'utf8')

test('the table of docs/models.md has every folder of fixtures, within the tolerance and with the same ids', () => {
  const rows = readTable(DOCUMENT)
  const families = readdirSync(join(ROOT, 'tests/golden'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('_') && entry.name !== 'families')
    .map(({ name }) => name)
  const vision = ['clip', 'dinov2', 'dinov2_with_registers', 'vit', 'siglip', 'siglip2', 'jina_clip']
  expect(rows.map(([family]) => family).filter((family) => !family?.startsWith('bundled model'))).toEqual([
    ...families.sort(),
    ...vision,
    'clap, sounds',
  ])
  for (const [family, fixtures, cases, difference, , ids] of rows) {
    expect(Number(fixtures), family).toBeGreaterThan(0)
    expect(Number(cases), family).toBeGreaterThan(0)
    expect(Number(difference), family).toBeLessThanOrEqual(2e-5)
    expect(ids, family).toBe('all')
  }
})

test('docs/models.md names every model_type that is supported, and no other', () => {
  const section = DOCUMENT.split('## Families')[1]?.split('\n## ')[0] ?? ''
  const columns = section.split('\n').flatMap((line) => line.split('|')[2] ?? [])
  const named = columns.flatMap((column) => [...column.matchAll(/`([\w-]+)`/g)].map(([, name]) => name))
  let message = ''
  try {
    findFamily({ name: 'x', modelType: 'of no family', tensors: {} })
  } catch (error) {
    message = (error as Error).message
  }
  const supported = message.split('supported are: ')[1]?.split(', ') ?? []
  expect(supported.length).toBeGreaterThan(10)
  expect(new Set(named.filter((name) => name !== 'model_type'))).toEqual(new Set(supported))
})

test('a fixture is measured through the engine: vectors, tokens and ids', async () => {
  const folder = fixturePath('bert-mean-normalize')
  const measured = await measureFixture(folder, join(folder, '../golden.json'))
  expect(measured.cases).toBeGreaterThan(5)
  expect(measured.sameIds).toBe(measured.cases)
  expect(measured.difference).toBeLessThan(TOLERANCE)
  expect(measured.difference).toBeGreaterThan(0)
  expect(measured.cosine).toBeGreaterThan(1 - 1e-9)
})

test.each([
  ['pictures and texts', '_siglip/siglip', 'cases', measurePictures],
  ['sounds', 'clap/clap-fused', 'sounds', measureSounds],
] as const)('of a model that sees or hears so are %s', async (_, path, list, measure) => {
  const folder = join(ROOT, 'tests/golden', path)
  const golden = (await readObject(join(folder, 'golden.json'))) as Record<string, MediaCase[]>
  const right = await measure(folder)
  expect(right.cases).toBe(golden[list]?.length)
  expect(right.sameIds).toBe(right.cases)
  expect(right.difference).toBeGreaterThan(0)
  expect(right.difference).toBeLessThan(TOLERANCE)
  expect(right.cosine).toBeGreaterThan(1 - 1e-9)

  const change = async (edit: (some: MediaCase) => MediaCase) => {
    const made = await makeFolder({ 'golden.json': { ...golden, [list]: golden[list]?.map(edit) } })
    for (const name of readdirSync(folder).filter((name) => name !== 'golden.json'))
      symlinkSync(join(folder, name), join(made, name))
    return measure(made)
  }
  const moved = await change((some) => ({
    ...some,
    vector: some.vector.map((value, index) => (index === 3 ? value + 0.01 : value)),
  }))
  expect(moved.difference).toBeCloseTo(0.01, 4)
  const others = (ids: readonly number[]) => ids.with(0, ids[0] === 5 ? 6 : 5)
  const other = await change((some) => ({ ...some, ...(some.ids && { ids: others(some.ids) }) }))
  expect(other.cases - other.sameIds).toBe(golden[list]?.filter(({ ids }) => ids).length)
})

interface MediaCase {
  readonly vector: readonly number[]
  readonly ids?: readonly number[]
}

test('a vector, a token and an id that differ are all seen', async () => {
  const folder = fixturePath('bert-mean-normalize')
  const golden = (await readObject(join(folder, '../golden.json'))) as { cases: GoldenCase[] }
  const change = async (edit: (some: GoldenCase) => GoldenCase) => {
    const cases = golden.cases.map((some, index) => (index === 1 ? edit(some) : some))
    const made = await makeFolder({ 'golden.json': { ...golden, cases } })
    return measureFixture(folder, join(made, 'golden.json'))
  }
  const moved = (numbers: readonly number[]) =>
    numbers.map((value, index) => (index === 3 ? value + 0.01 : value))
  expect((await change((some) => ({ ...some, vector: moved(some.vector) }))).difference).toBeCloseTo(0.01, 4)
  const tokens = await change((some) => ({ ...some, tokens: some.tokens.map(moved) }))
  expect(tokens.difference).toBeGreaterThan(0.001)
  const ids = await change((some) => ({ ...some, ids: some.ids.toReversed() }))
  expect(ids.sameIds).toBe(ids.cases - 1)
})

test('scores and logits that differ are seen, and a fixture of scores has no cosine', async () => {
  const folder = fixturePath('bert-cross-encoder')
  const golden = (await readObject(join(folder, '../golden.json'))) as { cases: { logits: number[] }[] }
  const cases = golden.cases.map((some, index) => (index === 0 ? { ...some, logits: [7] } : some))
  const made = await makeFolder({ 'golden.json': { ...golden, cases } })
  const right = await measureFixture(folder, join(folder, '../golden.json'))
  expect(right.difference).toBeLessThan(TOLERANCE)
  expect(right.cosine).toBeUndefined()
  expect((await measureFixture(folder, join(made, 'golden.json'))).difference).toBeGreaterThan(0.1)
})

test('a weight of a sparse vector that differs, or that should be 0, is seen', async () => {
  const folder = join(ROOT, 'tests/golden/sparse/sparse-bert-max/model')
  const golden = (await readObject(join(folder, '../golden.json'))) as {
    cases: { sparse: [number, number][] }[]
  }
  const right = await measureFixture(folder, join(folder, '../golden.json'))
  expect(right.difference).toBeLessThan(TOLERANCE)
  expect(right.sameIds).toBe(right.cases)
  // Without its first weight: one comes out where none should.
  const cases = golden.cases.map((some) => ({ ...some, sparse: some.sparse.slice(1) }))
  const made = await makeFolder({ 'golden.json': { ...golden, cases } })
  expect((await measureFixture(folder, join(made, 'golden.json'))).difference).toBeGreaterThan(0.01)
})

test('a kind of fixtures that is not known here is an error, not a blank', async () => {
  const made = await makeFolder({ 'golden.json': { kind: 'holograms', cases: [] } })
  await expect(measureFixture(fixturePath('bert-cls'), join(made, 'golden.json'))).rejects.toThrow(
    'fixtures of kind "holograms" are not measured yet',
  )
})

test('a difference is a part of the largest number where that is above 1; none at all is infinite', () => {
  const pair = (actual: number[], expected: number[]) => ({ actual: Float32Array.from(actual), expected })
  expect(differenceOf(pair([0.5, 0.25], [0.5, 0.5]))).toBe(0.25)
  expect(differenceOf(pair([8, 1], [8, 2]))).toBe(1 / 8)
  expect(differenceOf(pair([NaN, 1], [1, 1]))).toBe(Infinity)
  expect(differenceOf(pair([1], [1, 1]))).toBe(Infinity)
  expect(cosineOf(pair([1, 0], [1, 1]))).toBeCloseTo(Math.SQRT1_2, 12)
  expect(cosineOf(pair([0, 0], [0, 0]))).toBe(1)
  expect(cosineOf(pair([0, 1], [0, 0]))).toBe(0)
})

test('the row of a family is the worst of its fixtures', () => {
  const measured = (difference: number, cosine: number | undefined, sameIds = 4): Measured => ({
    cases: 4,
    difference,
    cosine,
    sameIds,
  })
  const row = joinFixtures('x', [measured(1e-6, 0.5), measured(3e-6, undefined, 3), measured(2e-6, 0.75)])
  expect(row).toEqual({ family: 'x', fixtures: 3, cases: 12, difference: 3e-6, cosine: 0.5, sameIds: 11 })
  const lines = conformanceTable([row, joinFixtures('y', [measured(0, undefined)])]).split('\n')
  expect(lines.slice(2)).toEqual([
    '| x | 3 | 12 | 3.0e-6 | 1 − 5.0e-1 | 11 of 12 |',
    '| y | 1 | 4 | 0.0e+0 | – | all |',
  ])
})

test('the table goes between its marks, the rest of the document stays, and it can be read back', () => {
  const document = 'a\n<!-- conformance:start -->\nold\n<!-- conformance:end -->\nb\n'
  const written = withTable(document, '| h | i |\n|---|---|\n| x | 1 |')
  expect(written).toBe(
    'a\n<!-- conformance:start -->\n| h | i |\n|---|---|\n| x | 1 |\n<!-- conformance:end -->\nb\n',
  )
  expect(readTable(written)).toEqual([['x', '1']])
  expect(() => withTable('nothing', '')).toThrow('docs/models.md needs the lines')
})

interface GoldenCase {
  readonly ids: readonly number[]
  readonly vector: readonly number[]
  readonly tokens: readonly (readonly number[])[]
}
