/** Files at which the library of tokenizers ends the process: none of these is ever given to it. */
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkTokenizerJson } from '../../../../src/model/tokenizer-check/check-tokenizer.ts'
import { expectRefusal } from '../expect-refusal.ts'
import { charsmap, trieOf } from '../sentencepiece/piece-bytes.ts'

const BROKEN = charsmap(trieOf(9), 'ab\0').toString('base64')
const SOUND = charsmap(trieOf(0), 'ab\0').toString('base64')
const WORDS = { type: 'WordLevel', vocab: { '[UNK]': 0, h: 1, e: 2, é: 3 }, unk_token: '[UNK]' }

let folder: string
let file: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'check-tokenizer-'))
  file = join(folder, 'tokenizer.json')
})
afterAll(() => rm(folder, { recursive: true }))

async function check(text: string): Promise<void> {
  await writeFile(file, text)
  await checkTokenizerJson(file)
}

function written(parts: object): string {
  return JSON.stringify({ version: '1.0', model: WORDS, ...parts })
}

function precompiled(rules: string): string {
  return `{"type":"Precompiled","precompiled_charsmap":"${rules}"}`
}

/** The normalizer in front of the model, as text. */
function normalizing(normalizer: string): string {
  return `{"normalizer":${normalizer},"model":${JSON.stringify(WORDS)}}`
}

const ESCAPED = precompiled(BROKEN).replace('"P', '"\\u0050').replace('d_c', 'd\\u005fc')
const BLANKS = ' '.repeat(60)

test.each([
  ['is escaped', normalizing(ESCAPED), 'to byte 9'],
  ['has an escaped key', normalizing(precompiled(BROKEN).replace('d_c', 'd\\u005fc')), 'to byte 9'],
  ['has an escaped type and no rules', normalizing('{"type":"\\u0050recompiled"}'), 'without rules'],
  ['has blanks around it', normalizing(`{"type":${BLANKS}"Precompiled"}`), 'without rules'],
  [
    'has blanks before its rules',
    normalizing(precompiled(BROKEN).replaceAll(':', `:${BLANKS}`)),
    'to byte 9',
  ],
  ['is nested', normalizing(`{"type":"Sequence","normalizers":[${ESCAPED}]}`), 'to byte 9'],
  [
    'comes after the model',
    `{"model":${JSON.stringify(WORDS)},\n "\\u006eormalizer" : ${precompiled(BROKEN)}}`,
    'to byte 9',
  ],
  ['comes first of two', normalizing(precompiled(BROKEN)).replace(/}$/, ',"normalizer":null}'), 'twice'],
  [
    'has rules twice',
    normalizing(`{"precompiled_charsmap":"${BROKEN}",${precompiled(SOUND).slice(1)}`),
    'a key twice',
  ],
  ['is followed by no JSON', `${normalizing(precompiled(BROKEN))} more`, 'to byte 9'],
  [
    'is a list',
    normalizing(`{"type":"Sequence","normalizers":[["${BROKEN}"]]}`),
    'a list in its normalizers',
  ],
])('broken rules are found where the normalizer %s', async (_where, text, message) => {
  await expectRefusal(() => check(text), 'model_invalid', 'tokenizer.json ', message)
})

const A = { Sequence: { id: 'A', type_id: 0 } }
const B = { Sequence: { id: 'B', type_id: 1 } }
const CLS = { SpecialToken: { id: '[CLS]', type_id: 0 } }

function template(single: unknown, pair: unknown, described: object = {}) {
  return { type: 'TemplateProcessing', single, pair, special_tokens: described }
}

function merging(prefix: string, merge: unknown): object {
  const { vocab } = WORDS
  return { model: { type: 'BPE', vocab, merges: [merge], continuing_subword_prefix: prefix } }
}

test.each<readonly [string, object, string]>([
  ['pieces of length 0', { pre_tokenizer: { type: 'FixedLength', length: 0 } }, 'FixedLength 0'],
  [
    'such pieces in a sequence',
    { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'FixedLength', length: 0 }] } },
    'FixedLength 0',
  ],
  ['an undescribed token', { post_processor: template([CLS, A], [A, B]) }, 'special token "[CLS]"'],
  ['one of pairs', { post_processor: template([A], [CLS, A, B]) }, 'special token "[CLS]"'],
  [
    'one whose fields are a list',
    { post_processor: template([{ SpecialToken: ['[CLS]', 0] }, A], [A, B]) },
    'special token "[CLS]"',
  ],
  [
    'one in a sequence, called as objects have their own',
    {
      post_processor: {
        type: 'Sequence',
        processors: [template([{ SpecialToken: { id: 'toString', type_id: 0 } }], [])],
      },
    },
    'special token "toString"',
  ],
  ['a second text where there is one', { post_processor: template([A, B], [A, B]) }, 'names text B'],
  ['a merge shorter than the prefix', merging('##', ['h', 'e']), 'merge with "e"'],
  ['such a merge in one text', merging('##', 'h e'), 'merge with "e"'],
  ['a merge shorter in bytes', merging('éé', ['h', 'é']), 'merge with "é"'],
  [
    'a decoder that cuts at the end',
    { decoder: { type: 'Strip', content: 'h', start: 0, stop: 1 } },
    'stop of 1',
  ],
  ['an unknown unk_token', { model: { ...WORDS, unk_token: '[NO]' } }, 'unk_token "[NO]"'],
  [
    'such a token of WordPiece',
    { model: { ...WORDS, type: 'WordPiece', unk_token: 'valueOf' } },
    '"valueOf"',
  ],
])('a tokenizer with %s is refused', async (_what, parts, message) => {
  await expectRefusal(() => check(written(parts)), 'model_invalid', 'tokenizer.json ', message)
})

test('tokenizers that keep to the bounds are passed, with braces, quotes and colons in their words', async () => {
  const described = { '[CLS]': { id: '[CLS]', ids: [1], tokens: ['[CLS]'] } }
  const vocab = { '[UNK]': 0, '{"normalizer":': 1, '\\': 2, '"': 3, ']}': 4, ':': 5 }
  await check(
    written({
      normalizer: { type: 'Precompiled', precompiled_charsmap: SOUND },
      pre_tokenizer: { type: 'Split', pattern: { String: '":{' }, behavior: 'Isolated', invert: false },
      post_processor: template([CLS, A], [CLS, A, B], described),
      decoder: { type: 'Strip', content: ' ', start: 1, stop: 0 },
      model: { ...WORDS, vocab },
    }),
  )
  await check(written(merging('é', ['h', 'é'])))
  await check(written(merging('', ['h', 'e'])))
})

test.each([
  '',
  '[]',
  '{',
  '{"model":',
  '{"model":{"vocab":{"a":0,',
  '{"normalizer":{]}',
  '{"a" 1}',
  '{1:2}',
  '{"a":"',
])('what is no JSON is refused: %s', async (text) => {
  await expectRefusal(() => check(text), 'model_invalid', 'tokenizer.json cannot be used')
})

test('a file past all bounds is refused by its size, before it is read', async () => {
  await writeFile(file, '{}')
  await truncate(file, 2 ** 33)
  await expectRefusal(
    () => checkTokenizerJson(file),
    'model_invalid',
    'tokenizer.json cannot be read',
    '8589934592',
  )
  await truncate(file, 2)
  expect(await readFile(file, 'utf8')).toBe('{}')
})
