/** Do heartbeats keep their interval while a batch takes every core? A real worker, taking a real job, from a platform in this process. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startProgram } from '../../tests/start-program.ts'
import { MODEL, median, seededRandom, textOf } from '../harness.ts'
import type { Part } from './part.ts'

const INTERVAL_MS = 1000
const TOKENS = 256

export const benchHeartbeat: Part = async (report, { heartbeatTexts }) => {
  const random = seededRandom(4)
  const texts = Array.from({ length: heartbeatTexts }, () => textOf(TOKENS, random))
  const job = { id: 'long', input: { input: texts, encoding_format: 'base64' } }
  const pingTimes: number[] = []
  const done = Promise.withResolvers<number>()
  let takenMs = 0
  const platform = createServer((request, answer) => {
    const url = request.url ?? ''
    if (url.startsWith('/ping')) {
      if (takenMs > 0) pingTimes.push(performance.now())
      answer.end()
    } else if (url.startsWith('/job-take') && takenMs === 0) {
      takenMs = performance.now()
      answer.setHeader('content-type', 'application/json').end(JSON.stringify(job))
    } else if (url.startsWith('/job-done')) {
      // Progress comes the same way.
      request.once('end', () => answer.end()).resume()
      if (Number(request.headers['content-length']) > 100_000) done.resolve(performance.now() - takenMs)
    } else {
      setTimeout(() => answer.writeHead(204).end(), 20_000).unref()
    }
  })
  platform.listen(0, '127.0.0.1')
  await once(platform, 'listening')
  const base = `http://127.0.0.1:${(platform.address() as AddressInfo).port}`
  const worker = await startProgram({
    file: fileURLToPath(new URL('../../handler.ts', import.meta.url)),
    args: [],
    env: {
      MODEL_NAMES: MODEL,
      RUNPOD_WEBHOOK_GET_JOB: `${base}/job-take/$RUNPOD_POD_ID?gpu=none`,
      RUNPOD_WEBHOOK_POST_OUTPUT: `${base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none`,
      RUNPOD_WEBHOOK_PING: `${base}/ping/$RUNPOD_POD_ID`,
      RUNPOD_PING_INTERVAL: String(INTERVAL_MS),
      RUNPOD_AI_API_KEY: 'bench',
      RUNPOD_POD_ID: 'bench',
    },
    until: /"message":"(ready)"/,
  })
  const busyMs = await done.promise
  await worker.stop()
  platform.closeAllConnections()
  platform.close()
  const gaps = pingTimes.slice(1).map((time, index) => time - (pingTimes[index] as number))
  report.section(
    `heartbeat each ${INTERVAL_MS} ms while one job keeps all cores busy for ${(busyMs / 1000).toFixed(0)} s`,
  )
  report.figure(
    'gap between pings: shortest / median / longest',
    `${Math.round(Math.min(...gaps))} / ${Math.round(median(gaps))} / ${Math.round(Math.max(...gaps))} ms`,
    '± 20 %',
  )
}
