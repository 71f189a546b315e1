/** The load generator, against the stub that it is measured with. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeBodies } from '../../../bench/client/bodies.ts'
import type { Lane, LoadAsk } from '../../../bench/client/protocol.ts'
import type { LoadClient } from '../../../bench/client/start-client.ts'
import { startClient } from '../../../bench/client/start-client.ts'
import { openEngineForBench } from '../../../bench/open-engine.ts'
import type { Program } from '../../start-program.ts'
import { startProgram } from '../../start-program.ts'

const LANE: Lane = {
  name: 'bulk',
  task: 'embed',
  texts: 'mixed',
  textsPerRequest: 4,
  connections: 3,
  until: { requests: 10 },
}
const MODELS = { embed: 'e', rerank: 'r' }

let client: LoadClient
let stub: Program

beforeAll(async () => {
  client = startClient()
  stub = await startProgram({
    file: fileURLToPath(new URL('../../../bench/client/stub.ts', import.meta.url)),
    until: /(http\S+)/,
  })
})

afterAll(async () => {
  client.close()
  await stub.stop()
})

function ask(lanes: readonly Lane[], more: Partial<LoadAsk> = {}): LoadAsk {
  return { url: stub.found, api: 'openai', models: MODELS, lanes, seed: 1, ...more }
}

test('a lane sends as many requests as it is told, and counts what was answered', async () => {
  const [reply] = (await client.load(ask([LANE]))).lanes
  expect(reply).toMatchObject({ name: 'bulk', requests: 10, texts: 40, failed: 0 })
  expect(reply?.latenciesMs).toHaveLength(10)
  const sent = makeBodies(LANE, ask([LANE]))
  expect(reply?.tokens).toBe(sent.reduce((sum, { tokens }) => sum + tokens, 0))
})

test('a lane that goes by another ends with it', async () => {
  const query: Lane = { ...LANE, name: 'query', connections: 1, textsPerRequest: 1, until: { lane: 'bulk' } }
  const { lanes } = await client.load(ask([{ ...LANE, until: { requests: 200 } }, query]))
  expect(lanes.map(({ failed }) => failed)).toEqual([0, 0])
  expect(lanes[1]?.requests).toBeGreaterThan(0)
})

test('an answer that is no success counts as failed, with what it said', async () => {
  const [reply] = (await client.load(ask([{ ...LANE, until: { requests: 5 } }], { api: 'tei' }))).lanes
  // the stub knows OpenAI's body alone
  expect(reply).toMatchObject({ requests: 0, failed: 5, tokens: 0, failure: '400: no input' })
})

test('a server that is gone fails the lane, which ends', async () => {
  const { lanes } = await client.load(ask([LANE], { url: 'http://127.0.0.1:1' }))
  expect(lanes[0]).toMatchObject({ requests: 0, failed: 10 })
  expect(lanes[0]?.failure).toContain('ECONNREFUSED')
})

test('tokens are counted as the bundled tokenizer counts them', async () => {
  const { rowsOf, close } = await openEngineForBench()
  try {
    for (const texts of ['short', 'mixed', 'long'] as const) {
      const bodies = makeBodies({ ...LANE, texts, until: { requests: 8 } }, ask([]))
      for (const { bytes, tokens } of bodies) {
        const { input } = JSON.parse(bytes.toString()) as { input: string[] }
        const rows = await rowsOf(input)
        expect(rows.reduce((sum, row) => sum + row.length, 0)).toBe(tokens)
      }
    }
  } finally {
    await close()
  }
})

test('no two connections send the same text at the same time', () => {
  const queries: Lane = {
    ...LANE,
    texts: 'long',
    textsPerRequest: 1,
    connections: 300,
    until: { requests: 9000 },
  }
  const bodies = makeBodies(queries, ask([])).map(({ bytes }) => bytes.toString())
  expect(bodies.length).toBeGreaterThan(2 * queries.connections)
  expect(new Set(bodies).size).toBe(bodies.length)
})

test('requests have the form of the server, and the same seed has the same bytes', () => {
  const one = { ...LANE, textsPerRequest: 1 }
  const body = (lane: Lane, api: LoadAsk['api']) =>
    makeBodies(lane, ask([], { api }))[0]?.bytes.toString() ?? ''
  expect(JSON.parse(body(one, 'openai'))).toEqual({ model: 'e', input: expect.any(String) as string })
  expect(JSON.parse(body(one, 'tei'))).toEqual({ inputs: expect.any(String) as string })
  const rerank: Lane = { ...LANE, task: 'rerank' }
  expect(Object.keys(JSON.parse(body(rerank, 'openai')) as object)).toEqual(['model', 'query', 'documents'])
  expect(body(rerank, 'openai')).toBe(body(rerank, 'openai'))
})
