/** A child process with all its children: started, stopped, held still, and its memory read. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from './contestant.ts'

export interface ProcessGroup {
  readonly child: ChildProcess
  /** `performance.now()` just before it was started. */
  readonly startedMs: number
  /** The end of what it has written, standard error too. */
  readonly output: () => string
  /** Held still while others are measured, so that nothing it does when idle counts against them. */
  readonly pause: () => void
  readonly resume: () => void
  readonly stop: () => Promise<void>
}

const KEPT_OUTPUT = 4000
const PATIENCE_MS = 10_000
const running = new Set<number>()

let isWatching = false

/** Groups outlive whoever started them, unlike plain children of a terminal. */
function endWithThisProcess(): void {
  if (isWatching) return
  isWatching = true
  process.on('exit', () => {
    for (const pid of running) signalGroup(pid, 'SIGKILL')
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
}

/** `interactive`: its standard input and output are left to the caller. */
export function startGroup(command: Command, { interactive = false } = {}): ProcessGroup {
  const { program, args, env } = command
  const startedMs = performance.now()
  const child = spawn(program, args, {
    detached: true,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: [interactive ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const read = (data: Buffer) => (output = (output + data.toString()).slice(-KEPT_OUTPUT))
  if (!interactive) child.stdout?.on('data', read)
  child.stderr?.on('data', read)
  child.on('error', (error) => (output += error.message))
  const { pid } = child
  if (pid === undefined) return notStarted(child, startedMs, () => output)
  endWithThisProcess()
  running.add(pid)
  child.once('exit', () => running.delete(pid))
  return {
    child,
    startedMs,
    output: () => output,
    pause: () => signalGroup(pid, 'SIGSTOP'),
    resume: () => signalGroup(pid, 'SIGCONT'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      signalGroup(pid, 'SIGCONT')
      signalGroup(pid, 'SIGTERM')
      await Promise.race([ended, sleep(PATIENCE_MS, undefined, { ref: false })])
      signalGroup(pid, 'SIGKILL')
      await ended
    },
  }
}

function notStarted(child: ChildProcess, startedMs: number, output: () => string): ProcessGroup {
  const nothing = () => {}
  return { child, startedMs, output, pause: nothing, resume: nothing, stop: async () => {} }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // It has ended.
  }
}

/** Resident memory of the process and all that descend from it, in MB; undefined where /proc does not tell. */
export function treeMegabytes(root: number | undefined): number | undefined {
  if (root === undefined) return undefined
  try {
    const parents = new Map(
      readdirSync('/proc')
        .filter(isNumber)
        .map((pid) => [Number(pid), parentOf(pid)]),
    )
    const isInTree = (pid: number | undefined): boolean =>
      pid !== undefined && (pid === root || isInTree(parents.get(pid)))
    const pids = [...parents.keys()].filter(isInTree)
    return pids.reduce((sum, pid) => sum + residentKilobytes(pid), 0) / 1000
  } catch {
    return undefined
  }
}

function isNumber(name: string): boolean {
  return /^\d+$/.test(name)
}

/** The name of a program, in brackets, may hold anything: the parent is the second field behind it. */
function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    return parent === 0 ? undefined : parent
  } catch {
    return undefined
  }
}

function residentKilobytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1.024
  } catch {
    return 0
  }
}
