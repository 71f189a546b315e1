/** A query behind a bulk job, on a device whose time is its tokens: one token, one millisecond of a fake clock. */
import { describe, expect, test } from 'vitest'
import { openLane, requestOf } from '../../fakes/lane.ts'
import { logNormalLengths, seededRandom } from '../../../tools/random.ts'
import { settle } from '../../fakes/runner.ts'

const JOB_TEXTS = 2000
const QUERY_TOKENS = 12
const CPU_LIMITS = { maxRows: 32, maxTokens: 512, maxPaddedTokens: 1024 }

interface Simulation {
  readonly jobMs: number
  readonly jobTokens: number
  /** From arrival to answer, in order of arrival. */
  readonly queryMs: readonly number[]
  readonly wrongAnswers: number
  readonly batchCount: number
}

interface Arrivals {
  /** When queries come, as parts of the job's tokens. */
  readonly arrivals: readonly number[]
  readonly depth: number
  /** The whole job waits, and not only its next texts. */
  readonly tokenizeFirst?: boolean
  /** Of query `index`; `QUERY_TOKENS` of its own unless told. */
  readonly queryIds?: (index: number, lastOfJob: readonly number[]) => readonly number[]
}

/** One job at time 0, and queries after it. */
async function simulate(given: Arrivals): Promise<Simulation> {
  const { arrivals, depth, queryIds = ownIds, tokenizeFirst = false } = given
  const { lane, runner, clock } = openLane({ depth, limitsOfBatch: CPU_LIMITS, queueSize: 48_000 })
  const lengths = logNormalLengths(
    JOB_TEXTS,
    { median: 40, sigma: 0.9, least: 5, most: 256 },
    seededRandom(20_261_124),
  )
  const job = lengths.map((length, index) => Array.from({ length }, () => index + 1))
  const jobTokens = lengths.reduce((sum, length) => sum + length, 0)
  const due = arrivals.map((part) => part * jobTokens)
  let jobMs = NaN
  let wrongAnswers = 0
  const queryMs: number[] = []

  const answers: Promise<unknown>[] = []
  const send = (rows: readonly (readonly number[])[], onAnswer: () => void) => {
    const answered = lane.submit(requestOf(rows, { tokenizeFirst })).then(({ rows: values }) => {
      onAnswer()
      wrongAnswers += rows.filter(
        (ids, b) => values[3 * b] !== ids[0] || values[3 * b + 1] !== ids.length,
      ).length
    })
    answers.push(answered)
  }
  const sendQuery = (index: number) => {
    const sentMs = clock.ms
    send([queryIds(index, job.at(-1) ?? [])], () => {
      queryMs[index] = clock.ms - sentMs
    })
  }

  send(job, () => (jobMs = clock.ms))
  // The whole job is tokenized and waiting before anything else happens.
  await settle()
  let sent = 0
  while (runner.heldCount > 0 || sent < due.length) {
    const doneMs = runner.heldCount === 0 ? Infinity : clock.ms + runner.oldestTokens
    // Batches of a device run one after the other, so only the oldest one is working.
    let endMs = doneMs
    while (sent < due.length && (due[sent] as number) <= endMs) {
      clock.ms = Math.max(clock.ms, due[sent] as number)
      sendQuery(sent++)
      await settle()
      if (endMs === Infinity) endMs = clock.ms + runner.oldestTokens
    }
    clock.ms = endMs
    runner.finish()
    await settle()
  }
  await Promise.all(answers)
  return { jobMs, jobTokens, queryMs, wrongAnswers, batchCount: runner.batches.length }
}

function ownIds(index: number): number[] {
  return Array.from({ length: QUERY_TOKENS }, () => 1_000_000 + index)
}

describe.each([1, 2])('on a device that holds %i batches', (depth) => {
  test('a query that arrives behind a job is answered before 5 % of the time of the job', async () => {
    const { jobMs, queryMs, wrongAnswers } = await simulate({ arrivals: [0], depth })
    expect(queryMs).toHaveLength(1)
    expect(queryMs[0]).toBeLessThan(0.05 * jobMs)
    expect(wrongAnswers).toBe(0)
  })

  test('so is each of 50 queries that arrive while the job runs, and the job still finishes', async () => {
    const random = seededRandom(50)
    const arrivals = Array.from({ length: 50 }, () => random() * 0.95).sort((a, b) => a - b)
    const { jobMs, jobTokens, queryMs, wrongAnswers } = await simulate({ arrivals, depth })
    expect(queryMs).toHaveLength(50)
    expect(Math.max(...queryMs)).toBeLessThan(0.05 * jobMs)
    expect(wrongAnswers).toBe(0)
    // The device did the job and the queries that came before its end, and nothing twice.
    expect(jobMs).toBeGreaterThanOrEqual(jobTokens)
    expect(jobMs).toBeLessThanOrEqual(jobTokens + 50 * QUERY_TOKENS)
  })

  test('a query that is also the last text of the job is answered when any would be, and is computed once', async () => {
    const whole = { arrivals: [0], depth, tokenizeFirst: true }
    const any = await simulate({ ...whole, queryIds: (_, last) => last.map((id) => id + 1_000_000) })
    const duplicate = await simulate({ ...whole, queryIds: (_, last) => last })
    expect(duplicate.queryMs).toEqual(any.queryMs)
    expect(duplicate.queryMs[0]).toBeLessThan(0.05 * duplicate.jobMs)
    expect(duplicate.jobMs).toBe(duplicate.jobTokens)
    expect(duplicate.wrongAnswers).toBe(0)
  })

  test('batches of the job stay nearly full', async () => {
    const { jobTokens, batchCount } = await simulate({ arrivals: [], depth })
    expect(batchCount).toBeLessThan((1.25 * jobTokens) / CPU_LIMITS.maxTokens)
  })
})

test('a query that finds the device idle is answered in the time that it takes', async () => {
  const { queryMs } = await simulate({ arrivals: [2], depth: 1 })
  expect(queryMs).toEqual([QUERY_TOKENS])
})
