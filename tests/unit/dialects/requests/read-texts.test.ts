import { describe, expect, test } from 'vitest'
import {
  readIdLists,
  readStrings,
  readText,
  readTexts,
} from '../../../../src/dialects/requests/read-texts.ts'
import { FakeService } from '../../../fakes/service.ts'

function read(value: unknown, service = new FakeService()) {
  return readTexts(value, { field: 'input', service, options: {}, model: 'M', vocabulary: 'client' })
}

function refused(message: string, code = 'invalid_request') {
  return expect.objectContaining({ code, message })
}

const IMAGE_KEYS = ['image', 'image_url', 'url', 'bytes', 'audio', 'audio_url', 'pdf', 'video', 'video_url']

describe('texts', () => {
  test.each([
    ['a', ['a']],
    ['', ['']],
    [
      ['a', '', 'b'],
      ['a', '', 'b'],
    ],
    [{ text: 'a' }, ['a']],
    [{ content: 'a' }, ['a']],
    [
      [{ text: 'a', image: null }, 'b'],
      ['a', 'b'],
    ],
    [[{ content: 'a' }], ['a']],
    [[{ content: ['a', { type: 'text', text: 'b' }] }], ['a\nb']],
    [[{ text: 'a', content: 'b' }], ['a']],
    // where a text is from
    [[{ text: 'a', url: 'http://a' }], ['a']],
  ])('of %j are %j', async (value, texts) => {
    expect(await read(value)).toEqual(texts)
  })

  test('that are strings already are not copied', async () => {
    const texts = ['a', 'b']
    expect(await read(texts)).toBe(texts)
  })
})

describe('token ids', () => {
  const decoded = (ids: readonly (readonly number[])[], names: readonly string[]) => [
    {
      kind: 'decode',
      model: 'M',
      ids,
      names,
      vocabulary: 'client',
      skipSpecialTokens: true,
      purpose: 'embed',
    },
  ]

  test.each([
    [[1, 2], [[1, 2]], ['input'], ['1 2']],
    [[[1, 2]], [[1, 2]], ['input[0]'], ['1 2']],
    [
      [[1], [2, 3]],
      [[1], [2, 3]],
      ['input[0]', 'input[1]'],
      ['1', '2 3'],
    ],
    [
      ['a', [1], { text: 'b' }, [2, 3]],
      [[1], [2, 3]],
      ['input[1]', 'input[3]'],
      ['a', '1', 'b', '2 3'],
    ],
    [[0], [[0]], ['input'], ['0']],
  ])('%j are decoded once, and stand where they stood', async (value, ids, names, texts) => {
    const service = new FakeService()
    expect(await read(value, service)).toEqual(texts)
    expect(service.tasks).toEqual(decoded(ids, names))
  })

  test.each([
    [[1, -2], 'input[1] is -2; a token id must be a whole number, 0 or more'],
    [[1.5], 'input[0] is 1.5; a token id must be a whole number, 0 or more'],
    [[1, 'a'], 'input[1] is "a"; a token id must be a whole number, 0 or more'],
    [[1, [2]], 'input[1] is a list of 1; a token id must be a whole number, 0 or more'],
    [[[1], [2, null]], 'input[1][1] is null; a token id must be a whole number, 0 or more'],
    [[[1], []], 'input[1] is an empty list; at least one item is needed'],
    [['a', [[1]]], 'input[1][0] is a list of 1; a token id must be a whole number, 0 or more'],
  ])('%j are none', async (value, message) => {
    const service = new FakeService()
    await expect(read(value, service)).rejects.toEqual(refused(message))
    expect(service.tasks).toEqual([])
  })
})

describe('what is no text is refused', () => {
  test.each([
    [undefined, 'input is missing; it must be a string, a list of strings, or token ids'],
    [null, 'input is missing; it must be a string, a list of strings, or token ids'],
    [5, 'input is 5; it must be a string, a list of strings, or token ids'],
    [[], 'input is an empty list; at least one item is needed'],
    [['a', 5], ITEM('input[1] is 5')],
    [['a', null], ITEM('input[1] is null')],
    [[{}], ITEM('input[0] is an object')],
    [{}, ITEM('input is an object')],
    [[{ text: 5 }], ITEM('input[0] is an object')],
    [[{ content: [5] }], 'input[0].content[0] is 5; it must be a string'],
    [[{ content: [] }], 'input[0].content is an empty list; at least one item is needed'],
  ])('%j: %s', async (value, message) => {
    await expect(read(value)).rejects.toEqual(refused(message))
  })

  test.each(IMAGE_KEYS)('an item with "%s" by its kind', async (key) => {
    const message = `input[1] has "${key}"; text only is taken here`
    await expect(read(['a', { [key]: 'data:,' }])).rejects.toEqual(refused(message, 'wrong_task'))
  })

  test('an image beside a text too, for it would be left out in silence', async () => {
    const message = 'input[0] has "image"; text only is taken here'
    await expect(read([{ text: 'a', image: 'data:,' }])).rejects.toEqual(refused(message, 'wrong_task'))
  })

  test('a part of an item by its place', async () => {
    const message = 'input[0].content[0] has "image_url"; text only is taken here'
    const value = [{ content: [{ type: 'image_url', image_url: { url: 'x' } }] }]
    await expect(read(value)).rejects.toEqual(refused(message, 'wrong_task'))
  })
})

function ITEM(is: string): string {
  return `${is}; every item must be a string, an object with a "text", or a list of token ids`
}

describe('one text', () => {
  test.each([
    ['a', 'a'],
    ['', ''],
    [{ text: 'a' }, 'a'],
  ])('of %j is "%s"', (value, text) => {
    expect(readText(value, 'query')).toBe(text)
  })

  test.each([
    [undefined, 'query is missing; it must be a string'],
    [null, 'query is missing; it must be a string'],
    [5, 'query is 5; it must be a string'],
    [{ text: 5 }, 'query is an object; it must be a string'],
    [['a'], 'query is a list of 1; it must be a string'],
  ])('%j is none', (value, message) => {
    expect(() => readText(value, 'query')).toThrow(refused(message))
  })

  test('an image is none', () => {
    expect(() => readText({ image: 'x' }, 'query')).toThrow(
      refused('query has "image"; text only is taken here', 'wrong_task'),
    )
  })
})

describe('strings', () => {
  test('are a list or one', () => {
    expect(readStrings('a', 'texts')).toEqual(['a'])
    expect(readStrings(['a', ''], 'texts')).toEqual(['a', ''])
  })

  test.each([
    [undefined, 'texts is missing; it must be a list of strings'],
    [{}, 'texts is an object; it must be a list of strings'],
    [[], 'texts is an empty list; at least one item is needed'],
    [['a', {}], 'texts[1] is an object; every item must be a string'],
  ])('%j are none', (value, message) => {
    expect(() => readStrings(value, 'texts')).toThrow(refused(message))
  })

  test('a picture among them is what the task is not for', () => {
    expect(() => readStrings(['a', { image: 'AAAA' }], 'texts')).toThrow(
      refused('texts[1] has "image"; text only is taken here', 'wrong_task'),
    )
    expect(() => readStrings({ audio: 'AAAA' }, 'texts')).toThrow(
      refused('texts has "audio"; text only is taken here', 'wrong_task'),
    )
  })
})

describe('lists of ids', () => {
  test.each([
    [[1, 2], [{ name: 'ids', ids: [1, 2] }]],
    [
      [[1], [2]],
      [
        { name: 'ids[0]', ids: [1] },
        { name: 'ids[1]', ids: [2] },
      ],
    ],
  ])('of %j are %j', (value, lists) => {
    expect(readIdLists(value, 'ids')).toEqual(lists)
  })

  test.each([
    [undefined, 'ids is missing; it must be a list of token ids, or a list of such lists'],
    ['a', 'ids is "a"; it must be a list of token ids, or a list of such lists'],
    [[], 'ids is an empty list; at least one item is needed'],
    [[[1], 2], 'ids[1] is 2; every item must be a list of token ids'],
    [[[1], []], 'ids[1] is an empty list; at least one item is needed'],
    [['a'], 'ids[0] is "a"; a token id must be a whole number, 0 or more'],
  ])('%j are none', (value, message) => {
    expect(() => readIdLists(value, 'ids')).toThrow(refused(message))
  })
})
