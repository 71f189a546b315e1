/** Two real workers and every fault there is: no job is lost, doubled or answered wrongly. */
import { expect, test } from 'vitest'
import { describeReport } from '../../tools/gateway/describe-report.ts'
import { CHAOS_FAULTS, runChaos } from '../../tools/chaos/run-chaos.ts'

const JOBS = 2000

test(
  'kills, a freeze and every fault leave each job with one right answer',
  { timeout: 240_000 },
  async () => {
    const { report, wrong, kills, freezes, seconds } = await runChaos({ jobs: JOBS })
    process.stdout.write(`${describeReport(report)}; ${wrong.length} wrong; ${seconds.toFixed(1)} s\n`)
    expect(wrong).toEqual([])
    expect(report).toMatchObject({
      submitted: JOBS,
      answered: JOBS,
      lost: [],
      answeredTwice: [],
      runTwice: [],
      abandoned: [],
    })
    expect([kills, freezes]).toEqual([5, 1])
    // Calm would prove nothing.
    expect(Object.keys(report.faultsInjected).toSorted()).toEqual(Object.keys(CHAOS_FAULTS).toSorted())
    expect(report.requeued).toBeGreaterThan(0)
  },
)
