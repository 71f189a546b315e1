/** Tokens and texts of ids, of the bundled model's tokenizer and a small one. */
import { fileURLToPath } from 'node:url'
import { Tokenizer as NativeTokenizer } from 'tokenizers'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'
import type { Token } from '../../../src/task.ts'
import type { Tokenizer } from '../../../src/tokenize/tokenizer.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'
import { BUNDLED_MODEL } from '../../open-model.ts'

const SMALL_MODEL = fileURLToPath(new URL('../../golden/bert/bert-mean-normalize/model', import.meta.url))
const NO_PROMPT = { text: '', pooled: true }
const WITHOUT = { prompt: NO_PROMPT, addSpecialTokens: false }
const SKIP = { skipSpecialTokens: true }
const KEEP = { skipSpecialTokens: false }
const WITH = { prompt: NO_PROMPT, addSpecialTokens: true }

const threads = new TokenizerThread()
let tokenizer: Tokenizer
let small: Tokenizer
beforeAll(async () => {
  tokenizer = await threads.open(tokenizerOf(await openFolder(BUNDLED_MODEL)))
  small = await threads.open(tokenizerOf(await openFolder(SMALL_MODEL)))
})
afterAll(() => threads.close())

function part(id: number, text: string, start: number): Token {
  return { id, text, special: false, start, stop: start + Array.from(text).length }
}

function added(id: number, text: string): Token {
  return { id, text, special: true, start: null, stop: null }
}

describe('tokens', () => {
  test('are the parts of the text as it was written, between special tokens without a place', async () => {
    expect(await tokenizer.tokenize(['Unaffable  CAFÉ'], WITH)).toStrictEqual([
      [
        added(101, '[CLS]'),
        part(14_477, 'Una', 0),
        part(20_961, 'ffa', 3),
        part(3468, 'ble', 6),
        part(7668, 'CAFÉ', 11),
        added(102, '[SEP]'),
      ],
    ])
  })

  test('come without special tokens where none are wanted, and an empty text has none', async () => {
    const [tokens, none] = await tokenizer.tokenize(['hello', ''], WITHOUT)
    expect(tokens).toStrictEqual([part(7592, 'hello', 0)])
    expect(none).toEqual([])
    expect((await tokenizer.tokenize([''], WITH))[0]).toHaveLength(2)
  })

  test('count places in Unicode characters, also after an emoji', async () => {
    const [tokens] = await tokenizer.tokenize(['😀 漢x 👍 end'], WITHOUT)
    expect(tokens).toStrictEqual([
      part(100, '😀', 0),
      part(1904, '漢', 2),
      part(1060, 'x', 3),
      part(100, '👍', 5),
      part(2203, 'end', 7),
    ])
  })

  test('take an accent written as a mark of its own, or half a surrogate pair, for a character', async () => {
    const [tokens] = await tokenizer.tokenize(['cafe\u0301 \ud83d dog'], WITHOUT)
    expect(tokens?.map(({ text, start }) => [text, start])).toEqual([
      ['cafe', 0],
      ['dog', 8],
    ])
  })

  test('of a special token that stands in the text are a part of it', async () => {
    const [tokens] = await tokenizer.tokenize(['a [SEP]'], WITHOUT)
    expect(tokens).toStrictEqual([part(1037, 'a', 0), part(102, '[SEP]', 2)])
  })

  test('of a prompt stand before those of the text, and places count from its beginning', async () => {
    const prompt = { text: 'query: ', pooled: false }
    expect(await tokenizer.tokenize(['cat', 'dog'], { prompt, addSpecialTokens: false })).toStrictEqual(
      ['cat', 'dog'].map((text) => [
        part(23_032, 'query', 0),
        part(1024, ':', 5),
        part(text === 'cat' ? 4937 : 3899, text, 7),
      ]),
    )
  })

  test('of each tokenizer are its own', async () => {
    const [tokens] = await small.tokenize(['a'], WITH)
    expect(tokens?.map(({ id, text }) => [id, text])).toEqual([
      [2, '[CLS]'],
      [expect.any(Number), 'a'],
      [3, '[SEP]'],
    ])
    expect(tokens?.[1]?.id).toBeLessThan(400)
  })

  test('of many texts are what each has alone, in their order', async () => {
    const texts = Array.from({ length: 1500 }, (_, index) => `text ${index} 😀 ${'x '.repeat(index % 300)}`)
    const together = await tokenizer.tokenize(texts, WITH)
    expect(together).toHaveLength(1500)
    for (const index of [0, 1, 1023, 1024, 1499]) {
      expect(together[index]).toEqual((await tokenizer.tokenize([texts[index] as string], WITH))[0])
    }
  })

  test('are not cut at what the model takes', async () => {
    const [tokens] = await tokenizer.tokenize(['word '.repeat(2000)], WITHOUT)
    expect(tokens).toHaveLength(2000)
    expect(tokens?.at(-1)).toStrictEqual(part(2773, 'word', 9995))
  })

  test('are refused where there are too many for one answer', async () => {
    const texts = Array.from({ length: 6 }, () => 'a '.repeat(131_072))
    expect((await tokenizer.tokenize(['a'], WITHOUT))[0]).toHaveLength(1)
    await expect(tokenizer.tokenize(texts, WITHOUT)).rejects.toMatchObject({
      code: 'request_too_large',
      message: 'texts 0 to 4 have 655360 tokens; a request to tokenize may have at most 524288',
    })
  })

  test('are read no further for a client that is gone', async () => {
    const texts = Array.from({ length: 6 }, () => 'a '.repeat(131_072))
    await expect(
      tokenizer.tokenize(texts, { ...WITHOUT, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'cancelled' })
    const controller = new AbortController()
    const ended = tokenizer.tokenize(texts, { ...WITHOUT, signal: controller.signal })
    controller.abort()
    // Read to the end, they would be refused as too many.
    await expect(ended).rejects.toMatchObject({ code: 'cancelled' })
  })
})

describe('texts of ids', () => {
  const hello = [101, 7592, 2088, 102]

  test('come with special tokens or without', async () => {
    expect(await tokenizer.decode([hello, [], [14_477, 20_961, 3468]], SKIP)).toEqual([
      'hello world',
      '',
      'unaffable',
    ])
    expect(await tokenizer.decode([hello], KEEP)).toEqual(['[CLS] hello world [SEP]'])
  })

  test('are those of the tokenizers library', async () => {
    const native = NativeTokenizer.fromFile(`${SMALL_MODEL}/tokenizer.json`)
    const ids = Array.from({ length: 400 }, (_, id) => id)
    expect(await small.decode([ids], KEEP)).toEqual([await native.decode(ids, false)])
  })

  test('keep their order where they are many', async () => {
    const lists = Array.from({ length: 2500 }, (_, index) => [1996 + index])
    const texts = await tokenizer.decode(lists, KEEP)
    expect(texts).toHaveLength(2500)
    expect(texts[2400]).toBe((await tokenizer.decode([lists[2400] as number[]], KEEP))[0])
  })

  // The library takes each of them for another id, or drops it.
  test.each([-1, 0.5, NaN, 30_522, 2 ** 32, 2 ** 32 + 7592, 1e300])(
    'are refused for %d, with its list and the limit',
    async (id) => {
      await expect(tokenizer.decode([[1], [7592, id]], SKIP)).rejects.toMatchObject({
        code: 'invalid_request',
        message: `list 1 holds ${id}, no id of the model: its ids lie between 0 and 30521`,
      })
    },
  )

  test('are refused for an id that only another tokenizer has', async () => {
    expect(await tokenizer.decode([[400]], SKIP)).toHaveLength(1)
    await expect(small.decode([[400]], SKIP)).rejects.toMatchObject({
      message: 'list 0 holds 400, no id of the model: its ids lie between 0 and 399',
    })
  })
})

describe('a thread that dies', () => {
  const FILE = new URL('../../fakes/dying-tokenizer-thread.ts', import.meta.url)
  let mortal: TokenizerThread
  afterEach(async () => {
    vi.unstubAllEnvs()
    await mortal.close()
  })

  async function openMortal(): Promise<Tokenizer> {
    vi.stubEnv('THREAD_DIES', 'yes')
    mortal = new TokenizerThread(FILE)
    return mortal.open(tokenizerOf(await openFolder(SMALL_MODEL)))
  }

  const CALLS: Readonly<Record<string, (opened: Tokenizer) => Promise<unknown>>> = {
    tokenize: (opened) => opened.tokenize(['a'], WITH),
    decode: (opened) => opened.decode([[7]], SKIP),
    chunks: (opened) =>
      opened.chunks(['a', 'b'], NO_PROMPT, {
        noun: 'text',
        firstIndex: 0,
        truncate: 'right',
        maxTokens: 16,
        vocabularySize: 400,
      }),
  }

  test.each(Object.keys(CALLS))('over %s is asked once more', async (name) => {
    const call = CALLS[name] as (opened: Tokenizer) => Promise<unknown>
    const opened = await openMortal()
    vi.unstubAllEnvs()
    expect(await call(opened)).toEqual(await call(small))
  })

  test('over the same call twice fails it', async () => {
    const opened = await openMortal()
    await expect(opened.tokenize(['a'], WITH)).rejects.toMatchObject({ code: 'thread_died' })
    vi.unstubAllEnvs()
    expect((await opened.tokenize(['a'], WITH))[0]).toHaveLength(3)
  })
})
