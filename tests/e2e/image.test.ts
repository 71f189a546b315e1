/** The files that the image gets, as a build would copy them: what its commands need must be among them. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT, runScript } from './run-handler.ts'

let image: string

beforeAll(() => {
  image = mkdtempSync(join(tmpdir(), 'image-'))
  for (const path of allowedPaths()) cpSync(join(ROOT, path), join(image, path), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(image, 'node_modules'))
})

afterAll(() => rmSync(image, { recursive: true }))

/** `.dockerignore` leaves out everything but what it names. */
function allowedPaths(): string[] {
  const [everything, ...allowed] = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n')
  expect(everything).toBe('*')
  return allowed.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
}

function run(script: string, ...args: string[]) {
  return runScript(join(image, script), args, { cwd: image, env: { MODEL_NAMES: '' } })
}

test('the program of its CMD runs the job that the build warms up with', async () => {
  expect(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')).toContain('\nCMD ["node", "handler.ts"]\n')
  const { exitCode, stdout } = await run('handler.ts')
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ output: { object: 'list' } })
})

test('a build without MODEL_NAMES bakes nothing', async () => {
  const { exitCode, stdout } = await run('tools/bake-models.ts')
  expect(exitCode).toBe(0)
  expect(stdout).toContain('nothing to bake')
})

test('the gateway of docker-compose.yml takes the flags that it is given there', async () => {
  const command = /command: \[node, (tools\/gateway\/main\.ts), (.*)\]/.exec(
    readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'),
  )
  const flags = (command?.[2] ?? '').split(', ').map((flag) => flag.replaceAll("'", ''))
  const { exitCode, stdout, stderr } = await run(command?.[1] ?? '', ...flags, '--help')
  expect(stderr).toBe('')
  expect(exitCode).toBe(0)
  expect(stdout).toContain('--worker-key')
})
