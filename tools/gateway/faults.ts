import { createHash } from 'node:crypto'
import { ServerError } from '../../src/errors.ts'

/** What a request of a worker is about; `clock` is asked once a second. */
export type FaultRoute = 'take' | 'done' | 'stream' | 'ping' | 'stop' | 'clock'

interface FaultRow {
  readonly routes: readonly FaultRoute[]
  readonly help: string
}

const EVERY: readonly FaultRoute[] = ['take', 'done', 'stream', 'ping', 'stop']

/** Kind, as its flag is called → the routes it strikes, and what it does there. */
export const FAULTS = {
  'fail-5xx': {
    routes: EVERY,
    help: '500, 502, 503 or 504; of results and stream chunks, half of the time after they were taken',
  },
  'fail-429': { routes: EVERY, help: '429, half of the time with Retry-After: 1' },
  'flashboot-400': { routes: ['take'], help: '400, as before a worker is frozen' },
  'drop-before': { routes: EVERY, help: 'the connection ends before anything was done' },
  'drop-after': {
    routes: EVERY,
    help: 'the connection ends after it was done and before the answer: jobs are handed out, results taken',
  },
  hang: { routes: EVERY, help: 'the answer is held for --hang-seconds' },
  'slow-body': { routes: ['take', 'done', 'stream', 'stop'], help: 'the answer comes in small pieces' },
  duplicate: {
    routes: ['take'],
    help: 'a job is handed out again while it runs, or shortly after it completed',
  },
  malformed: { routes: ['take'], help: 'something that is no job is handed out' },
  'job-stop-404': { routes: ['stop'], help: '404, as of a platform without job-stop' },
  'clock-jump': { routes: ['clock'], help: "the gateway's clock jumps forward by up to 3 seconds" },
} as const satisfies Record<string, FaultRow>

export type FaultKind = keyof typeof FAULTS

export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[]

/** Probability by kind, for one request; 0 where it is not named. */
export type FaultRates = Readonly<Partial<Record<FaultKind, number>>>

export interface Fault {
  readonly kind: FaultKind
  /** In [0, 1): decides what the kind leaves open. */
  readonly choice: number
}

/**
 * Which request meets which fault, at most one each. The n-th request of a route always meets the same one: it is decided
 * by a hash of seed, route and n, so that what happens on other routes changes nothing.
 */
export class FaultPlan {
  readonly #rates: FaultRates
  readonly #seed: number
  readonly #counts = new Map<FaultRoute, number>()

  /** Throws `invalid_request` where rates are no probabilities, or those of one route add up to more than 1. */
  constructor(rates: FaultRates, seed: number) {
    checkRates(rates)
    this.#rates = rates
    this.#seed = seed
  }

  next(route: FaultRoute): Fault | undefined {
    const count = this.#counts.get(route) ?? 0
    this.#counts.set(route, count + 1)
    const digest = createHash('sha256').update(`${this.#seed}/${route}/${count}`).digest()
    let draw = digest.readUInt32LE(0) / 2 ** 32
    for (const kind of kindsOf(route)) {
      const rate = this.#rates[kind] ?? 0
      if (draw < rate) return { kind, choice: digest.readUInt32LE(4) / 2 ** 32 }
      draw -= rate
    }
    return undefined
  }
}

function kindsOf(route: FaultRoute): FaultKind[] {
  return FAULT_KINDS.filter((kind) => (FAULTS[kind].routes as readonly FaultRoute[]).includes(route))
}

function checkRates(rates: FaultRates): void {
  for (const kind of FAULT_KINDS) {
    const rate = rates[kind] ?? 0
    if (rate >= 0 && rate <= 1) continue
    throw new ServerError('invalid_request', `${kind} is ${rate}; it must be a probability, from 0 to 1`)
  }
  for (const route of EVERY) {
    const sum = kindsOf(route).reduce((total, kind) => total + (rates[kind] ?? 0), 0)
    // a hair more than 1: sums of decimal fractions are not exact
    if (sum <= 1 + 1e-9) continue
    throw new ServerError(
      'invalid_request',
      `the faults of ${route} have probabilities that add up to ${sum}; a request meets at most one, so the sum may be 1`,
    )
  }
}
