/** The tokenizer thread on the bundled model, against the tokenizers library reading each text whole. */
import { Tokenizer as NativeTokenizer } from 'tokenizers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ModelSpec } from '../../../src/model/spec.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { RowOptions, Tokenizer } from '../../../src/tokenize/tokenizer.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'
import { BUNDLED_MODEL } from '../../open-model.ts'

const CLS = 101
const SEP = 102
const MAX_TOKENS = 256
const NO_PROMPT = { text: '', pooled: true }
const OPTIONS: RowOptions = {
  noun: 'text',
  firstIndex: 0,
  truncate: 'right',
  maxTokens: MAX_TOKENS,
  vocabularySize: 30_522,
}

const native = NativeTokenizer.fromFile(`${BUNDLED_MODEL}/tokenizer.json`)
native.disableTruncation()
native.disablePadding()

const threads = new TokenizerThread()
let spec: ModelSpec
let tokenizer: Tokenizer
beforeAll(async () => {
  spec = await openFolder(BUNDLED_MODEL)
  tokenizer = await threads.open(tokenizerOf(spec))
})
afterAll(() => threads.close())

const wholeTexts = new Map<string, number[]>()

async function wholeIds(text: string): Promise<number[]> {
  const known = wholeTexts.get(text)
  if (known !== undefined) return known
  const ids = (await native.encode(text, null, { addSpecialTokens: false })).getIds()
  wholeTexts.set(text, ids)
  return ids
}

async function idsOf(text: string, options: Partial<RowOptions> = {}): Promise<number[]> {
  return [...(await tokenizer.texts([text], NO_PROMPT, { ...OPTIONS, ...options })).ids]
}

/** What is expected of a text longer than the limit. */
async function cutIds(text: string, side: 'left' | 'right', maxTokens = MAX_TOKENS): Promise<number[]> {
  const ids = await wholeIds(text)
  const room = maxTokens - 2
  return [CLS, ...(side === 'right' ? ids.slice(0, room) : ids.slice(Math.max(0, ids.length - room))), SEP]
}

/** Texts of many windows, each with something awkward wherever a window may end. */
const LONG_TEXTS: readonly (readonly [string, string])[] = [
  ['words', 'the quick brown fox jumps over the lazy dog '.repeat(400)],
  ['numbered words', Array.from({ length: 4000 }, (_, index) => `item${index}`).join(' ')],
  ['one word after the other without a space', 'unbelievable,'.repeat(1500)],
  ['Chinese', '自然语言处理是人工智能的一个重要方向。'.repeat(600)],
  ['Korean, whose letters fall apart', '안녕하세요반갑습니다'.repeat(700).replaceAll(/(.{40})/g, '$1 ')],
  ['emoji, all of them surrogate pairs', '😀🎉'.repeat(5000)],
  ['pairs moved by one', `x${'𝒳𝒴,'.repeat(4000)}`],
  ['accents written as marks of their own', 'e\u0301a\u0300 '.repeat(3000)],
  ['words of 101 characters', `${'a'.repeat(101)} `.repeat(200)],
  [
    'words of 100 characters',
    Array.from({ length: 200 }, (_, index) => `${'zq'.repeat(49)}${index % 90}`).join(' '),
  ],
  ['words of 101 characters between others', `${'xy'.repeat(50)}z then two `.repeat(200)],
  ['one endless word', 'ab'.repeat(20_000)],
  ['an endless word, then words', `${'ab'.repeat(20_000)} ${'and so on '.repeat(2000)}`],
  ['words, then an endless word', `${'and so on '.repeat(2000)}${'ab'.repeat(20_000)}`],
  ['a desert of spaces between words', `start ${' '.repeat(50_000)} ${'end '.repeat(5000)}`],
  ['special tokens', 'one [SEP] two [MASK] three '.repeat(1000)],
  ['control characters', 'a\u0000b\u0007c\ufffd d\u00ade\u200b '.repeat(2000)],
]

describe.each(['right', 'left'] as const)('a long text, cut on the %s', (truncate) => {
  test.each(LONG_TEXTS)('of %s gives the ids that the whole text would', async (_, text) => {
    expect(await idsOf(text, { truncate })).toEqual(await cutIds(text, truncate))
  })

  test.each([3, 16, 512])('gives them for a limit of %i tokens', async (maxTokens) => {
    for (const [, text] of LONG_TEXTS) {
      expect(await idsOf(text, { truncate, maxTokens })).toEqual(await cutIds(text, truncate, maxTokens))
    }
  })

  test('gives them wherever the window ends', async () => {
    for (let shift = 0; shift < 40; shift++) {
      const pad = 'y'.repeat(shift)
      const body = `${'semi-automatic 😀漢字 '.repeat(20)}${'q'.repeat(99)} `.repeat(14)
      const text = truncate === 'right' ? pad + body : body + pad
      expect(await idsOf(text, { truncate })).toEqual(await cutIds(text, truncate))
    }
  })

  test('of four million characters gives them too', async () => {
    const text = 'alpha beta gamma '.repeat(246_723).slice(0, 4_194_304)
    const edge = truncate === 'right' ? text.slice(0, 20_000) : text.slice(-20_000)
    expect(await idsOf(text, { truncate })).toEqual(await cutIds(edge, truncate))
  })
})

/** `tokens` tokens on lines of their own, `characters` long: words of more than a hundred characters are one token. */
function lines(tokens: number, characters: number): string {
  const longWords = Math.min(tokens, Math.floor((characters - 2 * tokens) / 100))
  const words = Array.from({ length: tokens }, (_, index) => 'q'.repeat(index < longWords ? 101 : 1))
  const missing = characters - words.join('\n').length
  return words.join('\n').padStart(missing + words.join('\n').length, 'q')
}

// A window is cut at a space, where there is one: here is none. A cut that leaves up to a hundred characters of a word
// makes up to a hundred tokens of it, where the whole word is one.
describe('a window that ends inside a word, just before the last token that is needed', () => {
  test.each([
    { maxTokens: 16, windowCharacters: 4096 },
    { maxTokens: 256, windowCharacters: 6144 },
  ])('does not show in the ids, for a limit of $maxTokens', async ({ maxTokens, windowCharacters }) => {
    const word = 'ж'.repeat(300)
    const rest = 'a\n'.repeat(1500)
    for (let inside = 0; inside <= 104; inside += 2) {
      const near = lines(maxTokens - 3, windowCharacters - 1 - inside)
      const right = `${near}\n${word}\n${rest}`
      expect(await idsOf(right, { maxTokens })).toEqual(await cutIds(right, 'right', maxTokens))
      const left = `${rest}${word}\n${near}`
      const options = { maxTokens, truncate: 'left' } as const
      expect(await idsOf(left, options)).toEqual(await cutIds(left, 'left', maxTokens))
    }
  })
})

describe('short texts', () => {
  test('together give what each gives alone, and tokens are counted without the special ones', async () => {
    const texts = ['Hello world', '', 'The capital of France is Paris.', '東京 é 😀', 'x '.repeat(300)]
    const rows = await tokenizer.texts(texts, NO_PROMPT, OPTIONS)
    const alone = await Promise.all(texts.map((text) => cutIds(text, 'right')))
    expect([...rows.ids]).toEqual(alone.flat())
    expect(rows.textTokens).toBe(alone.flat().length - 2 * texts.length)
    expect((await tokenizer.texts(['Hello world'], NO_PROMPT, OPTIONS)).textTokens).toBe(2)
  })

  test('the limit and padding of tokenizer.json itself do not apply', async () => {
    expect(await idsOf('one two')).toHaveLength(4)
    expect(await idsOf('word '.repeat(200))).toHaveLength(202)
  })

  test('a prompt goes before each text and counts', async () => {
    const prompt = { text: 'query: ', pooled: true }
    const rows = await tokenizer.texts(['cat', 'dog'], prompt, OPTIONS)
    expect([...rows.ids]).toEqual([
      ...(await cutIds('query: cat', 'right')),
      ...(await cutIds('query: dog', 'right')),
    ])
    expect(rows.textTokens).toBe(6)
    expect([...rows.unpooledTokens]).toEqual([0, 0])
  })

  test('of a prompt that is not pooled, the opening special token and its own are left out', async () => {
    const rows = await tokenizer.texts(['cat'], { text: 'query: ', pooled: false }, OPTIONS)
    expect([...rows.unpooledTokens]).toEqual([3])
  })
})

test('a bare row has the tokens of its text alone, cut as another is, and may have none', async () => {
  const options = { ...OPTIONS, isBare: true, clientMaxTokens: 2 }
  const rows = await tokenizer.texts(['cat dog bird', ''], NO_PROMPT, options)
  expect([...rows.ids]).toEqual((await wholeIds('cat dog bird')).slice(0, 2))
  expect([rows.bounds.join(), rows.textTokens, rows.truncatedRows]).toEqual(['0,2,2', 2, 1])
})

describe('truncation off', () => {
  const options = { ...OPTIONS, truncate: 'none', firstIndex: 7 } as const

  test('a text of the very limit is taken', async () => {
    expect(await idsOf('x '.repeat(254), options)).toHaveLength(256)
  })

  test('one token more is refused with the item, its tokens and the limit', async () => {
    const texts = ['short', 'x '.repeat(255)]
    await expect(tokenizer.texts(texts, NO_PROMPT, options)).rejects.toMatchObject({
      code: 'text_too_long',
      message: 'text 8 has 257 tokens; the model takes 256 and truncation is off',
    })
  })

  test('so is a text of many windows, its tokens judged from the part that was read', async () => {
    await expect(tokenizer.texts(['x '.repeat(100_000)], NO_PROMPT, options)).rejects.toMatchObject({
      code: 'text_too_long',
      message: expect.stringMatching(/^text 7 has about (99|100)\d{3} tokens; the model takes 256/),
    })
  })
})

describe('pairs', () => {
  test('are framed as the tokenizers library frames them, with its token types', async () => {
    const documents = ['Paris is its capital.', '', 'a b c']
    const query = await tokenizer.query('What is the capital?', OPTIONS)
    const rows = await tokenizer.pairs(query, documents, OPTIONS)
    let textTokens = 0
    for (const [b, document] of documents.entries()) {
      const whole = await native.encode('What is the capital?', document)
      const ids = rows.ids.subarray(rows.bounds[b], rows.bounds[b + 1])
      expect([...ids]).toEqual(whole.getIds())
      expect(Array.from(ids, (_, index) => (index < (rows.typeStarts[b] ?? 0) ? 0 : 1))).toEqual(
        whole.getTypeIds(),
      )
      textTokens += whole.getLength() - 3
    }
    expect(rows.textTokens).toBe(textTokens)
  })

  test('of first texts of their own give the same as a query that all share', async () => {
    const documents = ['one', 'two words']
    const shared = await tokenizer.pairs(await tokenizer.query('q', OPTIONS), documents, OPTIONS)
    expect(await tokenizer.pairs(['q', 'q'], documents, OPTIONS)).toEqual(shared)
  })
})

// Both sides are longer than half the room, so that their true lengths say which of them keeps one token more: that is
// asked of a side as far as it may be read at all.
describe('pairs of long texts', () => {
  const first = 'q '.repeat(3000)

  /** Tokens that a query and a document may have. */
  function capped(query?: number, document?: number) {
    const first = { name: 'query', maxTokens: query }
    return { sides: { first, second: { name: 'document', maxTokens: document } } }
  }

  async function sidesOf(second: string, options: Partial<RowOptions>): Promise<[number, number]> {
    const asked = { ...OPTIONS, ...options }
    const { ids, bounds, typeStarts } = await tokenizer.pairs(
      await tokenizer.query(first, asked),
      [second],
      asked,
    )
    expect([...bounds]).toEqual([0, ids.length])
    const start = typeStarts[0] as number
    return [start - 2, ids.length - start - 1]
  }

  test('are cut to what a client allows of the row and of each side', async () => {
    const second = 'd '.repeat(8000)
    expect(await sidesOf(second, {})).toEqual([126, 127])
    expect(await sidesOf(second, { clientMaxTokens: 64 })).toEqual([30, 31])
    expect(await sidesOf(second, capped(20))).toEqual([20, 233])
    expect(await sidesOf(second, capped(undefined, 20))).toEqual([233, 20])
    expect(await sidesOf(second, capped(20, 30))).toEqual([20, 30])
  })

  test('are compared by their true lengths, where the part that is read would mislead', async () => {
    // 500 tokens in the first thousand characters, then a word of 101 characters for each: a thousand in all.
    const second = 'd '.repeat(500) + `${'z'.repeat(101)} `.repeat(600)
    expect(await sidesOf(second, {})).toEqual([127, 126])
  })

  test('keep the extra token on the side that is longer, cut to its own limit', async () => {
    expect(await sidesOf('d '.repeat(8000), capped(200))).toEqual([126, 127])
    expect(await sidesOf('d '.repeat(8000), capped(undefined, 200))).toEqual([127, 126])
  })
})

test('a tokenizer whose thread was closed takes no more texts', async () => {
  const closed = new TokenizerThread()
  const opened = await closed.open(tokenizerOf(spec))
  await closed.close()
  await expect(opened.texts(['a'], NO_PROMPT, OPTIONS)).rejects.toMatchObject({ code: 'stopping' })
})
