/** Runs one lane against a server. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'undici'
import type { Body } from './bodies.ts'
import { makeBodies, pathOf } from './bodies.ts'
import type { Lane, LaneReply, LoadAsk } from './protocol.ts'

export interface LaneRun {
  /** `isOver`: whether the lane of that name has sent its last request. */
  readonly run: (isOver: (lane: string) => boolean) => Promise<LaneReply>
  /** Whether it has sent its last request. */
  readonly isOver: () => boolean
}

interface Tally {
  requests: number
  texts: number
  tokens: number
  failed: number
  failure: string | undefined
  readonly latenciesMs: number[]
}

/** A connection that failed is opened again by the client; failures are counted and the lane goes on, up to this many. */
const MOST_FAILURES = 100
const NO_TIMEOUT = { headersTimeout: 0, bodyTimeout: 0 }

/** Writes the requests; none is sent before `run`. */
export function openLane(lane: Lane, ask: LoadAsk): LaneRun {
  const bodies = makeBodies(lane, ask)
  const clients = Array.from({ length: lane.connections }, () => new Client(ask.url, NO_TIMEOUT))
  const path = pathOf(ask.api, lane.task)
  let sent = 0
  let over = false
  const run: LaneRun['run'] = async (isOver) => {
    const tally: Tally = { requests: 0, texts: 0, tokens: 0, failed: 0, failure: undefined, latenciesMs: [] }
    const start = performance.now()
    const mayGo = () => {
      if (tally.failed >= MOST_FAILURES) return false
      if ('requests' in lane.until) return sent < lane.until.requests
      if ('seconds' in lane.until) return performance.now() - start < 1000 * lane.until.seconds
      return !isOver(lane.until.lane)
    }
    const sendAll = async (client: Client) => {
      while (mayGo()) {
        const body = bodies[sent++ % bodies.length] as Body
        await send(client, path, body, tally)
        if (lane.pauseMs !== undefined) await sleep(lane.pauseMs)
      }
      over = true
    }
    await Promise.all(clients.map(sendAll))
    const seconds = (performance.now() - start) / 1000
    await Promise.all(clients.map((client) => client.destroy()))
    const { failure, ...counts } = tally
    return { name: lane.name, seconds, ...counts, ...(failure === undefined ? {} : { failure }) }
  }
  return { run, isOver: () => over }
}

const HEADERS = { 'content-type': 'application/json' }
const KEPT_OF_A_FAILURE = 300

/** Resolves once the answer is in; what it holds is let pass, as a client's parsing is not the server's time. */
function send(client: Client, path: string, body: Body, tally: Tally): Promise<void> {
  const start = performance.now()
  return new Promise((resolve) => {
    let status = 0
    let said = ''
    const fail = (failure: string) => {
      tally.failed++
      tally.failure ??= failure.slice(0, KEPT_OF_A_FAILURE)
      resolve()
    }
    client.dispatch(
      { method: 'POST', path, headers: HEADERS, body: body.bytes },
      {
        onRequestStart: () => {},
        onResponseStart: (_, code) => {
          status = code
        },
        onResponseData: (_, chunk) => {
          if (status !== 200 && said.length < KEPT_OF_A_FAILURE) said += chunk.toString()
        },
        onResponseEnd: () => {
          if (status !== 200) return fail(`${status}: ${said}`)
          tally.latenciesMs.push(performance.now() - start)
          tally.requests++
          tally.texts += body.texts
          tally.tokens += body.tokens
          resolve()
        },
        onResponseError: (_, error) => fail(error.message),
      },
    )
  })
}
