/** Measurements as processes of their own: what they find is kept, whatever becomes of them. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { listFixtures, readFixture } from '../../../bench/gpu/fixtures.ts'
import { measureGolden } from '../../../bench/gpu/measure-golden.ts'
import { Results } from '../../../bench/gpu/results.ts'
import { fixturesLeft } from '../../../bench/gpu/run-all.ts'
import type { Finding } from '../../../bench/gpu/rows.ts'
import { runTask, taskOf } from '../../../bench/gpu/run-task.ts'
import { TaskRunner } from '../../../bench/gpu/task-runner.ts'
import { countTokens, makeTexts } from '../../../bench/gpu/texts.ts'
import { makeRandomModel } from '../../../tools/make-random-model.ts'
import { SHAPES } from '../../../tools/random-model/shapes.ts'
import { makeFolder } from '../model/model-folder.ts'

const SAY = "const say = (finding) => require('node:fs').writeSync(3, JSON.stringify(finding) + '\\n');"

async function runCode(code: string, limitSeconds = 30): Promise<Finding[]> {
  const findings: Finding[] = []
  const command = [process.execPath, '-e', `${SAY}${code}`] as const
  await runTask({ name: 'test', command, env: { COLOUR: 'red' }, limitSeconds }, (finding) =>
    findings.push(finding),
  )
  return findings
}

test('a process that ends by itself is heard to its end, with the environment of its task', async () => {
  expect(
    await runCode("say({ kind: 'begin', fixture: process.env.COLOUR }); say({ kind: 'about' })"),
  ).toEqual([{ kind: 'begin', fixture: 'red' }, { kind: 'about' }])
})

test('of a process that crashes all that it found is kept, and what it printed last', async () => {
  const code =
    "say({ kind: 'about' }); console.error('CUDA failure 700'); process.kill(process.pid, 'SIGSEGV')"
  const findings = await runCode(code)
  expect(findings[0]).toEqual({ kind: 'about' })
  expect(findings[1]).toMatchObject({ kind: 'problem', outcome: 'crashed' })
  expect(findings[1]).toMatchObject({ reason: expect.stringMatching(/^signal SIGSEGV.*CUDA failure 700/) })
  expect(findings).toHaveLength(2)
})

test('a process that says itself why it failed is not said to have crashed too', async () => {
  const problem = { kind: 'problem', outcome: 'failed', reason: 'no such model' } as const
  expect(await runCode(`say(${JSON.stringify(problem)}); process.exitCode = 1`)).toEqual([problem])
})

test('an exit code without a word is a crash', async () => {
  expect(await runCode('process.exitCode = 3')).toEqual([
    { kind: 'problem', outcome: 'crashed', reason: 'exit code 3' },
  ])
})

test('a process that hangs is killed with all that it started, and keeps what it found', async () => {
  const heldOpen = "require('node:child_process').spawn('sleep', ['600'], { stdio: 'inherit' });"
  const findings = await runCode(`say({ kind: 'about' }); ${heldOpen} setInterval(() => {}, 1000)`, 1)
  expect(findings[0]).toEqual({ kind: 'about' })
  expect(findings[1]).toMatchObject({ kind: 'problem', outcome: 'timed out' })
})

test('a program that is not there is a finding', async () => {
  const findings: Finding[] = []
  const command = ['/nowhere/python3', 'peer.py'] as const
  await runTask({ name: 'test', command, env: {}, limitSeconds: 5 }, (finding) => findings.push(finding))
  expect(findings).toMatchObject([
    { kind: 'problem', outcome: 'failed', reason: expect.stringContaining('ENOENT') },
  ])
})

test('speed is measured through the engine, and every token of the texts is counted once', async () => {
  const scratch = await makeFolder()
  const folder = join(scratch, 'tiny-bert')
  const textsFile = join(scratch, 'texts.json')
  const vectorsFile = join(scratch, 'vectors.f32')
  await makeRandomModel(folder, { shape: 'tiny-bert', dtype: 'fp16', seed: 1 })
  const sets = makeTexts({ mixed: 32, '128': 32, '512': 4 })
  writeFileSync(textsFile, JSON.stringify(sets))
  const settings = { EXECUTION_PROVIDER: 'cpu', BATCH_SIZES: '16' }
  const measured = { sets: ['mixed', '512'], roundSeconds: 0.001, rounds: 2, queries: 3 } as const
  const job = {
    kind: 'speed',
    shape: 'tiny-bert',
    folder,
    settings,
    textsFile,
    vectorsFile,
    ...measured,
  } as const
  const findings: Finding[] = []
  await runTask(taskOf('speed', job, { limitSeconds: 110 }), (finding) => findings.push(finding))
  expect(findings.map(({ kind }) => kind)).toEqual(['speed', 'speed', 'query', 'memory'])
  const tokens = countTokens(SHAPES['tiny-bert'], sets.mixed).reduce((sum, count) => sum + count, 0)
  expect(findings[0]).toMatchObject({ set: 'mixed', texts: 32, tokens, batchSize: 16, provider: 'cpu' })
  expect(findings[1]).toMatchObject({ set: '512', texts: 4, tokens: 2048, rounds: 2 })
  expect(findings[2]).toMatchObject({ count: 3, p50: expect.any(Number), jobP50: expect.any(Number) })
  expect(readFileSync(vectorsFile).length).toBe(32 * 64 * 4)
}, 120_000)

test('a fixture is measured in what it ran in; one that cannot run is a finding, and the next is measured', async () => {
  const findings: Finding[] = []
  const settings = { EXECUTION_PROVIDER: 'cpu', DTYPES: 'fp16' }
  const fixtures = ['bert/none', 'bert/bert-prompts', 'bert/bert-cross-encoder']
  await measureGolden({ kind: 'golden', fixtures, settings }, (finding) => findings.push(finding))
  const [, failed, , prompts, , scores] = findings
  expect(failed).toMatchObject({ kind: 'problem', outcome: 'failed', fixture: 'bert/none' })
  expect(prompts).toMatchObject({ fixture: 'bert/bert-prompts', dtypeRequested: 'fp16', dtype: 'fp32' })
  expect(prompts).toMatchObject({ maxDiff: expect.closeTo(0, 5), minCosine: expect.closeTo(1, 6) })
  expect(scores).toMatchObject({ family: 'bert', maxDiff: expect.closeTo(0, 5) })
  expect(scores).not.toHaveProperty('minCosine', expect.any(Number))
})

test('after a crash the fixtures behind the one at fault are left, and never the same ones again', () => {
  const begin = (fixture: string) => ({ kind: 'begin', fixture }) as const
  expect(fixturesLeft(['a', 'b', 'c', 'd'], [begin('a'), begin('b')])).toEqual(['c', 'd'])
  expect(fixturesLeft(['a', 'b'], [begin('a'), begin('b')])).toEqual([])
  expect(fixturesLeft(['a', 'b'], [])).toEqual(['b'])
})

describe('a task', () => {
  async function openRunner(secondsLeft: number) {
    const results = new Results(join(await makeFolder(), 'run.json'), {})
    const stop = new AbortController()
    const deadline = Date.now() + secondsLeft * 1000
    const options = { deadline, signal: stop.signal, print: () => {}, leastSeconds: 0.1 }
    return { results, stop, runner: new TaskRunner(results, options) }
  }
  const hang = [process.execPath, '-e', `${SAY} say({ kind: 'about' }); setInterval(() => {}, 1000)`] as const
  const task = { name: 'slow', command: hang, env: {}, limitSeconds: 600 }

  test('that finds no time left, or a run that was told to stop, is not started, and said', async () => {
    const late = await openRunner(0)
    expect(await late.runner.run(task)).toBeUndefined()
    expect(late.results.rows).toMatchObject([
      { task: 'slow', outcome: 'skipped', reason: 'no time was left' },
    ])
    const stopped = await openRunner(600)
    stopped.stop.abort()
    expect(await stopped.runner.run(task)).toBeUndefined()
    expect(stopped.results.rows).toMatchObject([{ outcome: 'skipped', reason: 'the run was told to stop' }])
  })

  test('that the end of the run cuts off is not to blame; one that takes longer than it may is', async () => {
    const cut = await openRunner(2)
    await cut.runner.run(task)
    expect(cut.results.rows.at(-1)).toMatchObject({
      outcome: 'skipped',
      reason: expect.stringContaining('cut off'),
    })
    const slow = await openRunner(600)
    await slow.runner.run({ ...task, limitSeconds: 1 })
    expect(slow.results.rows.at(-1)).toMatchObject({ task: 'slow', outcome: 'timed out' })
  })
})

test('every fixture is found, and the bundled model', () => {
  const fixtures = listFixtures()
  expect(fixtures.length).toBeGreaterThan(30)
  expect(fixtures).toContain('bert/bert-cls')
  expect(readFixture('bundled.json').golden.cases.length).toBeGreaterThan(0)
})

test('rows are on disk as they come, and in one report at the end', async () => {
  const path = join(await makeFolder(), 'results/run.json')
  const results = new Results(path, { machine: 'test' })
  results.add({ task: 'golden', kind: 'begin', fixture: 'a' })
  results.add({
    task: 'start',
    kind: 'start',
    model: 'm',
    dtypeRequested: 'fp16',
    firstMs: 1.23456789,
    laterMs: [2],
  })
  const lines = readFileSync(results.linesPath, 'utf8').trim().split('\n')
  expect(lines.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual([
    'about-run',
    'begin',
    'start',
  ])
  results.finish({ machine: 'test', seconds: 3 })
  const { rows, ...about } = JSON.parse(readFileSync(path, 'utf8')) as { rows: unknown[] }
  expect(about).toEqual({ machine: 'test', seconds: 3 })
  expect(rows).toMatchObject([{ task: 'start', firstMs: 1.23457 }])
  expect(existsSync(results.linesPath)).toBe(false)
})

test('without a GPU nothing is measured, the exit code is 2, and --cpu is named', async () => {
  const check = fileURLToPath(new URL('../../../bench/gpu/check.ts', import.meta.url))
  // -1 hides whatever GPU the machine has
  const env = { ...process.env, CUDA_VISIBLE_DEVICES: '-1' }
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    execFile(process.execPath, [check], { env }, (error, _, stderr) => resolve({ code: error?.code, stderr }))
  })
  expect(code).toBe(2)
  expect(stderr).toContain('no GPU')
  expect(stderr).toContain('--cpu')
})
