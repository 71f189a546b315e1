/** Closing takes no process down: a native library stopped in the middle of its work would abort it. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runScript } from './run-handler.ts'

test.each(['loading', 'running'])(
  'closing while a model is %s ends the job and the process in order',
  async (when) => {
    const { exitCode, stdout } = await runScript(join(import.meta.dirname, 'close-child.ts'), [when])
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ error: 'the worker is stopping and takes no more work' })
  },
)
