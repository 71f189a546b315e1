/** What of a vector can be asked for, and tokens: computed here from what the plain route gives. */
import { describe, expect, test } from 'vitest'
import type { Vectors } from './dialect-server.ts'
import { EMBEDDER, dot, expectClose, lengthOf, serveDialects } from './dialect-server.ts'

const { post, ask, embed } = serveDialects()

describe('token ids', () => {
  test('on OpenAI’s route are those of cl100k', async () => {
    const ids = [
      [2028, 374, 264, 1296, 2246, 13],
      [15339, 1917],
    ]
    expectClose(await embed(ids), await embed(['This is a test document.', 'hello world']))
    expectClose(await embed([15339, 1917]), await embed('hello world'))
    expectClose(await embed([[15339, 1917], 'hello world']), await embed(['hello world', 'hello world']))
  })

  test('on TEI’s are the model’s own, as /tokenize gives them', async () => {
    const inputs = ['hello world', 'Größe']
    const tokens = (await ask('/tokenize', { inputs, model: EMBEDDER })) as { id: number }[][]
    const ids = tokens.map((row) => row.map(({ id }) => id))
    expect(ids[0]).toEqual([101, 7592, 2088, 102])
    expectClose((await ask('/embed', { inputs: ids })) as Vectors, await embed(inputs))
    expectClose(await embed(ids, { token_vocab: 'native' }), await embed(inputs))
  })

  test('that no vocabulary has are the client’s mistake', async () => {
    for (const [path, body] of [
      ['/v1/embeddings', { input: [[9_999_999]] }],
      ['/v1/embeddings', { input: [1e300] }],
      ['/embed', { inputs: [[9_999_999]] }],
      ['/embed', { inputs: [[2 ** 40]] }],
      ['/decode', { ids: [1e300], model: EMBEDDER }],
      ['/decode', { ids: [2 ** 32 + 101], model: EMBEDDER }],
    ] as const) {
      const { status, body: told } = await post(path, body)
      expect(status, `${path} ${JSON.stringify(body)}: ${JSON.stringify(told)}`).toBe(400)
    }
  })
})

describe('the numbers of a vector', () => {
  const TEXT = 'A sentence of some length, to be embedded.'

  test('have unit length, or with normalize false the length that they had', async () => {
    const [plain = []] = await embed(TEXT)
    expect(lengthOf(plain)).toBeCloseTo(1, 5)
    for (const [raw = []] of [
      await embed(TEXT, { normalize: false }),
      (await ask('/embed', { inputs: TEXT, normalize: false })) as Vectors,
    ]) {
      const length = lengthOf(raw)
      expect(Math.abs(length - 1)).toBeGreaterThan(0.01)
      expectClose([raw.map((value) => value / length)], [plain])
    }
  })

  test('with normalize false are the mean of the tokens that /embed_all gives', async () => {
    const [tokens = []] = (await ask('/embed_all', { inputs: TEXT })) as number[][][]
    const mean = (tokens[0] ?? []).map(
      (_, d) => tokens.reduce((sum, token) => sum + (token[d] ?? NaN), 0) / tokens.length,
    )
    const [raw = []] = await embed(TEXT, { normalize: false })
    expect(Math.max(...mean.map((value, d) => Math.abs(value - (raw[d] ?? NaN))))).toBeLessThan(1e-5)
  })

  test('may be fewer, and then have unit length again', async () => {
    const [plain = []] = await embed(TEXT)
    const start = plain.slice(0, 64)
    const expected = start.map((value) => value / lengthOf(start))
    for (const fields of [{ dimensions: 64 }, { output_dimension: '64' }]) {
      expectClose(await embed(TEXT, fields), [expected])
    }
    expectClose(await embed(TEXT, { dimensions: 384 }), [plain])
    const { status, body } = await post('/v1/embeddings', { input: TEXT, dimensions: 385 })
    expect(status).toBe(400)
    expect(JSON.stringify(body)).toContain('dimensions is 385')
  })

  test('may be bytes: of the largest number each, with and without a sign', async () => {
    const [plain = []] = await embed(TEXT)
    const numbers = plain.map(Math.fround)
    const largest = Math.max(...numbers.map(Math.abs))
    const int8 = numbers.map((value) => Math.round((127 * value) / largest) + 0)
    const [signed = []] = await embed(TEXT, { encoding_format: 'int8' })
    expect(signed).toEqual(int8)
    expect(Math.max(...signed.map(Math.abs))).toBe(127)
    expect(await embed(TEXT, { embedding_type: 'uint8' })).toEqual([int8.map((value) => value + 128)])
    const packed = { output_dtype: 'int8', encoding_format: 'base64' }
    const [base64] = (await embed(TEXT, packed)) as unknown as string[]
    expect([...new Int8Array(Buffer.from(base64 ?? '', 'base64'))]).toEqual(int8)
  })

  test('may be bits: eight to a byte, the first the highest, one for what is above zero', async () => {
    const [plain = []] = await embed(TEXT)
    const bytes = Array.from({ length: plain.length / 8 }, (_, byte) =>
      Number.parseInt(
        plain
          .slice(byte * 8, byte * 8 + 8)
          .map((value) => (value > 0 ? '1' : '0'))
          .join(''),
        2,
      ),
    )
    expect(await embed(TEXT, { encoding_format: 'ubinary' })).toEqual([bytes])
    expect(await embed(TEXT, { encoding_type: 'binary' })).toEqual([bytes.map((byte) => byte - 128)])
  })
})

describe('late chunking', () => {
  const CHUNKS = ['Berlin is the capital of Germany.', 'Its river is the Spree.']

  test('averages the tokens of each chunk, read with the others in view', async () => {
    const late = await embed(CHUNKS, { late_chunking: true })
    const [tokens = []] = (await ask('/embed_all', { inputs: CHUNKS.join(' ') })) as number[][][]
    const counts = (
      (await ask('/tokenize', {
        inputs: CHUNKS,
        add_special_tokens: false,
        model: EMBEDDER,
      })) as unknown[][]
    ).map((row) => row.length)
    expect(tokens).toHaveLength((counts[0] ?? 0) + (counts[1] ?? 0) + 2)
    let from = 1
    for (const [chunk, count] of counts.entries()) {
      const own = tokens.slice(from, from + count)
      from += count
      const mean = (own[0] ?? []).map((_, d) => own.reduce((sum, token) => sum + (token[d] ?? NaN), 0))
      const expected = mean.map((value) => value / lengthOf(mean))
      const difference = Math.max(...expected.map((value, d) => Math.abs(value - (late[chunk]?.[d] ?? NaN))))
      expect(difference).toBeLessThan(1e-5)
    }
    expect(late).toHaveLength(2)
  })

  test('makes other vectors than each chunk alone', async () => {
    const [late, alone] = [await embed(CHUNKS, { late_chunking: true }), await embed(CHUNKS)]
    const cosine = dot(late[1], alone[1])
    expect(cosine).toBeLessThan(0.99)
    expect(cosine).toBeGreaterThan(0.3)
  })
})

describe('tokens', () => {
  test('have places in Unicode characters', async () => {
    const text = '😀 Hello, 👩🏽‍🚀 wörld'
    const [tokens = []] = (await ask('/tokenize', { inputs: text, model: EMBEDDER })) as {
      text: string
      special: boolean
      start: number | null
      stop: number | null
    }[][]
    const characters = Array.from(text)
    expect(tokens.map(({ special }) => special)).toEqual([
      true,
      ...Array(tokens.length - 2).fill(false),
      true,
    ])
    for (const { special, start, stop, text: part } of tokens) {
      if (special) expect([start, stop]).toEqual([null, null])
      else expect(characters.slice(start ?? 0, stop ?? 0).join('')).toBe(part)
    }
    expect(tokens.map(({ text: part }) => part)).toEqual(expect.arrayContaining(['Hello', ',', 'wörld']))
  })

  test('become texts again', async () => {
    const ids = [
      [101, 7592, 2088, 102],
      [7592, 1010, 2088],
    ]
    const model = EMBEDDER
    expect(await ask('/decode', { ids, model })).toEqual(['hello world', 'hello, world'])
    expect(await ask('/decode', { ids: ids[0], model, skip_special_tokens: false })).toEqual([
      '[CLS] hello world [SEP]',
    ])
  })

  test('have a vector each, special ones included', async () => {
    const inputs = ['hello world', 'a']
    const rows = (await ask('/embed_all', { inputs })) as number[][][]
    expect(rows.map((row) => row.length)).toEqual([4, 3])
    expect(new Set(rows.flat().map((token) => token.length))).toEqual(new Set([384]))
  })
})
