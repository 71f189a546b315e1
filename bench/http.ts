/** What does HTTP add to a query, and does a large answer leave the server free for others? */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { openBareSession } from './bare-session.ts'
import { startProgram } from '../tests/start-program.ts'
import { median, printFigure, quantile, seededRandom, textOf } from './harness.ts'
import { openEngineForBench } from './open-engine.ts'

const ROUNDS = 10
const QUERIES_A_ROUND = 40
const SETTLING_QUERIES = 5
const LARGE_ANSWERS = 8
const LARGE_TEXTS = 2048

export async function benchHttp(): Promise<void> {
  await oneQuery()
  await besideLargeAnswers()
}

/**
 * The session run here and the request to a server of its own process, in blocks: the threads of ONNX Runtime spin for a
 * while after a run, and would take the cores from the other process if the two took turns.
 */
async function oneQuery(): Promise<void> {
  const text = textOf(12, seededRandom(2))
  const session = await openBareSession(availableParallelism())
  const { rowsOf, close } = await openEngineForBench()
  const rows = await rowsOf([text])
  await close()
  const server = await startProgram({
    file: fileURLToPath(new URL('../handler.ts', import.meta.url)),
    args: ['--rp_serve_api', '--rp_api_port', '0'],
    until: /"address":"(http[^"]+)".*"message":"ready"/s,
  })
  const agent = new Agent()
  const body = JSON.stringify({ input: text })
  const url = `${server.found}/v1/embeddings`
  const runMs: number[] = []
  const requestMs: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const runs = await timedBlock(() => session.packed(rows))
    const requests = await timedBlock(() => post(agent, url, body))
    // The first round is to warm up.
    if (round === 0) continue
    runMs.push(...runs)
    requestMs.push(...requests)
  }
  console.log('one query of 12 tokens by POST /v1/embeddings, nothing else running')
  printFigure('session run p50 / p99', `${median(runMs).toFixed(2)} / ${quantile(runMs, 0.99).toFixed(2)} ms`)
  printFigure(
    'request p50 / p99',
    `${median(requestMs).toFixed(2)} / ${quantile(requestMs, 0.99).toFixed(2)} ms`,
  )
  printFigure(
    'request − session run, medians',
    `${(median(requestMs) - median(runMs)).toFixed(2)} ms`,
    '≤ 1 ms',
  )
  await agent.close()
  await server.stop()
}

/** The engine is a stub here: only the encoding of its vectors is in the way. */
async function besideLargeAnswers(): Promise<void> {
  const server = await startProgram({
    file: fileURLToPath(new URL('./stub-server.ts', import.meta.url)),
    args: [],
    until: /(http\S+)/,
  })
  const agent = new Agent()
  const pings = new Agent()
  const body = JSON.stringify({ input: Array.from({ length: LARGE_TEXTS }, () => 'a') })
  const large = () => post(agent, `${server.found}/v1/embeddings`, body)
  await large()
  const answerMs: number[] = []
  const pingMs: number[] = []
  let busy = true
  const asking = (async () => {
    for (let i = 0; i < LARGE_ANSWERS; i++) answerMs.push(await timed(large))
    busy = false
  })()
  while (busy) {
    pingMs.push(
      await timed(() =>
        request(`${server.found}/ping`, { dispatcher: pings }).then(({ body }) => body.dump()),
      ),
    )
  }
  await asking
  console.log(`/ping beside answers of ${LARGE_TEXTS} vectors of 384 numbers as JSON, engine stubbed`)
  printFigure('answer, median', `${Math.round(median(answerMs))} ms`)
  printFigure(
    'ping p50 / p99 / worst',
    `${median(pingMs).toFixed(1)} / ${quantile(pingMs, 0.99).toFixed(1)} / ${Math.max(...pingMs).toFixed(1)} ms`,
    'worst ≤ 20 ms',
  )
  await Promise.all([agent.close(), pings.close()])
  await server.stop()
}

async function post(agent: Agent, url: string, body: string): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await request(url, { method: 'POST', headers, body, dispatcher: agent })
  // Let pass, not kept: what a client makes of an answer is not the server's time, and must not delay its next ping.
  await answer.body.dump({ limit: Infinity })
  if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}`)
}

async function timedBlock(run: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < QUERIES_A_ROUND; i++) times.push(await timed(run))
  return times.slice(SETTLING_QUERIES)
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return performance.now() - start
}
