import { spawn } from 'node:child_process'

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds after which it is killed. */
  readonly limitMs: number
  /** Told of what it writes on standard output, line by line. */
  readonly onLine?: (line: string) => void
}

export interface ProgramResult {
  /** Undefined where it did not start, or was ended by a signal. */
  readonly exitCode: number | undefined
  /** Why there is no exit code: a signal's name, or what the system says. */
  readonly failure: string | undefined
  readonly stdout: string
  readonly stderr: string
}

/** A program to its end, whatever end that is. */
export function runProgram(
  command: string,
  args: readonly string[],
  { env = process.env, limitMs, onLine }: ProgramOptions,
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
    let stdout = ''
    let stderr = ''
    let shown = 0
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      const end = stdout.lastIndexOf('\n') + 1
      if (end > shown) for (const line of stdout.slice(shown, end - 1).split('\n')) onLine?.(line)
      shown = Math.max(shown, end)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const finish = (exitCode: number | null, failure: string | undefined) => {
      clearTimeout(timer)
      resolve({ exitCode: exitCode ?? undefined, failure, stdout, stderr })
    }
    child.once('error', ({ message }) => finish(null, message))
    child.once('close', (code, signal) => finish(code, signal === null ? undefined : `ended by ${signal}`))
  })
}
