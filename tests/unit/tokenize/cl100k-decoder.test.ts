import { Tiktoken } from 'js-tiktoken/lite'
import ranks from 'js-tiktoken/ranks/cl100k_base'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { Cl100kDecoder } from '../../../src/tokenize/cl100k-decoder.ts'

const tiktoken = new Tiktoken(ranks)
const decoder = new Cl100kDecoder()
afterAll(() => decoder.close())

test('lists of ids become the texts that they were made from', async () => {
  expect(await decoder.decode([[15339, 1917], [], [2028, 374, 264, 1296, 2246, 13]])).toEqual([
    'hello world',
    '',
    'This is a test document.',
  ])
})

test('characters that are several ids come back whole', async () => {
  const texts = ['東京都は日本の首都です。', '👩‍👩‍👧‍👦 😀🎉', 'Ünïcödé e\u0301', '한국어 \u0000 \r\n\t', '𝒳𝒴 ж']
  const ids = texts.map((text) => tiktoken.encode(text))
  expect(ids[1]?.length).toBeGreaterThan(8)
  expect(await decoder.decode(ids)).toEqual(texts)
})

test('of a character that a list begins or ends inside of, a replacement character stays', async () => {
  const [first, ...rest] = tiktoken.encode('🎉')
  expect(rest.length).toBeGreaterThan(0)
  expect(await decoder.decode([[15339, first as number]])).toEqual(['hello\ufffd'])
})

test('special ids become their names', async () => {
  expect(
    await decoder.decode([
      [15339, 100257],
      [100258, 100259, 100260, 100276],
    ]),
  ).toEqual(['hello<|endoftext|>', '<|fim_prefix|><|fim_middle|><|fim_suffix|><|endofprompt|>'])
})

test('every ordinary id is known', async () => {
  const ids = Array.from({ length: 100_256 }, (_, id) => id)
  expect(await decoder.decode([ids])).toEqual([tiktoken.decode(ids)])
})

test.each([-1, 1.5, NaN, 100_256, 100_261, 100_275, 100_277, 2 ** 32, 2 ** 32 + 15_339, 2 ** 53])(
  '%d is refused with its list, itself and the limit',
  async (id) => {
    await expect(decoder.decode([[1], [], [2], [3, id, 4]])).rejects.toMatchObject({
      code: 'invalid_request',
      message: `list 3 holds ${id}, no id of cl100k_base: its ids lie between 0 and 100276`,
    })
  },
)

test('lists past the first that cross are numbered as the client numbers them, and keep their order', async () => {
  const lists = Array.from({ length: 3000 }, (_, index) => tiktoken.encode(`text ${index}`))
  const texts = await decoder.decode(lists)
  expect(texts).toEqual(lists.map((_, index) => `text ${index}`))
  await expect(decoder.decode([...lists, [-7]])).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringMatching(/^list 3000 holds -7,/),
  })
})

test('lists are called in errors what the client calls them', async () => {
  await expect(decoder.decode([[1], [-7]], { names: ['input', 'texts[4]'] })).rejects.toMatchObject({
    message: expect.stringMatching(/^texts\[4\] holds -7,/),
  })
})

test('nothing is decoded for a client that is gone', async () => {
  await expect(decoder.decode([[1]], { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'cancelled',
  })
})

describe('its thread', () => {
  const FILE = new URL('../../fakes/dying-cl100k-thread.ts', import.meta.url)
  afterEach(() => vi.unstubAllEnvs())

  test('is started by the first call, and a call that it dies over is made once more', async () => {
    const mortal = new Cl100kDecoder(FILE)
    vi.stubEnv('THREAD_DIES', 'yes')
    const texts = mortal.decode([[15339, 1917]])
    vi.unstubAllEnvs()
    expect(await texts).toEqual(['hello world'])
    expect(await mortal.decode([[15339]])).toEqual(['hello'])
    await mortal.close()
  })

  test('does not come up before the first call, and a call that kills it twice fails', async () => {
    const mortal = new Cl100kDecoder(FILE)
    vi.stubEnv('THREAD_DIES', 'yes')
    await expect(mortal.decode([[15339]])).rejects.toMatchObject({ code: 'thread_died' })
    vi.unstubAllEnvs()
    expect(await mortal.decode([[15339]])).toEqual(['hello'])
    await mortal.close()
  })

  test('never comes up once the decoder is closed', async () => {
    const closed = new Cl100kDecoder(FILE)
    await closed.close()
    await expect(closed.decode([[1]])).rejects.toMatchObject({ code: 'stopping' })
  })

  test('ends with the decoder, after the calls under way', async () => {
    const closing = new Cl100kDecoder(FILE)
    const ended: string[] = []
    const texts = closing.decode([[15339]]).then((decoded) => ended.push(...decoded))
    await closing.close()
    expect(ended).toEqual(['hello'])
    await texts
    await expect(closing.decode([[1]])).rejects.toMatchObject({ code: 'stopping' })
  })
})
