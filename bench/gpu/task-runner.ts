import type { Results } from './results.ts'
import type { Finding, ProblemFinding } from './rows.ts'
import type { Task } from './run-task.ts'
import { runTask } from './run-task.ts'

export interface TaskRunnerOptions {
  /** As `Date.now()` counts. */
  readonly deadline: number
  readonly signal: AbortSignal
  readonly print: (line: string) => void
  /** Must be left for a task to begin. */
  readonly leastSeconds?: number
}

/** Runs tasks while there is time, and keeps what they find. */
export class TaskRunner {
  readonly #results: Results
  readonly #options: Required<TaskRunnerOptions>

  constructor(results: Results, options: TaskRunnerOptions) {
    this.#results = results
    this.#options = { leastSeconds: 8, ...options }
  }

  skip(task: string, reason: string): void {
    this.#results.add({ task, kind: 'problem', outcome: 'skipped', reason })
  }

  /** Resolves to what was found; undefined where there was no time for it, which is said. */
  async run(task: Task): Promise<readonly Finding[] | undefined> {
    const { deadline, signal, print, leastSeconds } = this.#options
    const { name, limitSeconds } = task
    const secondsLeft = (deadline - Date.now()) / 1000
    if (signal.aborted || secondsLeft < leastSeconds) {
      this.skip(name, signal.aborted ? STOPPED : 'no time was left')
      return undefined
    }
    const isCut = secondsLeft < limitSeconds
    const findings: Finding[] = []
    const start = performance.now()
    await runTask({ ...task, limitSeconds: Math.min(limitSeconds, secondsLeft) }, (finding) => {
      const said = finding.kind === 'problem' ? this.#excuse(finding, isCut) : finding
      findings.push(said)
      this.#results.add({ task: name, ...said })
    })
    const problem = findings.find((finding) => finding.kind === 'problem')
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    print(`  ${name.padEnd(30)} ${seconds.padStart(6)} s  ${problem?.outcome ?? ''}`.trimEnd())
    return findings
  }

  /** What this program ends itself is nobody's fault. */
  #excuse(finding: ProblemFinding, isCut: boolean): ProblemFinding {
    if (this.#options.signal.aborted) return { ...finding, outcome: 'skipped', reason: STOPPED }
    if (isCut && finding.outcome === 'timed out') {
      return { ...finding, outcome: 'skipped', reason: 'cut off: the time was over' }
    }
    return finding
  }
}

const STOPPED = 'the run was told to stop'
