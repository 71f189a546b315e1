import { once } from 'node:events'
import { expect, test } from 'vitest'
import { readFlags } from '../../../bench/flags.ts'
import { FULL, QUICK } from '../../../bench/profile.ts'
import { plotsOf } from '../../../bench/report/plots.ts'
import { checkAgreement, cosine } from '../../../bench/scenes/agreement.ts'
import { embedScenes } from '../../../bench/scenes/embed-scenes.ts'
import { growthOf } from '../../../bench/scenes/memory-scene.ts'
import { runRounds } from '../../../bench/scenes/run-rounds.ts'
import type { Contestant } from '../../../bench/servers/contestant.ts'
import { findPeers } from '../../../bench/servers/find-peers.ts'
import { startGroup, treeMegabytes } from '../../../bench/servers/process-group.ts'
import { SCENE, contestant, results, sceneRow } from './results.ts'

/** Notes in `log` what is asked of it. */
function fakeContestant(id: string, log: string[]): Contestant {
  const reply = { requests: 1, texts: 1, tokens: 1, failed: 0, seconds: 1, latenciesMs: [1] }
  return {
    ...contestant(id),
    pid: undefined,
    run: async (lanes, seed) => {
      log.push(`${id} ${lanes.map(({ name }) => name).join('+')} ${seed}`)
      return { lanes: lanes.map(({ name }) => ({ name, ...reply })), clientCpuShare: 0 }
    },
    embed: async () => [],
    pause: () => log.push(`${id} still`),
    resume: () => log.push(`${id} goes`),
    stop: async () => {},
  }
}

test('contestants take turns with the same texts, each while the others are held still', async () => {
  const log: string[] = []
  const lane = {
    task: 'embed',
    texts: 'short',
    textsPerRequest: 1,
    connections: 1,
    until: { requests: 1 },
  } as const
  const scene = { ...SCENE, lanes: [{ ...lane, name: 'bulk' }], warmUp: [{ ...lane, name: 'warm' }] }
  const both = [fakeContestant('a', log), fakeContestant('b', log)]
  const rows = await runRounds([scene], both, { rounds: 2, tell: () => {} })
  const turn = (id: string, seed: number) => [
    `${id} goes`,
    `${id} warm ${seed + 1}`,
    `${id} bulk ${seed}`,
    `${id} still`,
  ]
  const turns = [...turn('a', 100), ...turn('b', 100), ...turn('a', 110), ...turn('b', 110)]
  expect(log).toEqual(['a still', 'b still', ...turns, 'a goes', 'b goes'])
  expect(rows.map((row) => [row.contestant, row.lane, row.rounds])).toEqual([
    ['a', 'bulk', 2],
    ['b', 'bulk', 2],
  ])
})

test('bulk scenes keep the queue full, and every point of the curve is measured once', () => {
  for (const profile of [QUICK, FULL]) {
    const scenes = embedScenes(profile)
    expect(new Set(scenes.map(({ id }) => id)).size).toBe(scenes.length)
    for (const { lanes } of scenes)
      for (const { until, connections } of lanes)
        if ('requests' in until) expect(until.requests).toBeGreaterThanOrEqual(connections)
  }
})

test('the curve goes from one connection to the most, without what failed', () => {
  const at = (scene: string, ms: number) => ({ ...sceneRow('ours', [{ tokens: 1, ms }]), scene })
  const rows = [
    at('connections-300', 90),
    at('connections-32', 20),
    at('query', 3),
    { ...at('connections-4', 5), failed: 1 },
  ]
  const svg = plotsOf(results({ contestants: [contestant('ours')], rows }))['connections'] ?? ''
  expect([...svg.matchAll(/font-size="11">(\d+)</g)].map(([, label]) => label)).toEqual(['1', '32', '300'])
})

test('growth is told between the first tenth of the time and the last', () => {
  const samples = Array.from(
    { length: 20 },
    (_, minute) => [minute, minute === 9 ? 500 : 200 + minute] as const,
  )
  expect(growthOf(samples)).toEqual({ firstTenthMb: 201, lastTenthMb: 219, growthMb: 18, peakMb: 500 })
  expect(() => growthOf([])).toThrow('/proc')
})

test('vectors of another model are refused', () => {
  expect(cosine([1, 2, 2], [2, 4, 4])).toBeCloseTo(1, 12)
  expect(cosine([1, 0], [0, 1])).toBe(0)
  expect(cosine([1, 0], [1, 0, 0])).toBe(0)
  expect(() => checkAgreement(0.37)).toThrow('least cosine 0.3700')
  expect(() => checkAgreement(Number.NaN)).toThrow('least cosine')
  expect(() => checkAgreement(0.99999)).not.toThrow()
})

test('a peer that is not there is skipped, and how to get it is said', async () => {
  const nowhere = '/nowhere'
  const places = {
    infinity: nowhere,
    sentenceTransformers: nowhere,
    models: { embedder: nowhere, reranker: nowhere },
  }
  const { servers, library, skipped } = await findPeers(['infinity-optimum', 'sentence-transformers'], places)
  expect([servers, library]).toEqual([[], undefined])
  expect(skipped.map(({ reason }) => reason)).toEqual([
    'there is no /nowhere/bin/infinity_emb; "node bench/peers/setup.ts infinity" makes it',
    'there is no /nowhere/bin/python; "node bench/peers/setup.ts sentence-transformers" makes it',
  ])
})

test('a group is measured and ended with its children', async () => {
  // a shell that has a child of its own, which holds 64 MB
  const node = `${process.execPath} -e 'const held = Buffer.alloc(64e6, 1); console.error("held"); setInterval(() => held, 1e6)'`
  const group = startGroup({ program: 'sh', args: ['-c', `${node} & wait`], env: {} })
  while (!group.output().includes('held')) await once(group.child.stderr as NodeJS.ReadableStream, 'data')
  expect(treeMegabytes(group.child.pid)).toBeGreaterThan(64)
  await group.stop()
  expect(treeMegabytes(group.child.pid)).toBe(0)
})

test('a group that is held still can be ended', async () => {
  const group = startGroup({ program: 'sleep', args: ['1000'], env: {} })
  group.pause()
  await group.stop()
  expect(group.child.signalCode).toBe('SIGTERM')
})

test('a program that cannot be started is told of when it is asked', async () => {
  const group = startGroup({ program: '/nowhere/program', args: [], env: {} })
  await once(group.child, 'error')
  expect(group.output()).toContain('ENOENT')
  await group.stop()
})

test('flags choose what is measured', () => {
  expect(readFlags([])).toMatchObject({ profile: { name: 'quick', rounds: 2 }, peers: [], urls: [] })
  expect(readFlags([])?.groups).not.toContain('memory')
  expect(readFlags(['--minutes', '60'])?.groups).toContain('memory')
  const full = readFlags([
    '--full',
    '--rounds',
    '5',
    '--peer-url',
    'http://127.0.0.1:1',
    '--peer-kind',
    'tei',
  ])
  expect(full).toMatchObject({
    profile: { name: 'full', rounds: 5 },
    peers: ['infinity-optimum', 'sentence-transformers'],
    urls: [{ url: 'http://127.0.0.1:1', api: 'tei' }],
  })
  expect(readFlags(['--full', '--peers', 'none', 'encode', 'http'])).toMatchObject({
    groups: ['http', 'encode'],
    peers: [],
  })
  expect(readFlags(['--help'])).toBeUndefined()
})

test.each([
  [['everything'], 'group: "everything" is none of http'],
  [['--peers', 'tei'], '--peers: "tei" is none of infinity-optimum'],
  [['--peer-url', 'http://a'], '1 --peer-url and 0 --peer-kind'],
  [['--peer-url', 'a', '--peer-kind', 'tei'], '--peer-url: "a" is no URL'],
  [['--peer-url', 'http://a', '--peer-kind', 'x'], '--peer-kind: "x" is none of openai, tei'],
  [['--minutes', '0'], '--minutes: "0" is not a number above 0'],
  [['--rounds', '1.5'], '--rounds: "1.5" is not a whole number'],
])('%j is refused', (argv, message) => {
  expect(() => readFlags(argv)).toThrow(message)
})
