import { expect, test } from 'vitest'
import { encodeResults } from '../../../bench/report/results.ts'
import { memoryTable, ratioOf, sceneTable, startTable } from '../../../bench/report/table.ts'
import { toRow } from '../../../bench/scenes/run-rounds.ts'
import { SCENE, contestant, results, sceneRow } from './results.ts'

const OURS = sceneRow('ours', [
  { tokens: 1000, ms: 10 },
  { tokens: 3000, ms: 30 },
  { tokens: 2000, ms: 40 },
])

test('a figure is the median of the rounds', () => {
  expect(OURS.figures).toMatchObject({ tokensPerSecond: 2000, requestsPerSecond: 1, p50Ms: 30, p99Ms: 30 })
  expect(OURS).toMatchObject({ rounds: 3, requests: 3, failed: 0, slowestMs: 40 })
})

test('a ratio is the median of the ratios within rounds, so that a slow round is slow for both', () => {
  const theirs = sceneRow('theirs', [
    { tokens: 1000, ms: 40 },
    { tokens: 1000, ms: 60 },
    { tokens: 4000, ms: 100 },
  ])
  // of 1, 3 and 0.5; that of the medians would be 2
  expect(ratioOf(OURS, theirs, 'tokensPerSecond')).toBe(1)
  // of 0.25, 0.5 and 0.4; that of the medians would be 0.5
  expect(ratioOf(OURS, theirs, 'p50Ms')).toBe(0.4)
  expect(ratioOf(OURS, { ...theirs, perRound: { ...theirs.perRound, p50Ms: [40] } }, 'p50Ms')).toBe(0.25)
})

test('the table has a row a lane and a column a contestant, with ratios behind what peers did', () => {
  const table = sceneTable(
    results({
      contestants: [contestant('ours'), contestant('peer')],
      rows: [
        OURS,
        sceneRow('peer', [{ tokens: 500, ms: 40 }]),
        sceneRow('ours', [{ tokens: 10, ms: 1234 }], 'query'),
      ],
    }),
  )
  expect(table.split('\n')).toEqual([
    '|  | title of ours | title of peer |',
    '|---|---|---|',
    '| mixed texts: tokens/s, p99 | 2,000, 30 ms | 500, 40 ms (2.00, 0.25 ×) |',
    '| … a query meanwhile: p50 | 1234 ms |  |',
  ])
})

test('no ratio stands where we or they failed, and who took no part has no column', () => {
  const failing = { ...sceneRow('peer', [{ tokens: 500, ms: 40 }]), failed: 3, requests: 1 }
  const contestants = [contestant('ours'), contestant('peer'), contestant('absent')]
  const theirs = sceneTable(results({ contestants, rows: [OURS, failing] }))
  expect(theirs).toContain('| 2,000, 30 ms | 3 of 4 failed |')
  expect(theirs).not.toContain('absent')
  const peer = sceneRow('peer', [{ tokens: 500, ms: 40 }])
  const ours = sceneTable(results({ contestants, rows: [{ ...OURS, failed: 1 }, peer] }))
  expect(ours).toContain('| 1 of 4 failed | 500, 40 ms |')
})

test('what is left of a lane beside others is told against the scene without them, by rounds', () => {
  const busy = {
    ...sceneRow('ours', [
      { tokens: 900, ms: 1 },
      { tokens: 1500, ms: 1 },
      { tokens: 1900, ms: 1 },
    ]),
    scene: 'busy',
  }
  const shown = [{ lane: 'bulk', metrics: ['tokensPerSecond'], alone: 'mixed' }] as const
  const table = sceneTable(
    results({
      scenes: [{ ...SCENE, id: 'busy', title: 'busy', shown }],
      contestants: [contestant('ours')],
      rows: [OURS, busy],
    }),
  )
  // 90, 50 and 95 %
  expect(table).toContain('| busy: tokens/s | 1,500, 90 % of alone |')
})

test('starts have a row a program, and a cell for each kind that was measured', () => {
  const start = { perRun: [] }
  const table = startTable(
    results({
      starts: [
        { ...start, contestant: 'ours', title: 'ours', state: 'first', ms: 312 },
        { ...start, contestant: 'ours', title: 'ours', state: 'warm cache', ms: 187 },
        { ...start, contestant: 'peer', title: 'peer', state: 'warm cache', ms: 13_800 },
      ],
    }),
  )
  expect(table.split('\n').slice(2)).toEqual(['| ours | 0.31 s | 0.19 s |', '| peer |  | 13.80 s |'])
  expect(startTable(results({}))).toBe('')
})

test('memory is told of servers alone, and its growth where it was watched', () => {
  const known = { loadedMb: 231.4, afterMb: 260 }
  const watched = { contestant: 'ours', title: 'ours', minutes: 60, requests: 9, failed: 0, samples: [] }
  const table = memoryTable(
    results({
      contestants: [
        contestant('ours', known),
        contestant('library', { ...known, isServer: false }),
        contestant('elsewhere'),
      ],
      memory: [{ ...watched, firstTenthMb: 250, lastTenthMb: 262, growthMb: 12, peakMb: 300 }],
    }),
  )
  expect(table.split('\n').slice(2)).toEqual([
    '| title of ours | 231 MB | 260 MB |',
    '| ours, 60 minutes of mixed load | grew by 12 MB | at most 300 MB |',
  ])
})

test('a file of results has a row a line and no more digits than mean something', () => {
  const text = encodeResults(
    results({ rows: [OURS], contestants: [contestant('a', { leastCosine: 0.99999987 })] }),
  )
  expect(JSON.parse(text)).toMatchObject({ rows: [{ scene: 'mixed', perRound: { p50Ms: [10, 30, 40] } }] })
  expect(text.split('\n').filter((line) => line.startsWith('  {"scene"'))).toHaveLength(1)
  expect(text).toContain('"leastCosine":0.99999987')
  expect(encodeResults(results({ rows: [{ ...OURS, slowestMs: 12.3456789 }] }))).toContain(
    '"slowestMs":12.346',
  )
})

test('a lane without an answer is a row that says why', () => {
  const reply = {
    name: 'bulk',
    requests: 0,
    texts: 0,
    tokens: 0,
    failed: 2,
    failure: '503: busy',
    seconds: 1,
    latenciesMs: [],
  }
  const row = toRow({ scene: 'mixed', lane: 'bulk', contestant: 'a' }, [{ reply, clientCpuShare: undefined }])
  expect(row).toMatchObject({
    failed: 2,
    failure: '503: busy',
    slowestMs: 0,
    figures: { p50Ms: 0, tokensPerSecond: 0 },
  })
})
