/** Does a large answer leave the server free for others? The engine is a stub: only the encoding of its vectors is in the way. */
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { startProgram } from '../../tests/start-program.ts'
import { median, quantile } from '../harness.ts'
import type { Part } from './part.ts'

const LARGE_ANSWERS = 8
const LARGE_TEXTS = 2048

export const benchLargeAnswers: Part = async (report) => {
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
  report.section(`/ping beside answers of ${LARGE_TEXTS} vectors of 384 numbers as JSON, engine stubbed`)
  report.figure('answer, median', `${Math.round(median(answerMs))} ms`)
  report.figure(
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

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return performance.now() - start
}
