import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../../../src/errors.ts'
import { findMerges } from '../../../../src/model/sentencepiece/find-merges.ts'
import { readPieces } from '../../../../src/model/sentencepiece/read-pieces.ts'
import { expectRefusal } from '../expect-refusal.ts'
import { bytesField, charsmap, floatField, pieceModel, trieOf, varint, varintField } from './piece-bytes.ts'

const PIECES = ['<unk>', 'a', 'b']
const SOUND = pieceModel({ pieces: PIECES })

test('pieces keep their order, scores and kinds', () => {
  const kinds = [2, 3, 4, 5, 6, 1].map((kind, id) => ({ content: `p${id}`, score: -id / 3, kind }))
  const { pieces } = readPieces(pieceModel({ pieces: kinds }), 'm')
  expect(pieces.map(({ kind }) => kind)).toEqual(['plain', 'control', 'user', 'plain', 'plain', 'plain'])
  expect(pieces.map(({ content }) => content)).toEqual(['p0', 'p1', 'p2', 'p3', 'p4', 'p5'])
  expect(pieces[2]?.score).toBe(Math.fround(-2 / 3))
})

test('what the trainer does not say is as SentencePiece has it', () => {
  expect(readPieces(SOUND, 'm')).toMatchObject({
    algorithm: 'unigram',
    byteFallback: false,
    unknownId: 0,
    unknownContent: '<unk>',
    tokens: { bos: '<s>', eos: '</s>', unk: '<unk>' },
    charsmap: Buffer.alloc(0),
  })
})

test('the trainer says how pieces are found and what its own tokens are', () => {
  const trainer = { 3: 2, 35: 1, 40: 3, 41: -1, 42: 1, 45: '[UNK]', 46: '[B]', 47: '[E]' }
  expect(readPieces(pieceModel({ pieces: PIECES, trainer }), 'm')).toMatchObject({
    algorithm: 'bpe',
    byteFallback: true,
    unknownId: 3,
    unknownContent: '[UNK]',
    tokens: { bos: undefined, eos: '[E]', unk: '[UNK]' },
  })
})

test('fields that nobody knows are passed over, and messages that come twice are one', () => {
  const others = [bytesField(9, Buffer.from('x')), varintField(99, 7), floatField(8, 1)]
  const fixed64 = Buffer.concat([varint(7 * 8 + 1), Buffer.alloc(8)])
  const twice = [bytesField(2, varintField(3, 2)), bytesField(2, varintField(35, 1))]
  const model = readPieces(Buffer.concat([...others, fixed64, SOUND, ...twice]), 'm')
  expect(model).toMatchObject({ algorithm: 'bpe', byteFallback: true })
  expect(model.pieces).toHaveLength(3)
})

test('rules of normalization are kept as they are', () => {
  const rules = charsmap(trieOf(3), 'é\0A\0')
  expect(readPieces(pieceModel({ pieces: PIECES, charsmap: rules }), 'm').charsmap).toEqual(rules)
})

const rules = (bytes: Uint8Array) => pieceModel({ pieces: PIECES, charsmap: bytes })
const circle = trieOf(0)
circle[256 ^ 97] = (97 ^ 0) | (97 << 10)

describe('a model of SentencePiece is refused', () => {
  test.each<readonly [fault: string, bytes: Buffer, message: string]>([
    ['empty', Buffer.alloc(0), 'has no pieces'],
    ['a web page', Buffer.from('<!DOCTYPE html>'), 'unknown kind'],
    ['cut off in a piece', SOUND.subarray(0, 6), 'where 4 are left'],
    [
      'cut off in its last field',
      Buffer.concat([SOUND, bytesField(9, Buffer.alloc(5)).subarray(0, -1)]),
      '5 bytes where 4',
    ],
    ['cut off in a number', SOUND.subarray(0, 1), 'ends in the middle of a number'],
    ['a number without end', Buffer.alloc(12, 0xff), 'more than 10 bytes'],
    ['a group', Buffer.from([0x0b]), 'field 1 of the unknown kind 3'],
    ['a field of 2^60 bytes', Buffer.concat([varint(10), varint(2 ** 60)]), '1152921504606846976 bytes'],
    ['a number as piece', varintField(1, 7), 'field 1 that is varint where bytes is due'],
    ['a number as content', bytesField(1, varintField(1, 7)), 'field 1 that is varint where bytes'],
    [
      'a number as score',
      bytesField(1, bytesField(1, Buffer.from('a')), varintField(2, 7)),
      'fixed32 is due',
    ],
    ['text as kind', bytesField(1, bytesField(1, Buffer.from('a')), bytesField(3)), 'varint is due'],
    ['text as algorithm', pieceModel({ pieces: PIECES, trainer: { 3: 'x' } }), 'varint is due'],
    ['a piece without content', pieceModel({ pieces: ['a', {}] }), 'piece 1 without content'],
    ['a giant piece', pieceModel({ pieces: ['x'.repeat(10_001)] }), 'piece 0 of 10001 bytes; at most 10000'],
    ['a piece of half a character', pieceModel({ pieces: [{ content: Buffer.from([0xc3]) }] }), 'not UTF-8'],
    ['a piece twice', pieceModel({ pieces: ['a', 'b', 'a'] }), 'the piece "a" as 0 and as 2'],
    ['a score that is none', pieceModel({ pieces: [{ content: 'a', score: NaN }] }), 'score NaN'],
    [
      'a score without bound',
      pieceModel({ pieces: [{ content: 'a', score: -Infinity }] }),
      'score -Infinity',
    ],
    ['rules too short for a length', rules(Buffer.alloc(3)), 'of 3 bytes'],
    ['rules without a trie', rules(charsmap([], 'x')), 'a trie of 0'],
    ['rules with half a unit', rules(charsmap([0], 'xx', 6)), 'a trie of 6'],
    ['rules that claim more', rules(charsmap(trieOf(0), '', 4_000_000_000)), 'a trie of 4000000000'],
    ['rules that are no text', rules(charsmap(trieOf(0), Buffer.from([0xff]))), 'texts are not UTF-8'],
    ['a root outside', rules(charsmap([0x7fff_fc00], 'x')), 'to unit'],
    ['a trie of one unit', rules(charsmap([0], 'x')), 'to unit 1 of 1'],
    ['a branch outside', rules(charsmap(trieOf(0).with(256 ^ 97, 97 | (1 << 9) | (5000 << 10)))), 'to unit'],
    ['a text behind the last', rules(charsmap(trieOf(9), 'ab\0')), 'to byte 9 of texts of 3'],
    ['a text from half a character', rules(charsmap(trieOf(1), 'é\0')), 'to byte 1 of texts of 3'],
  ])('that is %s', async (_, bytes, message) => {
    await expectRefusal(() => readPieces(bytes, 'm'), 'model_invalid', 'm is no sound model', message)
  })

  test.each<readonly [number, string]>([
    [3, 'word'],
    [4, 'char'],
    [9, 'of kind 9'],
  ])('whose pieces are of kind %i', async (kind, name) => {
    const code: ErrorCode = 'model_unsupported'
    const bytes = pieceModel({ pieces: PIECES, trainer: { 3: kind } })
    await expectRefusal(() => readPieces(bytes, 'm'), code, `m is a ${name} model`, 'unigram and bpe')
  })
})

test('a trie that leads in a circle ends', () => {
  expect(readPieces(rules(charsmap(circle, 'x')), 'm').charsmap).toHaveLength(4 + 4 * 512 + 1)
})

const idsOf = (pieces: readonly string[]) => new Map(pieces.map((piece, id) => [piece, id]))

test('merges follow the ids of what they make, the shorter first part before the longer', () => {
  const merges = findMerges(idsOf(['c', 'b', 'a', 'abc', 'bc', 'ab']))
  expect(merges).toEqual([
    ['a', 'bc'],
    ['ab', 'c'],
    ['b', 'c'],
    ['a', 'b'],
  ])
})

test('a character of two units is not split', () => {
  expect(findMerges(idsOf(['🍕', '▁', '▁🍕', '🍕🍕', '\ud83c', '\udf55']))).toEqual([
    ['▁', '🍕'],
    ['🍕', '🍕'],
  ])
})
