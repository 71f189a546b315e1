/** Every spelling of an image or of audio. */
import { describe, expect, test } from 'vitest'
import { readItems } from '../../../../src/dialects/requests/read-texts.ts'
import { FakeService } from '../../../fakes/service.ts'

type Modality = 'image' | 'audio' | undefined

const HTTP = 'http://a.test/x'
const BYTES = Uint8Array.of(251, 255, 254)
const BASE64 = '+//+'
const URI = `data:image/png;base64,${BASE64}`
const FILE = { bytes: BYTES }
const ADDRESS = { url: HTTP }

function read(value: unknown, modality?: Modality, service = new FakeService(), maxBytes = 1000) {
  return readItems(value, {
    field: 'input',
    service,
    options: {},
    model: 'M',
    vocabulary: 'client',
    media: { modality, maxBytes },
  })
}

function refused(message: string, code = 'invalid_request') {
  return expect.objectContaining({ code, message })
}

function item(modality: 'image' | 'audio', source: object, name = 'input[0]') {
  return { modality, name, source }
}

describe('texts', () => {
  test('alone are the list that came', async () => {
    const texts = ['a', 'b', URI]
    expect(await read(texts)).toBe(texts)
  })

  test('may stand in objects, in parts, and beside images and token ids', async () => {
    const value = [
      'a',
      { text: 'b' },
      { image: HTTP },
      [1, 2],
      { content: [{ text: 'c' }, 'd'] },
      { content: 'e' },
    ]
    expect(await read(value)).toEqual(['a', 'b', item('image', ADDRESS, 'input[2]'), '1 2', 'c\nd', 'e'])
  })

  test('stay texts in objects where strings are images', async () => {
    expect(await read([{ text: 'a' }, HTTP], 'image')).toEqual(['a', item('image', ADDRESS, 'input[1]')])
  })

  test('may tell where they are from', async () => {
    expect(await read([{ text: 'a', url: HTTP }])).toEqual(['a'])
  })
})

describe('an object', () => {
  test.each([
    [{ image: HTTP }, 'image', ADDRESS],
    [{ image: URI }, 'image', FILE],
    [{ image: BASE64 }, 'image', FILE],
    [{ image: { url: HTTP } }, 'image', ADDRESS],
    [{ image_url: HTTP }, 'image', ADDRESS],
    [{ image_url: { url: URI, detail: 'low' } }, 'image', FILE],
    [{ type: 'image_url', image_url: { url: HTTP } }, 'image', ADDRESS],
    [{ image_base64: URI }, 'image', FILE],
    [{ url: HTTP }, 'image', ADDRESS],
    [{ bytes: BASE64 }, 'image', FILE],
    [{ url: `data:audio/wav;base64,${BASE64}` }, 'audio', FILE],
    [{ audio: HTTP }, 'audio', ADDRESS],
    [{ audio: BASE64 }, 'audio', FILE],
    // what it is said to be counts, as with Infinity
    [{ audio: URI }, 'audio', FILE],
    [{ audio_url: { url: HTTP } }, 'audio', ADDRESS],
    [{ type: 'input_audio', input_audio: { data: BASE64, format: 'wav' } }, 'audio', FILE],
    [{ text: null, image: HTTP }, 'image', ADDRESS],
    [{ text: '', image: HTTP }, 'image', ADDRESS],
    [{ text: 'a', image: null, url: null }, undefined, undefined],
  ] as const)('%j', async (value, modality, source) => {
    const expected = modality === undefined ? 'a' : item(modality, source, 'input')
    expect(await read(value)).toEqual([expected])
    expect(await read([value])).toEqual([modality === undefined ? 'a' : item(modality, source)])
  })

  test('says by its place in a part where it stands', async () => {
    const part = { type: 'image_url', image_url: { url: HTTP } }
    expect(await read(['a', { content: [part] }])).toEqual([
      'a',
      item('image', ADDRESS, 'input[1].content[0]'),
    ])
  })

  test('whose key says neither is what the request says', async () => {
    expect(await read([{ url: HTTP }, { bytes: BASE64 }, { image: HTTP }], 'audio')).toEqual([
      item('audio', ADDRESS),
      item('audio', FILE, 'input[1]'),
      item('image', ADDRESS, 'input[2]'),
    ])
  })

  const ONE = 'a vector is of one text, one image or one sound: make each an item of its own'
  test.each([
    [{ text: 'a', image: HTTP }, `input[0] has "text" and "image"; ${ONE}`],
    [{ content: 'a', image: HTTP }, `input[0] has "content" and "image"; ${ONE}`],
    [{ image: HTTP, audio: HTTP }, `input[0] has "image" and "audio"; ${ONE}`],
    [{ content: [{ text: 'a' }, { image: HTTP }] }, `input[0] has text and media in its content; ${ONE}`],
    [
      { content: [{ image: HTTP }, { image_url: HTTP }] },
      `input[0] has several images or sounds in its content; ${ONE}`,
    ],
    [{ video: HTTP }, 'input[0] has "video", which no model here reads'],
    [
      { content: [{ type: 'video_url', video_url: HTTP }] },
      'input[0].content[0] has "video_url", which no model here reads',
    ],
    [{ text: 'a', pdf: 'JVBE' }, 'input[0] has "pdf", which no model here reads'],
  ])('%j is more than a model can read: %s', async (value, message) => {
    await expect(read([value])).rejects.toEqual(refused(message, 'wrong_task'))
  })

  test.each([
    [
      { image: {} },
      'input[0].image is an object; it must be a string, or an object with a "url" that is one',
    ],
    [
      { image: { url: 5 } },
      'input[0].image is an object; it must be a string, or an object with a "url" that is one',
    ],
    [{ image: 5 }, 'input[0].image is 5; it must be a string, or an object with a "url" that is one'],
    [{ audio: null }, 'input[0].audio is null; it must be a string, or an object with a "url" that is one'],
    [
      { image: ['a'] },
      'input[0].image is a list of 1; it must be a string, or an object with a "url" that is one',
    ],
    [
      { picture: 'a' },
      'input[0] is an object; every item must be a string, an object with a "text", an "image" or an "audio", or a list of token ids',
    ],
    [
      {},
      'input[0] is an object; every item must be a string, an object with a "text", an "image" or an "audio", or a list of token ids',
    ],
    [
      true,
      'input[0] is true; every item must be a string, an object with a "text", an "image" or an "audio", or a list of token ids',
    ],
    [{ content: [] }, 'input[0].content is an empty list; at least one item is needed'],
    [{ content: [5] }, 'input[0].content[0] is 5; it must be a string'],
  ])('%j is no item', async (value, message) => {
    await expect(read([value])).rejects.toEqual(refused(message))
  })
})

describe('a string, where the request says what strings are,', () => {
  test.each([
    [HTTP, ADDRESS],
    ['HTTPS://a.test/x', { url: 'HTTPS://a.test/x' }],
    [URI, FILE],
    ['DATA:;BASE64,+//+', FILE],
    ['data:image/png;name=a.png;charset=utf-8;codecs=x;base64,+//+', FILE],
    ['data:,%FB%ff%fe', FILE],
    ['data:image/svg+xml,<é>', { bytes: Uint8Array.of(0x3c, 0xc3, 0xa9, 0x3e) }],
    ['data:image/png;base64,%2B//%2B', FILE],
    ['data:image/png;base64,-__-', FILE],
    ['\n  data:image/png;base64,-__-', FILE],
    ['+//+', FILE],
    ['+/\r\n/+', FILE],
    ['-__-', FILE],
    ['+//-', undefined],
    ['+/8', { bytes: Uint8Array.of(251, 255) }],
    ['+/8=', { bytes: Uint8Array.of(251, 255) }],
  ] as const)('%s', async (value, source) => {
    if (source === undefined) return expect(read(value, 'audio')).rejects.toThrow('not base64')
    expect(await read(value, 'audio')).toEqual([item('audio', source, 'input')])
    expect(await read([value], 'image')).toEqual([item('image', source)])
  })

  const ALLOWED = 'it must be an http or https address, a data URI, or base64'
  test.each([
    ['', `input[1] is ""; ${ALLOWED}`],
    ['file:///etc/passwd', `input[1] is "file:///etc/passwd"; ${ALLOWED}`],
    ['s3://bucket/a.png', `input[1] is "s3://bucket/a.png"; ${ALLOWED}`],
    ['a cat, lying', `input[1] is 12 characters that are not base64; ${ALLOWED}`],
    ['AAAAA', `input[1] is 5 characters that are not base64; ${ALLOWED}`],
    ['data:image/png;base64', 'input[1] is a data URI without a comma'],
    ['data:image/png;base64,', 'input[1] is a data URI without data'],
    ['data:image/png;base64,a cat!', `input[1] is 6 characters that are not base64; ${ALLOWED}`],
    ['data:image/png,%f', 'input[1] is a data URI with a "%" that is not followed by two hex digits'],
    ['data:image/png;base64,%f', 'input[1] is a data URI with a "%" that is not followed by two hex digits'],
  ])('%s is refused by its place', async (value, message) => {
    await expect(read([HTTP, value], 'image')).rejects.toEqual(refused(message))
  })

  test.each([
    [undefined, 'input is missing; it must be a string, or a list of strings or objects'],
    [5, 'input is 5; it must be a string, or a list of strings or objects'],
    [[], 'input is an empty list; at least one item is needed'],
    [
      [[1]],
      'input[0] is a list of 1; every item must be a string, an object with a "text", an "image" or an "audio", or a list of token ids',
    ],
  ])('%j is none', async (value, message) => {
    const service = new FakeService()
    await expect(read(value, 'image', service)).rejects.toEqual(refused(message))
    expect(service.tasks).toEqual([])
  })
})

describe('size', () => {
  const tooMany = (bytes: number) =>
    refused(`input[0] has ${bytes} bytes; at most 30 are taken (MEDIA_MAX_MB)`)

  test.each([
    ['base64', (bytes: number) => Buffer.alloc(bytes, 1).toString('base64')],
    ['a data URI', (bytes: number) => `data:;base64,${Buffer.alloc(bytes, 1).toString('base64')}`],
    ['percent-encoding', (bytes: number) => `data:,${'%01'.repeat(bytes)}`],
  ])('of %s is held to the limit', async (_, encode) => {
    expect(await read([encode(30)], 'image', undefined, 30)).toMatchObject([
      { source: { bytes: { length: 30 } } },
    ])
    await expect(read([encode(31)], 'image', undefined, 30)).rejects.toEqual(tooMany(31))
  })

  test('is told by the length of the text, before anything is made of it', async () => {
    await expect(read(['!'.repeat(2000)], 'image', undefined, 30)).rejects.toEqual(
      refused('input[0] has some 1500 bytes; at most 30 are taken (MEDIA_MAX_MB)'),
    )
  })
})
