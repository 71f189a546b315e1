/** Real workers behind a gateway that does everything to them that the platform might, at once and all the time. */
import { join } from 'node:path'
import { close, handler } from '../../handler.ts'
import { messageOf } from '../../src/errors.ts'
import type { FaultRates } from '../gateway/faults.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { startGateway } from '../gateway/gateway.ts'
import type { LedgerReport } from '../gateway/ledger.ts'
import { seededRandom } from '../random.ts'
import { askFor } from './chaos-client.ts'
import type { ChaosJob } from './chaos-jobs.ts'
import { chaosJobs, chaosTexts } from './chaos-jobs.ts'

export interface ChaosOptions {
  readonly jobs: number
  readonly seed?: number
  /** Told what happens to workers, a line each. */
  readonly print?: (line: string) => void
  /** What workers say. */
  readonly onLine?: (workerId: string, line: string) => void
}

export interface ChaosResult {
  readonly report: LedgerReport
  /** Answers that a client must not get. */
  readonly wrong: readonly string[]
  readonly kills: number
  readonly freezes: number
  readonly seconds: number
}

const ROOT = join(import.meta.dirname, '../..')
const MODEL = join(ROOT, 'models/all-MiniLM-L6-v2-int8')

export const CHAOS_FAULTS: FaultRates = {
  'fail-5xx': 0.03,
  'fail-429': 0.01,
  'flashboot-400': 0.02,
  'drop-before': 0.02,
  'drop-after': 0.02,
  hang: 0.01,
  'slow-body': 0.03,
  duplicate: 0.1,
  malformed: 0.08,
  'job-stop-404': 0.1,
  'clock-jump': 0.3,
}

const WORKERS = 2
const KILLS = 5
const FREEZES = 1
/** Of the jobs: then the workers live on, so that what they drop comes to light. */
const DISTURBED_SHARE = 0.75
/** Longer than the silence after which a worker's jobs are given away, and than what a worker notices as a freeze. */
const FREEZE_MS = 6500
const CLIENTS = 150
/** Small, so that many takes are made and both workers have their share. */
const MAX_CONCURRENCY = '40'

/** Resolves when every job has been answered; what is wrong is told, not thrown. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { jobs: count, seed = 1, print = () => {}, onLine } = options
  const random = seededRandom(seed)
  const texts = chaosTexts(random)
  const jobs = chaosJobs(count, texts, random)
  const reference = await embedAlone(texts)
  const startMs = performance.now()
  const gateway = await startGateway({
    faults: CHAOS_FAULTS,
    workerKey: 'chaos',
    seed,
    print,
    holdMs: 2000,
    hangMs: 1500,
    pingIntervalMs: 1000,
    workers: {
      command: `exec '${process.execPath}' '${join(ROOT, 'handler.ts')}'`,
      count: WORKERS,
      env: env(),
      onLine,
    },
  })
  const client = { url: `${gateway.url}/v2/local`, reference }
  const disturb = disturber(gateway, count)
  const wrong: string[] = []
  try {
    await askForAll(jobs, async (job) => {
      const problem = await askFor(job, client).catch((error: unknown) => `${job.kind}: ${messageOf(error)}`)
      if (problem !== undefined) wrong.push(problem)
      disturb.jobDone()
    })
  } finally {
    await gateway.close()
  }
  const { kills, freezes } = disturb
  return {
    report: gateway.ledger.report(),
    wrong,
    kills,
    freezes,
    seconds: (performance.now() - startMs) / 1000,
  }
}

/** What the same program answers when nothing disturbs it. */
async function embedAlone(texts: readonly string[]): Promise<Map<string, Float32Array>> {
  try {
    const output = await handler({ input: { input: texts } })
    const { data } = output as { data: { embedding: number[] }[] }
    return new Map(data.map(({ embedding }, index) => [texts[index] ?? '', Float32Array.from(embedding)]))
  } finally {
    await close()
  }
}

/** Nothing else of this process's environment: it may name other models, or another platform. */
function env(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env
  return { PATH, HOME, MODEL_NAMES: MODEL, RUNPOD_MAX_CONCURRENCY: MAX_CONCURRENCY }
}

/** So many at a time. */
async function askForAll(jobs: readonly ChaosJob[], ask: (job: ChaosJob) => Promise<void>): Promise<void> {
  const left = jobs.values()
  const client = async () => {
    for (const job of left) await ask(job)
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
}

/** Kills and one freeze, spread over the jobs. */
function disturber({ workers }: Gateway, jobCount: number) {
  const step = (jobCount * DISTURBED_SHARE) / (KILLS + FREEZES)
  const counts = { kills: 0, freezes: 0 }
  let done = 0
  return {
    get kills() {
      return counts.kills
    },
    get freezes() {
      return counts.freezes
    },
    jobDone() {
      done++
      if (done < (counts.kills + counts.freezes + 1) * step) return
      if (counts.freezes < FREEZES && counts.kills === 2) {
        if (workers?.freeze(FREEZE_MS) !== undefined) counts.freezes++
      } else if (counts.kills < KILLS && workers?.kill() !== undefined) counts.kills++
    },
  }
}
