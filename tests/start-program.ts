import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface ProgramOptions {
  readonly file: string
  readonly args?: readonly string[]
  /** All that its environment holds. */
  readonly env?: Readonly<Record<string, string>>
  /** Ready once its output matches; the first group is what was looked for. */
  readonly until: RegExp
}

export interface Program {
  readonly found: string
  readonly process: ChildProcess
  /** What it has written so far, standard error too. */
  readonly output: () => string
  /** Asks it to end, and resolves with its exit code; null where a signal ended it. */
  readonly stop: () => Promise<number | null>
}

/** A program of ours in a process of its own, once it says that it is ready. */
export async function startProgram({ file, args = [], env, until }: ProgramOptions): Promise<Program> {
  const clean = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }
  const child = spawn(process.execPath, [file, ...args], { env: clean, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const ready = Promise.withResolvers<string>()
  let isReady = false
  const read = (data: Buffer) => {
    output += data.toString()
    const match = isReady ? null : until.exec(output)
    if (match === null) return
    isReady = true
    ready.resolve(match[1] ?? '')
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  child.once('error', ready.reject)
  child.once('exit', (code) => ready.reject(new Error(`${file} exited with ${code}: ${output}`)))
  const stop = async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode
  }
  return { found: await ready.promise, process: child, output: () => output, stop }
}
