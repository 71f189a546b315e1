/** Closing takes no process down: a native library stopped in the middle of its work would abort it. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Finished } from './run-handler.ts'

test.each(['loading', 'running'])(
  'closing while a model is %s ends the job and the process in order',
  async (when) => {
    const { exitCode, stdout } = await runChild(when)
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ error: 'the worker is stopping and takes no more work' })
  },
)

function runChild(when: string): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'close-child.ts'), when])
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
}
