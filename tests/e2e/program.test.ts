/** `node handler.ts` as a process: output, exit codes, and what it says of a model folder that is broken. */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BUNDLED_MODEL } from '../open-model.ts'
import { ROOT, runHandler } from './run-handler.ts'

const TINY = join(ROOT, 'tests/golden/bert/bert-mean-normalize/model')
const RERANKER = join(ROOT, 'tests/golden/bert/bert-cross-encoder/model')

let scratch: string
beforeAll(() => (scratch = mkdtempSync(join(tmpdir(), 'worker-'))))
afterAll(() => rmSync(scratch, { recursive: true }))

/** A copy of a tiny model, to be damaged. */
function copyModel(name: string, from = TINY): string {
  const folder = join(scratch, name)
  cpSync(from, folder, { recursive: true })
  return folder
}

test('a run without anything embeds test_input.json with the bundled model and says so', async () => {
  const { exitCode, stdout, stderr } = await runHandler([])
  expect(exitCode).toBe(0)
  expect(stderr).toContain('bundled models/all-MiniLM-L6-v2-int8')
  const { output } = JSON.parse(stdout) as { output: { data: { embedding: number[] }[] } }
  expect(output.data.map(({ embedding }) => embedding.length)).toEqual([384, 384])
})

test('--test_input runs the job that it is given', async () => {
  const job = { input: { openai_route: '/v1/embeddings', openai_input: { input: 'Hello world' } } }
  const { exitCode, stdout } = await runHandler(['--test_input', JSON.stringify(job)])
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    output: [{ object: 'list', usage: { prompt_tokens: 2, total_tokens: 2 } }],
  })
})

test('a job that fails prints its error and exits with 1', async () => {
  const { exitCode, stdout } = await runHandler(['--test_input', '{"input":{"input":[]}}'])
  expect(exitCode).toBe(1)
  expect(JSON.parse(stdout)).toEqual({ error: 'input is an empty list; at least one item is needed' })
})

test('--test_input that is not JSON is one sentence and exit code 1', async () => {
  const { exitCode, stderr, stdout } = await runHandler(['--test_input', '{"input":'])
  expect(exitCode).toBe(1)
  expect(stdout).toBe('')
  expect(stderr).toContain('--test_input is not JSON')
})

test('a folder without test_input.json is one sentence and exit code 1', async () => {
  const { exitCode, stderr } = await runHandler([], {}, scratch)
  expect(exitCode).toBe(1)
  expect(stderr).toContain('test_input.json')
  expect(stderr).not.toContain('    at ')
})

test('--help tells flags and variables', async () => {
  const { exitCode, stdout } = await runHandler(['--help'])
  expect(exitCode).toBe(0)
  for (const name of ['--test_input', 'MODEL_NAMES', 'INFINITY_QUEUE_SIZE', 'DTYPES'])
    expect(stdout).toContain(name)
})

test('every configuration problem is listed at once, with exit code 2', async () => {
  const { exitCode, stderr } = await runHandler(['--nonsense'], { BATCH_SIZES: 'many', DTYPES: 'fp7' })
  expect(exitCode).toBe(2)
  for (const name of ['--nonsense', 'BATCH_SIZES', 'many', 'DTYPES', 'fp7']) expect(stderr).toContain(name)
})

test('several models are served side by side, each under its alias', async () => {
  const env = { MODEL_NAMES: `small=${TINY};ranker=${RERANKER};${BUNDLED_MODEL}`, BATCH_SIZES: '4;8;16' }
  const models = await runHandler(['--test_input', '{"input":{"openai_route":"/v1/models"}}'], env)
  const { output } = JSON.parse(models.stdout) as {
    output: { data: { id: string; stats: { batch_size: number } }[] }
  }
  expect(output.data.map(({ id, stats }) => [id, stats.batch_size])).toEqual([
    ['small', 4],
    ['ranker', 8],
    ['all-MiniLM-L6-v2-int8', 16],
  ])
  const job = '{"input":{"model":"other","input":"x"}}'
  const { exitCode, stdout } = await runHandler(['--test_input', job], env)
  expect(exitCode).toBe(1)
  expect(JSON.parse(stdout)).toEqual({
    error: 'model "other" is not served; models that can embed: small, all-MiniLM-L6-v2-int8',
  })
})

const DAMAGES: readonly [string, (folder: string) => void, RegExp][] = [
  [
    'truncated weights',
    (folder) => truncateSync(join(folder, 'model.safetensors'), 20_000),
    /model\.safetensors.*truncated/,
  ],
  ['no weights', (folder) => rmSync(join(folder, 'model.safetensors')), /neither model\.safetensors nor/],
  [
    'only weights of another format',
    (folder) => {
      rmSync(join(folder, 'model.safetensors'))
      writeFileSync(join(folder, 'tf_model.h5'), 'x')
    },
    /tf_model\.h5 only/,
  ],
  ['no tokenizer', (folder) => rmSync(join(folder, 'tokenizer.json')), /tokenizer\.json is missing/],
  [
    'a broken tokenizer',
    (folder) => writeFileSync(join(folder, 'tokenizer.json'), '{"model":1}'),
    /tokenizer\.json cannot be used/,
  ],
  [
    'config.json that is not JSON',
    (folder) => writeFileSync(join(folder, 'config.json'), '{"model_type"'),
    /config\.json is not JSON/,
  ],
  [
    'an unknown family',
    (folder) => writeFileSync(join(folder, 'config.json'), '{"model_type":"gpt9"}'),
    /"gpt9" is not supported; supported are: bert/,
  ],
  [
    'a layer too many',
    (folder) => editConfig(folder, { num_hidden_layers: 9 }),
    /tensor encoder\.layer\.\d+\..* is missing/,
  ],
  [
    'a layer too few',
    (folder) => editConfig(folder, { num_hidden_layers: 1 }),
    /this architecture lacks: encoder\.layer\.1/,
  ],
  [
    'a wrong width',
    (folder) => editConfig(folder, { intermediate_size: 7 }),
    /has shape \[.*\]; config\.json asks for \[7, /,
  ],
]

test.each(DAMAGES)('a folder with %s is refused in one sentence', async (name, damage, message) => {
  const folder = copyModel(name.replaceAll(' ', '-'))
  damage(folder)
  const { exitCode, stderr, stdout } = await runHandler([], { MODEL_NAMES: folder })
  expect(stderr).toMatch(message)
  expect(stderr.trim().split('\n').length).toBe(1)
  expect(stdout).toBe('')
  expect(exitCode).toBe(1)
})

test('a job of 100 kB on the command line runs, and the home folder stays as it was', async () => {
  const home = mkdtempSync(join(tmpdir(), 'home-'))
  const job = JSON.stringify({ input: { input: ['word '.repeat(20_000)] } })
  const { exitCode, stdout } = await runHandler(['--test_input', job], { HOME: home })
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ output: { object: 'list' } })
  expect(readdirSync(home)).toEqual([])
  rmSync(home, { recursive: true })
})

test('a program that ends while its threads still start ends in order, every time', async () => {
  for (let run = 0; run < 12; run++) expect((await runHandler(['--help'])).exitCode).toBe(0)
})

test('a reader that goes away ends the program quietly', async () => {
  const child = spawn(process.execPath, [join(ROOT, 'handler.ts')], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const exitCode = await new Promise((resolve) => child.on('close', resolve))
  expect(exitCode).toBe(0)
  expect(stderr).not.toContain('Error')
})

test('a config.json that is no file is refused', async () => {
  const folder = copyModel('no-file')
  rmSync(join(folder, 'config.json'))
  mkdirSync(join(folder, 'config.json'))
  const { exitCode, stderr } = await runHandler([], { MODEL_NAMES: folder })
  expect(exitCode).toBe(1)
  expect(stderr).toContain('not a regular file')
})

test('two models that would share a name are refused, with the way out', async () => {
  const { exitCode, stderr } = await runHandler([], { MODEL_NAMES: `${TINY};${RERANKER}` })
  expect(exitCode).toBe(1)
  expect(stderr).toContain('would both be served as "model"')
})

test('a GPU that is asked for is refused while there is no CUDA target', async () => {
  for (const env of [{ EXECUTION_PROVIDER: 'cuda' }, { DEVICES: '0' }]) {
    const { exitCode, stderr } = await runHandler([], env)
    expect(exitCode).toBe(1)
    expect(stderr).toContain('asks for a GPU')
  }
})

test('weights that are not numbers are an error, not data', async () => {
  const folder = copyModel('nan')
  const path = join(folder, 'model.safetensors')
  const bytes = readFileSync(path)
  const headerBytes = Number(bytes.readBigUInt64LE())
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { data_offsets: [number, number] }
  >
  const name = Object.keys(header).find((key) =>
    key.endsWith('encoder.layer.0.output.dense.weight'),
  ) as string
  const start = 8 + headerBytes + (header[name]?.data_offsets[0] ?? 0)
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.from([0, 0, 0xc0, 0x7f]), 0, 4, start)
  const { exitCode, stdout } = await runHandler([], { MODEL_NAMES: folder })
  expect(exitCode).toBe(1)
  expect((JSON.parse(stdout) as { error: string }).error).toMatch(/^text \d: .* not a finite number/)
})

test('a .env file in the working folder is not read in place of the program’s own', async () => {
  copyFileSync(join(ROOT, 'test_input.json'), join(scratch, 'test_input.json'))
  writeFileSync(join(scratch, '.env'), 'DTYPES=fp7\n')
  const { exitCode } = await runHandler([], {}, scratch)
  expect(exitCode).toBe(0)
})

function editConfig(folder: string, changes: object): void {
  const path = join(folder, 'config.json')
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...changes }))
}
