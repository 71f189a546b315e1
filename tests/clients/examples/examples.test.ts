/** Every program of examples/, as its README says, against a server. LiteLLM's configuration: see python/litellm_proxy.py. */
import { execFile, spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Program } from '../../start-program.ts'
import { KEY, plainVectors, serve } from '../serve.ts'

const EXAMPLES = join(import.meta.dirname, '../../../examples')
const pythons = (process.env['CLIENTS_PYTHON'] ?? 'python3').split(':')

let server: Program
let first: string

beforeAll(async () => {
  server = await serve()
  const [vector = []] = await plainVectors(server.found, ['Hello world'])
  first = String(vector[0]).slice(0, 7)
})

afterAll(() => server.stop())

async function run(command: string, file: string): Promise<string> {
  const env = { ...process.env, EMBEDDINGS_URL: server.found, EMBEDDINGS_KEY: KEY }
  return (await promisify(execFile)(command, [join(EXAMPLES, file)], { env })).stdout
}

test('every program is tested here', () => {
  // image-search.ts has a test of its own, and what trains its model asks no server.
  const programs = globSync('*/*.{sh,ts,py}', { cwd: EXAMPLES, exclude: ['shapes-clip'] }).toSorted()
  expect(programs).toEqual([
    'curl/requests.sh',
    'openai/embed.py',
    'openai/embed.ts',
    'runpod/jobs.py',
    'runpod/jobs.sh',
    'runpod/jobs.ts',
  ])
})

test('curl/requests.sh', async () => {
  const lines = (await run('sh', 'curl/requests.sh')).trim().split('\n')
  const [floats, base64, reranked, byType, vectors, list] = lines.map((line) => JSON.parse(line) as never)
  expect(floats).toMatchObject({ data: [{ index: 0 }, { index: 1 }], usage: { total_tokens: 5 } })
  expect(base64).toMatchObject({ data: [{ embedding: expect.stringMatching(/^[\w+/=]{344}$/) }] })
  expect(reranked).toMatchObject({ results: [{ document: { text: expect.any(String) } }] })
  expect(byType).toMatchObject({ embeddings: { float: [expect.any(Array)], int8: [expect.any(Array)] } })
  expect(vectors).toEqual([expect.arrayContaining([expect.any(Number)])])
  expect(list).toEqual([0, 1].map(() => ({ index: expect.any(Number), score: expect.any(Number) })))
})

test.each(['openai/embed.ts', 'runpod/jobs.ts'])('%s', async (file) =>
  expectVectors(file, await run(process.execPath, file)),
)

test.for([
  ['openai/embed.py', 'openai'],
  ['runpod/jobs.py', 'runpod'],
] as const)('%s', async ([file, name], { skip }) => {
  const python = pythons.find((command) => spawnSync(command, ['-c', `import ${name}`]).status === 0)
  if (python === undefined) skip(`${name} is not installed in ${pythons.join(':')}`)
  else expectVectors(file, await run(python, file))
})

test('runpod/jobs.sh', async () => {
  const jobs = (await run('sh', 'runpod/jobs.sh')).trim().split('\n')
  const [embedded, reranked] = jobs.map((line) => JSON.parse(line) as never)
  expect(embedded).toMatchObject({ status: 'COMPLETED', output: { data: [{ index: 0 }, { index: 1 }] } })
  expect(reranked).toMatchObject({
    status: 'COMPLETED',
    output: { scores: [expect.any(Number), expect.any(Number)] },
  })
})

function expectVectors(file: string, output: string): void {
  expect(output).toMatch(/^0 384 /m)
  expect(output).toContain(first)
  if (file.startsWith('runpod')) expect(output).toMatch(/scores[\s\S]*COMPLETED|COMPLETED[\s\S]*scores/)
}
