import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/errors.ts'
import { readTokenizerSpec } from '../../../src/model/tokenizer-files.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { makeFolder } from './model-folder.ts'

const VOCABULARY = '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n'
const BYTES = { '<s>': 0, '<pad>': 1, '</s>': 2, '<unk>': 3, a: 4, b: 5, ab: 6 }
const MERGES = '#version: 0.2\na b\n'

async function read(files: Files, config: Readonly<Record<string, unknown>> = {}) {
  const folder = await makeFolder(files)
  const options = { model: 'm', config: { model_type: 'bert', ...config }, useModuleConfig: false }
  return { folder, ...(await readTokenizerSpec(folder, options)) }
}

async function contentOf(files: Files, config: Readonly<Record<string, unknown>> = {}) {
  const { content = '{}' } = await read(files, config)
  return JSON.parse(content) as Record<string, Record<string, unknown>>
}

async function expectRefused(code: ErrorCode, files: Files, config: object, ...parts: readonly string[]) {
  await expectRefusal(() => read(files, { ...config }), code, 'm: ', ...parts)
}

test('a tokenizer.json is used as it is, whatever else there is', async () => {
  const { folder, file, content } = await read({ 'tokenizer.json': '{}', 'vocab.txt': VOCABULARY })
  expect(file).toBe(join(folder, 'tokenizer.json'))
  expect(content).toBeUndefined()
})

test('a vocabulary stands for the tokenizer.json that a folder lacks', async () => {
  const { folder, file } = await read({ 'vocab.txt': VOCABULARY })
  expect(file).toBe(join(folder, 'vocab.txt'))
})

test('vocab.txt makes a WordPiece tokenizer with the settings of BERT', async () => {
  const { model, normalizer, added_tokens: added } = await contentOf({ 'vocab.txt': VOCABULARY })
  expect(model).toMatchObject({ type: 'WordPiece', unk_token: '[UNK]', max_input_chars_per_word: 100 })
  const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', '##b']
  expect(model?.['vocab']).toEqual(Object.fromEntries(tokens.map((token, id) => [token, id])))
  expect(normalizer).toEqual({
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  })
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  expect(added).toContainEqual({ id: 4, content: '[MASK]', ...flags })
})

test('tokenizer_config.json sets what the normalizer does', async () => {
  const settings = { do_lower_case: false, strip_accents: true, tokenize_chinese_chars: false }
  const files = { 'vocab.txt': VOCABULARY, 'tokenizer_config.json': settings }
  expect((await contentOf(files))['normalizer']).toMatchObject({
    lowercase: false,
    strip_accents: true,
    handle_chinese_chars: false,
  })
})

test('lines of vocab.txt are tokens without the blanks at their ends, whatever ends a line', async () => {
  const { model } = await contentOf({ 'vocab.txt': VOCABULARY.replaceAll('\n', '\r\n') + 'c \u3000\n\nd' })
  expect(model?.['vocab']).toMatchObject({ '[PAD]': 0, '##b': 6, c: 7, '': 8, d: 9 })
})

test('tokens that the vocabulary lacks follow it, those of added_tokens.json by their ids', async () => {
  const { added_tokens: added } = await contentOf({
    'vocab.txt': VOCABULARY,
    'added_tokens.json': { two: 8, one: 7 },
    'special_tokens_map.json': { additional_special_tokens: ['<x>', 'one'] },
  })
  const tokens = added as unknown as { id: number; content: string; special: boolean; normalized: boolean }[]
  const facts = tokens.map(({ id, content, special, normalized }) => [id, content, special, normalized])
  expect(facts.slice(-3)).toEqual([
    [7, 'one', false, true],
    [8, 'two', false, true],
    [9, '<x>', true, false],
  ])
})

test('a token of added_tokens.json is special where tokenizer_config.json says so', async () => {
  const { added_tokens: added } = await contentOf({
    'vocab.txt': VOCABULARY,
    'added_tokens.json': { one: 7, two: 8, '[MASK]': 4 },
    'tokenizer_config.json': { additional_special_tokens: ['one'], sep_token: 'two' },
  })
  const flags = { single_word: false, lstrip: false, rstrip: false, special: true }
  expect(added).toContainEqual({ id: 7, content: 'one', ...flags, normalized: false })
  expect(added).toContainEqual({ id: 8, content: 'two', ...flags, normalized: false })
  // of a role that its class alone gives it
  expect(added).toContainEqual({ id: 4, content: '[MASK]', ...flags, normalized: true })
})

test('added_tokens_decoder counts before the files of older programs', async () => {
  const token = { content: '[MASK]', lstrip: true, normalized: true, special: true }
  const { added_tokens: added } = await contentOf({
    'vocab.txt': VOCABULARY,
    'added_tokens.json': { one: 7 },
    'special_tokens_map.json': { mask_token: 'a' },
    'tokenizer_config.json': { added_tokens_decoder: { 4: token } },
  })
  const tokens = added as unknown as { content: string }[]
  expect(tokens).toContainEqual(
    expect.objectContaining({ content: '[MASK]', lstrip: true, normalized: true }),
  )
  const contents = tokens.map(({ content }) => content)
  expect(contents).not.toContain('one')
  expect(contents).not.toContain('a')
})

test('special_tokens_map.json counts before tokenizer_config.json', async () => {
  const { post_processor: processor } = await contentOf({
    'vocab.txt': VOCABULARY,
    'special_tokens_map.json': { cls_token: { content: 'a', lstrip: false } },
    'tokenizer_config.json': { cls_token: '[PAD]', sep_token: '[PAD]' },
  })
  expect(processor?.['special_tokens']).toEqual({
    a: { id: 'a', ids: [5], tokens: ['a'] },
    '[PAD]': { id: '[PAD]', ids: [0], tokens: ['[PAD]'] },
  })
})

test('vocab.json and merges.txt make a byte-level tokenizer', async () => {
  const files = { 'vocab.json': BYTES, 'merges.txt': MERGES }
  const made = await contentOf(files, { model_type: 'roberta' })
  expect(made['model']).toMatchObject({ type: 'BPE', vocab: BYTES, merges: [['a', 'b']] })
  expect(made['pre_tokenizer']).toMatchObject({ type: 'ByteLevel', add_prefix_space: false })
  expect(made['post_processor']).toMatchObject({ sep: ['</s>', 2], cls: ['<s>', 0], add_prefix_space: false })
  const settings = { 'tokenizer_config.json': { add_prefix_space: true, trim_offsets: false } }
  const prefixed = await contentOf({ ...files, ...settings }, { model_type: 'roberta' })
  expect(prefixed['pre_tokenizer']).toMatchObject({ add_prefix_space: true })
  expect(prefixed['post_processor']).toMatchObject({ add_prefix_space: true, trim_offsets: false })
})

test('an MPNet has its own special tokens, and a mask that takes the blank before it', async () => {
  const vocabulary = '<s>\n<pad>\n</s>\n[UNK]\n<mask>\na\n'
  const made = await contentOf({ 'vocab.txt': vocabulary }, { model_type: 'mpnet' })
  expect(made['post_processor']).toMatchObject({
    type: 'RobertaProcessing',
    sep: ['</s>', 2],
    cls: ['<s>', 0],
  })
  expect(made['added_tokens']).toContainEqual(expect.objectContaining({ content: '<mask>', lstrip: true }))
  const named = { 'vocab.txt': vocabulary, 'tokenizer_config.json': { mask_token: 'a' } }
  const other = await contentOf(named, { model_type: 'mpnet' })
  expect(other['added_tokens']).toContainEqual(expect.objectContaining({ content: 'a', lstrip: true }))
})

test('GPT-2’s tokenizer puts nothing around a text, or what the settings say', async () => {
  const files = { 'vocab.json': { ...BYTES, '<|endoftext|>': 7 }, 'merges.txt': MERGES }
  const gpt2 = { tokenizer_class: 'GPT2Tokenizer' }
  const bare = await contentOf({ ...files, 'tokenizer_config.json': gpt2 })
  expect(bare['post_processor']).toMatchObject({
    single: [{ Sequence: { id: 'A', type_id: 0 } }],
    special_tokens: {},
  })
  const settings = { ...gpt2, add_bos_token: true, bos_token: '<s>' }
  const framed = await contentOf({ ...files, 'tokenizer_config.json': settings })
  expect(framed['post_processor']?.['special_tokens']).toEqual({
    '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] },
  })
})

const BERT_FILES = { 'vocab.txt': VOCABULARY }
const BYTE_FILES = { 'vocab.json': BYTES, 'merges.txt': MERGES }
const ROBERTA = { model_type: 'roberta' }

test.each<readonly [string, ErrorCode, Files, object, string]>([
  ['nothing', 'model_invalid', {}, {}, 'tokenizer.json is missing'],
  [
    'sentencepiece.bpe.model alone',
    'model_unsupported',
    { 'sentencepiece.bpe.model': 'x' },
    {},
    'BertTokenizer is not made of sentencepiece.bpe.model',
  ],
  [
    'spm.model of an ALBERT alone',
    'model_unsupported',
    { 'spm.model': 'x' },
    { model_type: 'albert' },
    'AlbertTokenizer is not made of spm.model',
  ],
  [
    'bpe.codes alone',
    'model_unsupported',
    { 'bpe.codes': 'x' },
    { tokenizer_class: 'PhobertTokenizer' },
    'PhobertTokenizer is not made of bpe.codes',
  ],
  [
    'a vocabulary of a class of no recipe',
    'model_unsupported',
    BERT_FILES,
    { tokenizer_class: 'BertJapaneseTokenizer' },
    'BertJapaneseTokenizer is not made of vocab.txt',
  ],
  [
    'a vocabulary of Blenderbot',
    'model_unsupported',
    BYTE_FILES,
    { tokenizer_class: 'BlenderbotTokenizer' },
    'BlenderbotTokenizer is not made of vocab.json',
  ],
  [
    'a vocabulary of no class',
    'model_unsupported',
    BERT_FILES,
    { model_type: 'unheard-of' },
    'not made of vocab.txt',
  ],
  [
    'a vocabulary without the unknown token',
    'model_invalid',
    { 'vocab.txt': 'a\nb\n' },
    {},
    'vocab.txt lacks the token [UNK]',
  ],
  ['vocab.json without merges.txt', 'model_invalid', { 'vocab.json': BYTES }, ROBERTA, 'merges.txt'],
  [
    'merges of unknown tokens',
    'model_invalid',
    { ...BYTE_FILES, 'merges.txt': 'a c\n' },
    ROBERTA,
    'line 1 joins',
  ],
  [
    'merges whose result is unknown',
    'model_invalid',
    { ...BYTE_FILES, 'merges.txt': 'b a\n' },
    ROBERTA,
    'line 1 joins',
  ],
  [
    'merges of three tokens',
    'model_invalid',
    { ...BYTE_FILES, 'merges.txt': `${MERGES}a b a\n` },
    ROBERTA,
    'line 3 is no pair',
  ],
  [
    'an empty merge',
    'model_invalid',
    { ...BYTE_FILES, 'merges.txt': `${MERGES}\n` },
    ROBERTA,
    'line 3 is no pair',
  ],
])('a folder with %s is refused', async (_, code, files, config, message) => {
  await expectRefused(code, files, config, message)
})

test.each<readonly [string, Files, string]>([
  ['vocab.json with ids that are none', { ...BYTE_FILES, 'vocab.json': { a: -1 } }, 'vocab.json: a'],
  ['vocab.json that is a list', { ...BYTE_FILES, 'vocab.json': ['a'] }, 'vocab.json'],
  [
    'added_tokens.json with an id in words',
    { ...BYTE_FILES, 'added_tokens.json': { a: 'x' } },
    'added_tokens.json: a',
  ],
  [
    'special_tokens_map.json with a number',
    { ...BYTE_FILES, 'special_tokens_map.json': { cls_token: 1 } },
    'cls_token',
  ],
  [
    'added_tokens_decoder without content',
    { ...BYTE_FILES, 'tokenizer_config.json': { added_tokens_decoder: { 1: {} } } },
    'added_tokens_decoder.1.content',
  ],
])('%s is refused by its name', async (_, files, message) => {
  await expectRefusal(() => read(files, ROBERTA), 'model_invalid', message)
})

test('a vocabulary of a giant size is refused unread', async () => {
  const folder = await makeFolder()
  await writeFile(join(folder, 'vocab.txt'), '')
  await truncate(join(folder, 'vocab.txt'), 100_000_001)
  const options = { model: 'm', config: { model_type: 'bert' }, useModuleConfig: false }
  const reading = () => readTokenizerSpec(folder, options)
  await expectRefusal(reading, 'model_invalid', 'vocab.txt', 'has 100000001 bytes', 'at most 100000000')
})

const TYPES = ['input_ids', 'token_type_ids', 'attention_mask']

test.each<readonly [boolean, object, object]>([
  [true, {}, { model_type: 'bert' }],
  [true, {}, { model_type: 'deberta-v2' }],
  [true, {}, { model_type: 'nomic_bert' }],
  [false, {}, { model_type: 'roberta' }],
  [false, {}, { model_type: 'albert' }],
  [false, {}, { model_type: 'constructor' }],
  [true, { tokenizer_class: 'BertTokenizer' }, { model_type: 'roberta' }],
  [true, { tokenizer_class: 'ElectraTokenizerFast' }, { model_type: 'electra' }],
  [true, { tokenizer_class: 'DebertaV2TokenizerFast' }, { model_type: 'new' }],
  [false, { tokenizer_class: 'DistilBertTokenizer' }, { model_type: 'bert' }],
  [false, { tokenizer_class: 'AlbertTokenizer' }, { model_type: 'bert' }],
  [false, { tokenizer_class: 'PreTrainedTokenizerFast' }, { model_type: 'bert' }],
  [false, { tokenizer_class: 'SomebodysTokenizer' }, { model_type: 'bert' }],
  [false, { tokenizer_class: null }, { model_type: 'bert', tokenizer_class: 'XLMRobertaTokenizer' }],
  [true, { tokenizer_class: 'BertTokenizer' }, { model_type: 'bert', tokenizer_class: 'AlbertTokenizer' }],
  [true, { tokenizer_class: 'AlbertTokenizer', model_input_names: TYPES }, { model_type: 'albert' }],
  [false, { tokenizer_class: 'BertTokenizer', model_input_names: ['input_ids'] }, { model_type: 'bert' }],
])('token types are passed on (%j) for %j and %j', async (passes, settings, config) => {
  const files = { 'tokenizer.json': '{}', 'tokenizer_config.json': settings }
  expect((await read(files, { ...config })).passesTypes).toBe(passes)
})

test('the vocabulary of the model is what config.json says', async () => {
  expect((await read({ 'tokenizer.json': '{}' }, { vocab_size: 9 })).vocabularySize).toBe(9)
  expect((await read({ 'tokenizer.json': '{}' })).vocabularySize).toBeUndefined()
})
