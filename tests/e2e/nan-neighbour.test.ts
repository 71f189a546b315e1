/** A row that computes NaN spoils the matrix products of its batch; its neighbours must be answered all the same. */
import { cpSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OpenModel, openModel } from '../open-model.ts'
import { ROOT } from './run-handler.ts'

const SOURCE = join(ROOT, 'tests/golden/bert/bert-mean-normalize/model')

let scratch: string
let sound: OpenModel
let damaged: OpenModel

const GOOD_TEXTS = ['hello', 'a small dog', 'the sea', 'x', 'many words in one text']
const BAD_TEXT = 'question'

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'nan-'))
  cpSync(SOURCE, scratch, { recursive: true })
  sound = await openModel(SOURCE)
  const options = {
    noun: 'text',
    firstIndex: 0,
    truncate: 'right',
    maxTokens: 64,
    vocabularySize: 100_000,
  } as const
  const idsOf = async (texts: readonly string[]) =>
    (await sound.tokenizer.texts(texts, { text: '', pooled: true }, options)).ids
  const others = await idsOf(GOOD_TEXTS)
  const own = (await idsOf([BAD_TEXT])).find((id) => !others.includes(id)) as number
  spoilWord(join(scratch, 'model.safetensors'), own)
  damaged = await openModel(scratch)
})
afterAll(async () => {
  await Promise.all([sound?.close(), damaged?.close()])
  rmSync(scratch, { recursive: true })
})

test('one text that computes NaN fails alone, in a batch with the requests of others', async () => {
  const embed = (model: OpenModel, texts: readonly string[]) =>
    model.engine.embed({ kind: 'embed', model: undefined, texts })
  const requests = [
    embed(damaged, GOOD_TEXTS),
    embed(damaged, ['hello', BAD_TEXT]),
    embed(damaged, ['the sea']),
  ]
  const [first, bad, last] = await Promise.allSettled(requests)
  const expected = await embed(sound, GOOD_TEXTS)
  if (first?.status !== 'fulfilled') throw new Error('the good request failed')
  // Batches differ from run to run, and rounding with them.
  const differences = [...expected.vectors].map((value, i) =>
    Math.abs(value - (first.value.vectors[i] ?? NaN)),
  )
  expect(Math.max(...differences)).toBeLessThanOrEqual(1e-6)
  expect(last?.status).toBe('fulfilled')
  expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'non_finite_output' } })
  expect(bad?.status === 'rejected' && (bad.reason as Error).message).toMatch(/^text 1: /)
})

/** Writes a NaN into the embedding of one word. */
function spoilWord(path: string, id: number): void {
  const bytes = readFileSync(path)
  const headerBytes = Number(bytes.readBigUInt64LE())
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { data_offsets: [number, number]; shape: [number, number] }
  >
  const name = Object.keys(header).find((key) => key.endsWith('word_embeddings.weight')) as string
  const {
    data_offsets: [start],
    shape,
  } = header[name] as { data_offsets: [number, number]; shape: [number, number] }
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.from([0, 0, 0xc0, 0x7f]), 0, 4, 8 + headerBytes + start + id * shape[1] * 4)
}
