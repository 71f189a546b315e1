/** What does the worker cost a job, and how many small jobs a second go through it? The engine is a stub in this bench. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { startProgram } from '../../tests/start-program.ts'
import { median, quantile } from '../harness.ts'
import type { Part, PartReport } from './part.ts'

const SINGLE_JOBS = 1000
const WARM_UP = 100
const CONCURRENCY = 300
const WORKER = fileURLToPath(new URL('./stub-worker.ts', import.meta.url))
const GATEWAY = fileURLToPath(new URL('../../tools/gateway/main.ts', import.meta.url))
const ENDPOINT = 'bench'
const JOB_INPUT = { input: 'Hello world' }

export const benchQueueWorker: Part = async (report, { queueJobs }) => {
  await oneJob(report)
  await manyJobs(report, queueJobs)
}

/** From the moment a take is answered to the moment the result is in, one job at a time, nothing else in the way. */
async function oneJob(report: PartReport): Promise<void> {
  const times: number[] = []
  const done = Promise.withResolvers<void>()
  let sentMs = 0
  const give = (answer: ServerResponse) => {
    answer.setHeader('content-type', 'application/json')
    sentMs = performance.now()
    answer.end(JSON.stringify({ id: `job-${times.length}`, input: JOB_INPUT }))
  }
  let taker: ServerResponse | undefined
  const platform = createServer((asked, answer) => {
    const url = asked.url ?? ''
    if (url.startsWith('/job-take')) {
      if (sentMs === 0) give(answer)
      else taker = answer
    } else if (url.startsWith('/job-done')) {
      asked.resume().once('end', () => {
        times.push(performance.now() - sentMs)
        answer.end()
        if (times.length === SINGLE_JOBS + WARM_UP) return done.resolve()
        if (taker !== undefined) give(taker)
        else sentMs = 0
        taker = undefined
      })
    }
  })
  platform.listen(0, '127.0.0.1')
  await once(platform, 'listening')
  const base = `http://127.0.0.1:${(platform.address() as AddressInfo).port}`
  const worker = await startProgram({
    file: WORKER,
    args: [],
    env: workerEnvironment(base),
    until: /(ready)/,
  })
  await done.promise
  worker.process.kill('SIGKILL')
  platform.closeAllConnections()
  platform.close()
  const counted = times.slice(WARM_UP)
  report.section('one job at a time through the worker, take answered → result received')
  report.figure(
    'p50 / p99',
    `${median(counted).toFixed(2)} / ${quantile(counted, 0.99).toFixed(2)} ms`,
    'p50 ≤ 2 ms',
  )
}

/** Client, gateway and worker are three processes. */
async function manyJobs(report: PartReport, jobs: number): Promise<void> {
  const gateway = await startProgram({
    file: GATEWAY,
    args: ['--port', '0', '--endpoint', ENDPOINT],
    until: /(http:\/\/127\.0\.0\.1:\d+)/,
  })
  const worker = await startProgram({
    file: WORKER,
    args: [],
    env: workerEnvironment(`${gateway.found}/v2/${ENDPOINT}`),
    until: /(ready)/,
  })
  const agent = new Agent({ connections: CONCURRENCY })
  const body = JSON.stringify({ input: JOB_INPUT })
  const headers = { 'content-type': 'application/json', authorization: 'Bearer bench' }
  let left = jobs
  const client = async () => {
    while (left-- > 0) {
      const url = `${gateway.found}/v2/${ENDPOINT}/runsync`
      const answer = await request(url, { method: 'POST', headers, body, dispatcher: agent })
      const text = await answer.body.text()
      if (!text.includes('"status":"COMPLETED"')) throw new Error(`unexpected answer: ${text.slice(0, 200)}`)
    }
  }
  const startMs = performance.now()
  await Promise.all(Array.from({ length: CONCURRENCY }, client))
  const seconds = (performance.now() - startMs) / 1000
  worker.process.kill('SIGKILL')
  await agent.close()
  await gateway.stop()
  report.section(`${jobs} jobs of one text through gateway and worker, ${CONCURRENCY} at a time`)
  report.figure('jobs a second', String(Math.round(jobs / seconds)), '≥ 1000')
}

function workerEnvironment(base: string): Record<string, string> {
  return {
    RUNPOD_WEBHOOK_GET_JOB: `${base}/job-take/$RUNPOD_POD_ID?gpu=none`,
    RUNPOD_WEBHOOK_POST_OUTPUT: `${base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none`,
    RUNPOD_WEBHOOK_PING: `${base}/ping/$RUNPOD_POD_ID`,
    RUNPOD_POD_ID: 'bench-worker',
  }
}
