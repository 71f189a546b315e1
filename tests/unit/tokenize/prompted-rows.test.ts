/** Pairs that a prompt asks about, cut in every way; whole ones are compared with the reference in tests/golden. */
import { join } from 'node:path'
import { Tokenizer as NativeTokenizer } from 'tokenizers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TokenizerSpec } from '../../../src/model/spec.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { RowOptions, TokenizedRows, Tokenizer } from '../../../src/tokenize/tokenizer.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'

const GOLDEN = join(import.meta.dirname, '../../golden/lmrerank')
const LIMIT = 320
const OPTIONS: RowOptions = {
  noun: 'document',
  firstIndex: 0,
  truncate: 'right',
  maxTokens: LIMIT,
  vocabularySize: 432,
}
const SIDES = {
  first: { name: 'query', maxTokens: undefined },
  second: { name: 'document', maxTokens: undefined },
}
const LONG =
  'Every evening the keeper climbed the stairs, counted ships 🚢 and drank coffee by the sea. '.repeat(30)
const END = '<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n'

const threads = new TokenizerThread()
let qwen: Tokenizer
let mxbai: Tokenizer
let native: NativeTokenizer
beforeAll(async () => {
  const open = async (name: string): Promise<TokenizerSpec> =>
    tokenizerOf(await openFolder(join(GOLDEN, name, 'model')))
  const spec = await open('qwen3-reranker')
  qwen = await threads.open(spec)
  mxbai = await threads.open(await open('mxbai-rerank'))
  native = NativeTokenizer.fromFile(spec.file)
  native.disableTruncation()
})
afterAll(() => threads.close())

async function pair(
  tokenizer: Tokenizer,
  [query, document]: readonly [string, string],
  options: Partial<RowOptions> = {},
): Promise<TokenizedRows> {
  return tokenizer.pairs([query], [document], { ...OPTIONS, ...options })
}

async function read(rows: TokenizedRows): Promise<string> {
  const [text = ''] = await native.decodeBatch([[...rows.ids]], false)
  return text
}

const askedOf = (text: string) => text.slice(text.indexOf('<Instruct>'))

test('a client’s instruction takes the place of the model’s own', async () => {
  const text = await read(await pair(qwen, ['q', 'd'], { instruction: 'Is it $& {query}?' }))
  expect(askedOf(text)).toBe(`<Instruct>: Is it $& {query}?\n<Query>: q\n<Document>: d${END}`)
  expect(await read(await pair(mxbai, ['q', 'd'], { instruction: 'Be kind' }))).toContain(
    'user\ninstruction: Be kind\nquery: q\ndocument: d\nYou are',
  )
  expect(await read(await pair(mxbai, ['q', 'd']))).toContain('user\nquery: q\ndocument: d\nYou are')
})

test('texts may hold the marks of the prompt', async () => {
  const text = await read(await pair(qwen, ['{document}', '{query} $1']))
  expect(askedOf(text)).toContain('<Query>: {document}\n<Document>: {query} $1<')
})

test('blanks at the ends of texts are left out where the model’s authors leave them out, and else kept', async () => {
  const zerank = await threads.open(tokenizerOf(await openFolder(join(GOLDEN, 'zerank', 'model'))))
  expect(await read(await pair(zerank, [' q\n', '\n d ']))).toContain(
    'system\nq<|im_end|>\n<|im_start|>user\nd<',
  )
  expect(await read(await pair(qwen, [' q', ' d ']))).toContain('<Query>:  q\n<Document>:  d <')
})

test('an instruction that a prompt has no place for goes before the query', async () => {
  const zerank = await threads.open(tokenizerOf(await openFolder(join(GOLDEN, 'zerank', 'model'))))
  expect(await read(await pair(zerank, ['q', 'd'], { instruction: 'Judge:' }))).toContain('system\nJudge: q<')
})

test('one query is for all documents, or each has its own', async () => {
  for (const tokenizer of [qwen, mxbai]) {
    const documents = ['one', 'another', 'a third one']
    const shared = await tokenizer.pairs(['q'], documents, OPTIONS)
    const each = await tokenizer.pairs(['q', 'q', 'q'], documents, OPTIONS)
    expect(shared).toEqual(each)
    const other = await tokenizer.pairs(['q', 'r', 'q'], documents, OPTIONS)
    expect(other.ids).not.toEqual(each.ids)
    const alone = await pair(tokenizer, ['r', 'another'])
    expect(other.ids.subarray(other.bounds[1], other.bounds[2])).toEqual(alone.ids)
  }
})

test('a document that is cut loses its end, and the prompt keeps its own', async () => {
  for (const tokenizer of [qwen, mxbai]) {
    const rows = await pair(tokenizer, ['what?', LONG])
    const text = await read(rows)
    expect([rows.ids.length, rows.truncatedRows]).toEqual([LIMIT, 1])
    expect(text).toMatch(/(<Document>|document): Every evening the keeper climbed/)
    expect(text.endsWith(tokenizer === qwen ? END : 'Relevance:<|im_end|>\n<|im_start|>assistant\n')).toBe(
      true,
    )
  }
})

test('cut from the left it loses its beginning, and the query stays whole', async () => {
  for (const tokenizer of [qwen, mxbai]) {
    const document = `${LONG}The very end`
    const rows = await pair(tokenizer, ['what is it?', document], { truncate: 'left' })
    const text = await read(rows)
    expect(rows.ids.length).toBeGreaterThan(LIMIT - 8)
    expect(rows.ids.length).toBeLessThanOrEqual(LIMIT)
    expect(text).toMatch(/(<Query>|query): what is it\?\n/)
    expect(text).toContain(`The very end${tokenizer === qwen ? END : '\nYou are'}`)
    expect(text).not.toMatch(/(<Document>|document): Every evening/)
  }
})

test('a query that is too long by itself leaves the end of the prompt', async () => {
  const rows = await pair(qwen, [LONG, 'd'])
  expect((await read(rows)).endsWith(END)).toBe(true)
  expect(rows.ids.length).toBe(LIMIT)
})

test('a query in a piece of its own leaves a quarter of the room to the document', async () => {
  const text = await read(await pair(mxbai, [LONG, LONG]))
  expect(text).toContain('\ndocument: Every evening')
})

test('a query that is over its share of the room is cut in the open, or refused, however short its document', async () => {
  const count = async (text: string) => (await pair(mxbai, [text, ''], { maxTokens: 4096 })).ids.length
  const query = 'sea '.repeat(60)
  expect(await count(query)).toBeLessThan(LIMIT)
  const rows = await pair(mxbai, [query, 'd'])
  expect(rows.truncatedRows).toBe(1)
  expect(rows.ids.length).toBeLessThan(await count(query))
  const options = { truncate: 'none', firstIndex: 7 } as const
  for (const document of ['d', LONG]) {
    await expect(pair(mxbai, [query, document], options)).rejects.toMatchObject({
      code: 'text_too_long',
      message: expect.stringMatching(
        /^the query of document 7 has \d+ tokens with .* a query may take \d+, and truncation is off$/,
      ),
    })
  }
  const whole = await pair(mxbai, [query.slice(0, 120), 'd'], options)
  expect([whole.truncatedRows, await read(whole)]).toEqual([0, expect.stringContaining(query.slice(0, 120))])
})

test('sides are cut to what the client allows of each', async () => {
  const texts = ['one two three four five six', 'seven eight nine ten 🚢🚢🚢'] as const
  const count = async (text: string) =>
    (await native.encode(text, null, { addSpecialTokens: false })).getLength()
  for (const truncate of ['right', 'left'] as const) {
    const sides = { first: { ...SIDES.first, maxTokens: 4 }, second: { ...SIDES.second, maxTokens: 5 } }
    const rows = await pair(qwen, texts, { truncate, sides })
    const [, query = '', document = ''] =
      /<Query>: (.*)\n<Document>: (.*)<\|im_end\|>/.exec(await read(rows)) ?? []
    expect(rows.truncatedRows).toBe(1)
    expect(await count(query)).toBe(4)
    expect(await count(document)).toBeLessThanOrEqual(6)
    const [first, second] = texts
    expect(truncate === 'right' ? first.startsWith(query) : first.endsWith(query)).toBe(true)
    expect(truncate === 'right' ? second.startsWith(document) : second.endsWith(document)).toBe(true)
  }
})

test('sides that fit are left alone', async () => {
  const sides = { first: { ...SIDES.first, maxTokens: 50 }, second: { ...SIDES.second, maxTokens: 50 } }
  const rows = await pair(qwen, ['one two', 'three'], { sides })
  expect(rows).toEqual(await pair(qwen, ['one two', 'three']))
  expect(rows.truncatedRows).toBe(0)
})

test('with truncation off, a pair or a side that is too long is named', async () => {
  const options = { truncate: 'none', firstIndex: 7 } as const
  await expect(pair(qwen, ['q', LONG], options)).rejects.toMatchObject({
    code: 'text_too_long',
    message: expect.stringMatching(/^document 7 has \d+ tokens; the model takes 320 and truncation is off$/),
  })
  const sides = { ...SIDES, first: { name: 'query', maxTokens: 2 } }
  await expect(pair(qwen, ['one two three four', 'd'], { ...options, sides })).rejects.toMatchObject({
    code: 'text_too_long',
    message: expect.stringContaining('the query of document 7 has'),
  })
})

test('a limit that the prompt alone fills is refused with the least that is not', async () => {
  const bare = (await pair(qwen, ['', ''])).ids.length
  await expect(pair(qwen, ['q', 'd'], { clientMaxTokens: bare })).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining(`the least is ${bare + 1}`),
  })
  expect((await pair(qwen, ['q', 'd'], { clientMaxTokens: bare + 1 })).ids.length).toBe(bare + 1)
})

test('an instruction that leaves no room for texts is refused', async () => {
  const instruction = 'count ships '.repeat(200)
  await expect(pair(qwen, ['q', 'd'], { instruction })).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringMatching(
      /^the instruction leaves no room .* has \d{3,} tokens; the model takes 320$/,
    ),
  })
})

test('a model whose prompt alone fills its rows is refused when it is opened', async () => {
  const tokenizer = tokenizerOf(await openFolder(join(GOLDEN, 'qwen3-reranker', 'model')))
  await expect(threads.open({ ...tokenizer, maxTokens: 50 })).rejects.toMatchObject({
    code: 'model_invalid',
    message: expect.stringContaining('leaves no room in rows of 50'),
  })
})

test('tokens of the texts are counted without the prompt', async () => {
  expect((await pair(qwen, ['', ''])).textTokens).toBe(0)
  const bare = (await pair(mxbai, ['', ''])).ids.length
  const rows = await pair(mxbai, ['what is it?', 'It is a long way.'])
  expect(rows.textTokens).toBe(rows.ids.length - bare)
})

test('a megabyte is not read to its end, and gives the same as its beginning', async () => {
  const rows = await pair(qwen, ['q', LONG.repeat(400)])
  expect(rows.ids).toEqual((await pair(qwen, ['q', LONG])).ids)
  const end = await pair(qwen, ['q', `${LONG.repeat(400)}The very end`], { truncate: 'left' })
  expect(await read(end)).toContain(`The very end${END}`)
})
