/** What becomes of a TokenizerSpec on the tokenizer thread. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readFile } from 'node:fs/promises'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { TokenizerSpec } from '../../../src/model/spec.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'
import type { RowOptions } from '../../../src/tokenize/tokenizer.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'
import { BUNDLED_MODEL } from '../../open-model.ts'
import { expectRefusal } from '../model/expect-refusal.ts'

const OPTIONS: RowOptions = {
  noun: 'text',
  firstIndex: 0,
  truncate: 'right',
  maxTokens: 256,
  vocabularySize: 30_522,
}

const threads = new TokenizerThread()
let spec: TokenizerSpec
beforeAll(async () => {
  spec = tokenizerOf(await openFolder(BUNDLED_MODEL))
})
afterAll(() => threads.close())

test('a tokenizer without a file is made of its content', async () => {
  const content = await readFile(spec.file, 'utf8')
  const made = await threads.open({ ...spec, file: '/nowhere/vocab.txt', content })
  const prompt = { text: '', pooled: true }
  const text = ['The café ## [SEP] dog']
  const [expected, actual] = await Promise.all(
    [await threads.open(spec), made].map((tokenizer) => tokenizer.texts(text, prompt, OPTIONS)),
  )
  expect(actual).toEqual(expected)
})

test('content that is no tokenizer is refused by the name of the vocabulary', async () => {
  const opening = () => threads.open({ ...spec, file: '/some/vocab.txt', content: '{}' })
  await expectRefusal(opening, 'model_invalid', 'vocab.txt cannot be used')
})

test.each([
  [true, [0, 0, 0, 1, 1]],
  [undefined, [0, 0, 0, 1, 1]],
  [false, [0, 0, 0, 0, 0]],
])('the second text of a pair has type 1 only where types are passed on (%j)', async (passesTypes, types) => {
  const { passesTypes: _, ...rest } = spec
  const tokenizer = await threads.open(passesTypes === undefined ? rest : { ...rest, passesTypes })
  const { ids, typeStarts } = await tokenizer.pairs(['a'], ['b'], OPTIONS)
  expect(Array.from(ids, (_id, index) => (index < (typeStarts[0] ?? NaN) ? 0 : 1))).toEqual(types)
  expect([...ids]).toEqual([101, 1037, 102, 1038, 102])
})

test('a tokenizer that adds a token which the model lacks is refused with both numbers', async () => {
  const opening = () => threads.open({ ...spec, vocabularySize: 102 })
  await expectRefusal(opening, 'model_invalid', 'adds token id 102', 'below 102', 'does not belong')
  expect((await threads.open({ ...spec, vocabularySize: 103 })).joinsPairs).toBe(true)
})

const NO_PROMPT = { text: '', pooled: true }

async function idsOf(markers: readonly string[] | undefined, text: string): Promise<number[]> {
  const tokenizer = await threads.open(markers === undefined ? spec : { ...spec, markers })
  return [...(await tokenizer.texts([text], NO_PROMPT, OPTIONS)).ids]
}

test('a marker that the vocabulary knows is found whole in a text, by its first word if not by all of it', async () => {
  const broken = await idsOf(undefined, '[unused0] dog')
  expect(broken.length).toBeGreaterThan(4)
  // [unused0] is the second token of BERT's vocabulary.
  expect(await idsOf(['[unused0] '], '[unused0] dog')).toEqual([101, 1, 3899, 102])
  expect(await idsOf(['[unused0] x', ''], '[unused0] dog')).toEqual([101, 1, 3899, 102])
})

test('a marker that the vocabulary lacks stays text, and one that is a word of its own is not cut out of others', async () => {
  expect(await idsOf(['[Q] '], '[Q] dog')).toEqual(await idsOf(undefined, '[Q] dog'))
  expect(await idsOf(['dog: '], 'dogs and hotdogs')).toEqual(await idsOf(undefined, 'dogs and hotdogs'))
  expect(await idsOf(['dog '], 'dogs and hotdogs')).toEqual(await idsOf(undefined, 'dogs and hotdogs'))
})

test('a token that fills rows up and is not seen must not be what every text ends with', async () => {
  await expectRefusal(
    () => threads.open({ ...spec, unseenId: 102 }),
    'model_unsupported',
    'token id 102',
    'behind every text',
  )
  await threads.open({ ...spec, unseenId: 103 })
  const content = await readFile(spec.file, 'utf8')
  const open = JSON.stringify({ ...(JSON.parse(content) as object), post_processor: null })
  await expectRefusal(
    () => threads.open({ ...spec, content: open, unseenId: 103 }),
    'model_unsupported',
    'no token behind a text',
  )
})
