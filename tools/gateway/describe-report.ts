import type { LedgerReport, Verdict } from './ledger.ts'

/** Whether every job was answered once, and run once and to its end by each worker that had it. */
export function isClean({ lost, answeredTwice, runTwice, abandoned }: LedgerReport): boolean {
  return lost.length + answeredTwice.length + runTwice.length + abandoned.length === 0
}

/** One line of figures. */
export function describeReport(report: LedgerReport): string {
  const { submitted, answered, lost, answeredTwice, runTwice, abandoned } = report
  const { deliveries, results, requeued } = report
  const faults = Object.entries(report.faultsInjected).map(([kind, count]) => `${kind} ${count}`)
  return [
    `${submitted} jobs, ${answered} answered, ${lost.length} lost`,
    `${answeredTwice.length} answered twice, ${runTwice.length} run twice, ${abandoned.length} abandoned`,
    `${deliveries} deliveries, ${results} results, ${requeued} put back`,
    `faults: ${faults.length === 0 ? 'none' : faults.join(', ')}`,
  ].join('; ')
}

/** What is wrong, a line for each of the first. */
export function describeProblems(report: LedgerReport): string[] {
  const lines = (what: string, verdicts: readonly Verdict[]) =>
    verdicts.slice(0, SHOWN).map(({ id, why }) => `${what}: ${id}: ${why}`)
  return [
    ...lines('lost', report.lost),
    ...lines('answered twice', report.answeredTwice),
    ...lines('run twice', report.runTwice),
    ...lines('abandoned', report.abandoned),
  ]
}

const SHOWN = 20
