import { expect, test } from 'vitest'
import { readmeSection, withFigures } from '../../../bench/report/readme.ts'
import { contestant, results, sceneRow } from './results.ts'

const ABOUT = {
  processor: 'A Processor',
  cores: 2,
  node: 'v26.10.0',
  date: '2026-01-31T12:00:00.000Z',
  profile: { rounds: 3 },
}
const ONE = [{ tokens: 1000, ms: 10 }]

test('the section names the machine, and speaks of ratios only where a peer ran', () => {
  const rows = [sceneRow('ours', ONE)]
  const alone = results({ about: ABOUT, contestants: [contestant('ours'), contestant('peer')], rows })
  expect(readmeSection(alone)).toMatch(
    /^2 cores of A Processor, Node 26\.10\.0, 2026-01-31; medians of 3 rounds in one run\.\n\n\|/,
  )
  const both = readmeSection({ ...alone, rows: [...rows, sceneRow('peer', ONE)] })
  expect(both).toContain('In brackets: this program ÷ the other')
  expect(both).toContain('1,000, 10 ms (1.00, 1.00 ×)')
})

test('of the figures of other benches, the chosen ones are shown', () => {
  const figure = { part: 'latency', section: 'one query', value: '2 ms' }
  const section = readmeSection(
    results({
      figures: [
        { ...figure, name: 'session run p50 / p99' },
        { ...figure, name: 'event-loop delay p99 / worst' },
      ],
    }),
  )
  expect(section).toContain('| one query: session run p50 / p99 | 2 ms |')
  expect(section).not.toContain('event-loop')
})

test('the section goes between the marks, and nothing else changes', () => {
  const document = 'before\n<!-- figures:start -->\nold\n<!-- figures:end -->\nafter\n'
  expect(withFigures(document, 'new')).toBe(
    'before\n<!-- figures:start -->\nnew\n<!-- figures:end -->\nafter\n',
  )
  expect(() => withFigures('no marks', 'new')).toThrow('<!-- figures:start -->')
})
