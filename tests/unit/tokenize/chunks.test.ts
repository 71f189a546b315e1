/** The chunks of a document as one row, with the bundled model's tokenizer. */
import { Tokenizer as NativeTokenizer } from 'tokenizers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'
import type { RowOptions, Tokenizer, TokenizedChunks } from '../../../src/tokenize/tokenizer.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'
import { BUNDLED_MODEL } from '../../open-model.ts'

const CLS = 101
const SEP = 102
const NO_PROMPT = { text: '', pooled: true }
const OPTIONS: RowOptions = {
  noun: 'text',
  firstIndex: 0,
  truncate: 'right',
  maxTokens: 256,
  vocabularySize: 30_522,
}
const CHUNKS = ['Berlin is the capital of Germany. ', 'Its population is 3.85 million. ', 'The city 😀 漢']

const native = NativeTokenizer.fromFile(`${BUNDLED_MODEL}/tokenizer.json`)
native.disableTruncation()
native.disablePadding()

const threads = new TokenizerThread()
let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = await threads.open(tokenizerOf(await openFolder(BUNDLED_MODEL)))
})
afterAll(() => threads.close())

async function idsOf(text: string): Promise<number[]> {
  return (await native.encode(text, null, { addSpecialTokens: false })).getIds()
}

function chunksOf({ ids, chunkBounds }: TokenizedChunks): number[][] {
  return Array.from({ length: chunkBounds.length - 1 }, (_, n) => [
    ...ids.subarray(chunkBounds[n], chunkBounds[n + 1]),
  ])
}

test('chunks follow each other in one row, each as it is tokenized alone', async () => {
  const row = await tokenizer.chunks(CHUNKS, NO_PROMPT, OPTIONS)
  const alone = await Promise.all(CHUNKS.map(idsOf))
  expect(chunksOf(row)).toEqual(alone)
  expect([...row.ids]).toEqual([CLS, ...alone.flat(), SEP])
  expect(row.chunkBounds[0]).toBe(1)
  expect([...row.bounds]).toEqual([0, row.ids.length])
  expect([...row.typeStarts]).toEqual([row.ids.length])
  expect([...row.unpooledTokens]).toEqual([0])
  expect([row.textTokens, row.truncatedRows]).toEqual([row.ids.length - 2, 0])
})

test('a word that ends in the next chunk is not joined', async () => {
  const row = await tokenizer.chunks(['unaff', 'able'], NO_PROMPT, OPTIONS)
  expect(chunksOf(row)).toEqual([await idsOf('unaff'), await idsOf('able')])
})

test('a prompt stands before the first chunk, counts, and belongs to none', async () => {
  const prompt = { text: 'passage: ', pooled: true }
  const row = await tokenizer.chunks(CHUNKS, prompt, OPTIONS)
  const promptIds = await idsOf('passage: ')
  const alone = await Promise.all(CHUNKS.map(idsOf))
  expect(chunksOf(row)).toEqual(alone)
  expect([...row.ids]).toEqual([CLS, ...promptIds, ...alone.flat(), SEP])
  expect(row.textTokens).toBe(row.ids.length - 2)
  expect([...row.unpooledTokens]).toEqual([0])
  const unpooled = await tokenizer.chunks(CHUNKS, { ...prompt, pooled: false }, OPTIONS)
  expect([...unpooled.unpooledTokens]).toEqual([1 + promptIds.length])
})

test('chunks of the very limit together are taken', async () => {
  const texts = ['x '.repeat(127), 'y '.repeat(127)]
  expect((await tokenizer.chunks(texts, NO_PROMPT, OPTIONS)).ids).toHaveLength(256)
})

test.each(['left', 'right', 'none'] as const)(
  'one token more is refused where truncation is %s: a chunk is never cut',
  async (truncate) => {
    const texts = ['x '.repeat(127), 'y '.repeat(128)]
    await expect(tokenizer.chunks(texts, NO_PROMPT, { ...OPTIONS, truncate })).rejects.toMatchObject({
      code: 'text_too_long',
      message:
        'the texts have 257 tokens together; the model takes 256, and chunks of a document are never cut',
    })
  },
)

test('the prompt counts in the limit', async () => {
  const texts = ['x '.repeat(127), 'y '.repeat(127)]
  await expect(tokenizer.chunks(texts, { text: 'z ', pooled: true }, OPTIONS)).rejects.toMatchObject({
    message: expect.stringMatching(/^the texts have 257 tokens together; the model takes 256,/),
  })
})

test('a lower limit of the client holds, and is named as its own', async () => {
  const options = { ...OPTIONS, clientMaxTokens: 10 }
  expect((await tokenizer.chunks(['x '.repeat(4), 'y '.repeat(4)], NO_PROMPT, options)).ids).toHaveLength(10)
  await expect(tokenizer.chunks(['x '.repeat(4), 'y '.repeat(5)], NO_PROMPT, options)).rejects.toMatchObject({
    code: 'text_too_long',
    message: expect.stringMatching(/^the texts have 11 tokens together; the request allows 10,/),
  })
  await expect(tokenizer.chunks(['x'], NO_PROMPT, { ...OPTIONS, clientMaxTokens: 2 })).rejects.toMatchObject({
    code: 'invalid_request',
    message:
      'a limit of 2 tokens leaves no room for text: the model adds 2 special tokens, so the least is 3',
  })
})

test('of far too many chunks no more is read than shows it, and their tokens are judged', async () => {
  const texts = Array.from({ length: 30 }, () => 'word '.repeat(12_000))
  await expect(tokenizer.chunks(texts, NO_PROMPT, OPTIONS)).rejects.toMatchObject({
    code: 'text_too_long',
    message: expect.stringMatching(/^the texts have about 360\d{3} tokens together; the model takes 256,/),
  })
})

test('so are the tokens of one chunk that is not read to its end', async () => {
  await expect(tokenizer.chunks(['word '.repeat(100_000)], NO_PROMPT, OPTIONS)).rejects.toMatchObject({
    message: expect.stringMatching(/^the texts have about (99|100)\d{3} tokens together;/),
  })
})

test.each(['', '  \n', '\u0000'])('a chunk without tokens (%j) is named', async (empty) => {
  const options = { ...OPTIONS, firstIndex: 5 }
  await expect(tokenizer.chunks(['one', 'two', empty, ''], NO_PROMPT, options)).rejects.toMatchObject({
    code: 'invalid_request',
    message: 'text 7 has no tokens; as a chunk of a document it needs one',
  })
})

test('an id past the vocabulary of the model is refused', async () => {
  await expect(
    tokenizer.chunks(['hello'], NO_PROMPT, { ...OPTIONS, vocabularySize: 7592 }),
  ).rejects.toMatchObject({ code: 'model_invalid' })
})
