/** One measurement in a process of its own: a crash, or a program that hangs, is a row of the report and not its end. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Job } from './jobs.ts'
import type { Finding } from './rows.ts'

/** Findings have a pipe of their own: libraries write to stdout what they like. */
export const FINDINGS_PIPE = 3

export interface Task {
  readonly name: string
  /** Program and arguments; they write findings to descriptor 3. */
  readonly command: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
  /** After which it is killed. */
  readonly limitSeconds: number
}

const MEASURE = fileURLToPath(new URL('./measure.ts', import.meta.url))

/** `entry` is another program than `measure.ts`, for tests. */
export function taskOf(
  name: string,
  job: Job,
  options: { limitSeconds: number; env?: Task['env']; entry?: string },
): Task {
  const { limitSeconds, env = {}, entry = MEASURE } = options
  return { name, command: [process.execPath, entry, JSON.stringify(job)], env, limitSeconds }
}

/** Kept of what a child printed, to be shown where it failed. */
const TAIL_CHARACTERS = 1500

const running = new Set<number>()

/** Gives every finding as it comes; one more where the process fails without saying why. Never rejects. */
export function runTask(task: Task, onFinding: (finding: Finding) => void): Promise<void> {
  const [program, ...args] = task.command
  let tail = ''
  let isFailed = false
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...task.env },
      // a group of its own, so that what it has started can be ended with it
      detached: true,
    })
    const { pid } = child
    if (pid !== undefined) running.add(pid)
    const keep = (data: Buffer) => (tail = (tail + data.toString()).slice(-TAIL_CHARACTERS))
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    const lines = createInterface({ input: child.stdio[FINDINGS_PIPE] as Readable })
    lines.on('line', (line) => {
      const finding = readFinding(line)
      isFailed ||= finding.kind === 'problem'
      onFinding(finding)
    })
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      if (pid !== undefined) endGroup(pid)
    }, task.limitSeconds * 1000)
    const end = (finding?: Finding) => {
      clearTimeout(timer)
      if (pid !== undefined) running.delete(pid)
      if (finding !== undefined) onFinding(finding)
      resolve()
    }
    child.on('error', (error) => end({ kind: 'problem', outcome: 'failed', reason: error.message }))
    child.on('close', (code, signal) => {
      if (pid !== undefined) endGroup(pid)
      if (isLate) end(timedOut(task.limitSeconds, tail))
      else if (code === 0 || (code !== null && isFailed)) end()
      else end(crashed(code, signal, tail))
    })
  })
}

/** Ends every child that runs: for a program that is told to stop. */
export function endAll(): void {
  for (const pid of running) endGroup(pid)
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // it has ended, and so has all that it started
  }
}

function readFinding(line: string): Finding {
  try {
    return JSON.parse(line) as Finding
  } catch {
    return { kind: 'problem', outcome: 'failed', reason: `not JSON: ${line.slice(0, 200)}` }
  }
}

function timedOut(seconds: number, tail: string): Finding {
  const reason = `took more than ${Math.round(seconds)} s${tail && `; it printed last: ${tail.trim()}`}`
  return { kind: 'problem', outcome: 'timed out', reason }
}

function crashed(code: number | null, signal: string | null, tail: string): Finding {
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`
  return { kind: 'problem', outcome: 'crashed', reason: `${how}${tail && `; it printed: ${tail.trim()}`}` }
}
