import { expect, test } from 'vitest'
import { runOnce } from '../../../../src/transports/local/run-once.ts'
import type { JobResult } from '../../../../src/transports/runpod/job.ts'

const EMBEDDINGS = {
  model: 'm',
  data: [
    { index: 0, embedding: Float32Array.of(0.6, -0.8) },
    { index: 1, embedding: 'AACAPwAAAMA=' },
    { index: 2, embedding: { int8: Int8Array.of(3, 4), ubinary: 'AA==' } },
  ],
  usage: { prompt_tokens: 7 },
}

async function print(result: JobResult, readable: boolean): Promise<{ code: number; text: string }> {
  const lines: string[] = []
  const code = await runOnce({
    text: '{}',
    source: '--test_input',
    readable,
    run: async () => result,
    print: (line) => lines.push(line),
  })
  return { code, text: lines.join('\n') }
}

test('a script gets one line of JSON, vectors as lists of short numbers', async () => {
  const { code, text } = await print({ output: [{ embedding: Float32Array.of(0.1, 1) }] }, false)
  expect(text).toBe('{"output":[{"embedding":[0.1,1]}]}')
  expect(code).toBe(0)
})

test('a person is shown the first numbers of a vector, its width and its length', async () => {
  const { text } = await print({ output: EMBEDDINGS }, true)
  expect(text).toContain('model   m\n')
  expect(text).toContain('  [0]   [0.600000, -0.800000, …]  dim 2  norm 1.000000\n')
  expect(text).toContain('\ntokens  7\n')
})

test('a person is shown how many bytes a base64 text has, and each of several encodings', async () => {
  const { text } = await print({ output: [EMBEDDINGS] }, true)
  expect(text).toContain('  [1]   base64 of 8 bytes\n')
  expect(text).toContain(
    '  [2]   int8: [3.000000, 4.000000, …]  dim 2  norm 5.000000; ubinary: base64 of 1 bytes\n',
  )
})

test('a person is shown ten items and how many more there are', async () => {
  const data = Array.from({ length: 12 }, (_, index) => ({ index, embedding: Float32Array.of(1) }))
  const { text } = await print({ output: { data } }, true)
  expect(text).toContain('  [9]')
  expect(text).not.toContain('  [10]')
  expect(text).toContain('  … and 2 more\n')
})

test('a person is shown scores in their order, with the documents where they are there', async () => {
  const results = [
    { index: 1, relevance_score: 0.9, document: { text: 'b' } },
    { index: 0, relevance_score: 0.1 },
  ]
  const { text } = await print({ output: { results, model: 'm' } }, true)
  expect(text).toContain('  [1]   0.900000  {"text":"b"}\n  [0]   0.100000\n')
})

test.each<[string, unknown]>([
  ['a list of vectors', [[Float32Array.of(0.5)]]],
  ['a listing', { data: [{ id: 'm' }] }],
  ['results of another kind', { results: [{ label: 'a' }] }],
])('%s is shown as JSON', async (_, output) => {
  const { text } = await print({ output }, true)
  expect(text.startsWith('[') || text.startsWith('{')).toBe(true)
  expect(text).not.toContain('tokens')
})

test('a failed job is an exit code of 1, and its error', async () => {
  expect(await print({ error: 'no' }, true)).toEqual({ code: 1, text: 'FAILED\nno' })
  expect(await print({ error: 'no' }, false)).toEqual({ code: 1, text: '{"error":"no"}' })
})

test('a job that is not JSON is refused with where it came from', async () => {
  const run = runOnce({
    text: '{',
    source: '--test_input',
    readable: false,
    run: async () => ({ output: 1 }),
    print: () => {},
  })
  await expect(run).rejects.toThrow('--test_input is not JSON: ')
})
