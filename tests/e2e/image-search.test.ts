/** examples/image-search.ts on the CLIP that stands beside it. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, runScript } from './run-handler.ts'

test('each text finds the picture that it describes among all', async () => {
  const { exitCode, stdout, stderr } = await runScript(join(ROOT, 'examples/image-search.ts'), [])
  expect(exitCode, stderr + stdout).toBe(0)
  const lines = stdout.trim().split('\n')
  expect(lines.map((line) => line.endsWith('   found'))).toEqual(Array.from({ length: 6 }, () => true))
}, 60_000)
