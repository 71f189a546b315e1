import { spawn } from 'node:child_process'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../..')

export interface Finished {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The real program in a process of its own, as a person would start it. */
export function runHandler(
  args: readonly string[],
  env: Record<string, string> = {},
  cwd = ROOT,
): Promise<Finished> {
  return runScript(join(ROOT, 'handler.ts'), args, { env, cwd })
}

/** A script in a process of its own, whose environment holds nothing but `env`. */
export function runScript(
  file: string,
  args: readonly string[],
  { env = {}, cwd = ROOT }: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const clean = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }
    const child = spawn(process.execPath, [file, ...args], { cwd, env: clean })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
}
