import { describe, expect, test } from 'vitest'
import { readDocuments } from '../../../../src/dialects/requests/read-documents.ts'

function textsOf(documents: unknown, rankFields?: readonly string[]) {
  return readDocuments({ documents }, ['documents'], rankFields).texts
}

describe('the text of a document', () => {
  test.each([
    ['a', 'a'],
    ['', ''],
    [{ text: 'a', title: 't' }, 'a'],
    [{ text: '', title: 't' }, ''],
    [{ content: 'a' }, 'a'],
    [{ page_content: 'a', source: 's' }, 'a'],
    [{ content: [{ type: 'text', text: 'a' }, { text: 'b' }] }, 'a\nb'],
    [{ title: 't', body: 'b', year: 1999 }, 'title: t\nbody: b'],
    [{ name: 'only' }, 'only'],
    [{ text: 5, title: 't' }, 't'],
  ])('%j is %j', (document, text) => {
    expect(textsOf([document])).toEqual([text])
  })

  test.each([
    [['title', 'text'], 'title: t\ntext: a'],
    [['text'], 'a'],
    [['year', 'title'], 'year: 1999\ntitle: t'],
    [['tags'], '["x"]'],
    [['missing', 'title'], 'title: t'],
    [[], 'a'],
  ])('by rank_fields %j is %j', (names, text) => {
    expect(textsOf([{ text: 'a', title: 't', year: 1999, tags: ['x'], gone: null }], names)).toEqual([text])
  })

  test('that is a string is itself, whatever rank_fields say', () => {
    expect(textsOf(['a', { title: 't' }], ['title'])).toEqual(['a', 't'])
  })
})

test('strings are not copied, and what was given is kept', () => {
  const given = ['a', 'b']
  expect(readDocuments({ documents: given }, ['documents'], undefined)).toEqual({ texts: given, given })
  const objects = [{ text: 'a', id: 1 }]
  expect(readDocuments({ documents: objects }, ['documents'], undefined).given).toBe(objects)
})

test('the first of the names that is given counts', () => {
  const names = ['docs', 'documents'] as const
  expect(readDocuments({ docs: ['a'], documents: ['b'] }, names, undefined).texts).toEqual(['a'])
  expect(readDocuments({ docs: null, documents: ['b'] }, names, undefined).texts).toEqual(['b'])
})

describe('a wrong document is refused', () => {
  test.each([
    [undefined, 'documents is missing; it must be a list of strings'],
    [null, 'documents is missing; it must be a list of strings'],
    ['a', 'documents is "a"; it must be a list of strings'],
    [{ 0: 'a' }, 'documents is an object; it must be a list of strings'],
    [[], 'documents is an empty list; at least one item is needed'],
    [['a', 5], 'documents[1] is 5; it must be a string or an object with a "text"'],
    [['a', ['b']], 'documents[1] is a list of 1; it must be a string or an object with a "text"'],
    [[{}], 'documents[0] is an object; it must be a string'],
    [[{ year: 1999 }], 'documents[0] is an object; it must be a string'],
    [[{ content: ['a', 5] }], 'documents[0].content[1] is 5; it must be a string'],
  ])('%j: %s', (documents, message) => {
    expect(() => textsOf(documents)).toThrow(expect.objectContaining({ code: 'invalid_request', message }))
  })

  test.each([
    [{ image: 'x' }, 'documents[1] has "image"'],
    [{ image: 'x', caption: 'c' }, 'documents[1] has "image"'],
    [{ content: [{ type: 'image_url', image_url: {} }] }, 'documents[1].content[0] has "image_url"'],
  ])('%j by its kind', (document, says) => {
    const message = `${says}; text only is taken here`
    expect(() => textsOf(['a', document])).toThrow(expect.objectContaining({ code: 'wrong_task', message }))
  })

  test('without any of the rank_fields', () => {
    const message = 'documents[0] has none of the rank_fields title, body'
    expect(() => textsOf([{ text: 'a', title: null }], ['title', 'body'])).toThrow(
      expect.objectContaining({ code: 'invalid_request', message }),
    )
  })
})
