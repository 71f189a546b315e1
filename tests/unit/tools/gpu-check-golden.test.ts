/** The golden part on the CPU, for one fixture of each sort that there is: a new sort fails here until it is measured. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { listFixtures } from '../../../bench/gpu/fixtures.ts'
import { judge } from '../../../bench/gpu/judge.ts'
import { measureGolden } from '../../../bench/gpu/measure-golden.ts'
import type { Finding } from '../../../bench/gpu/rows.ts'

const GOLDEN = fileURLToPath(new URL('../../golden', import.meta.url))

interface Raw {
  readonly kind: string
  readonly cases: readonly Readonly<Record<string, unknown>>[]
}

/** Kind, what cases hold, and what else takes another way through the program. */
function sortOf(fixture: string): string {
  const { kind, cases } = JSON.parse(readFileSync(join(GOLDEN, fixture, 'golden.json'), 'utf8')) as Raw
  const fields = [...new Set(cases.flatMap((single) => Object.keys(single)))].toSorted()
  const answers = cases.map(({ vector, sparse }) => (vector ?? sparse) as readonly unknown[] | undefined)
  const marks = {
    zeros: answers.some((answer) => answer?.every((value) => value === 0)),
    labels: cases.some(({ scores }) => Array.isArray(scores) && scores.length > 1),
    asked: fixture.startsWith('lmrerank/'),
  }
  return [kind, ...fields, ...Object.entries(marks).flatMap(([mark, is]) => (is ? [mark] : []))].join(' ')
}

const folders = listFixtures().filter((path) => path.includes('/'))
const sorts = [...Map.groupBy(folders, sortOf)].map(([sort, [fixture = '']]) => ({ sort, fixture }))

test('every way through the program has a fixture', () => {
  const said = sorts.map(({ sort }) => sort).join('\n')
  for (const word of [
    'embed',
    'rerank',
    'sparse',
    'prompt_name',
    'task',
    'tokens',
    'zeros',
    'labels',
    'asked',
    'multi_vector',
    'dense',
  ]) {
    expect(said).toMatch(new RegExp(`\\b${word}\\b`))
  }
})

test.each(sorts)('$fixture is as it should be ($sort)', async ({ fixture }) => {
  const findings: Finding[] = []
  const settings = { EXECUTION_PROVIDER: 'cpu', DTYPES: 'fp32', MAX_BATCH_TOKENS: '2048' }
  await measureGolden({ kind: 'golden', fixtures: [fixture], settings }, (finding) => findings.push(finding))
  expect(findings.map((finding) => judge({ task: 'golden', ...finding }))).toEqual([undefined, undefined])
  expect(findings[1]).toMatchObject({ kind: 'golden', fixture, dtype: 'fp32' })
})
