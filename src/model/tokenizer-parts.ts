/** What tokenizer.json would hold, made of the vocabulary files of the time before it, as transformers 5.23 makes it. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { parseJson, readJson, readText } from './json-file.ts'
import type { Piece } from './post-processor.ts'
import { bertTemplate, framedTemplate } from './post-processor.ts'
import { makePieceTokenizer } from './sentencepiece/make-tokenizer.ts'
import { PIECE_RECIPES } from './sentencepiece/recipes.ts'
import type { DefaultTokens, Role, SpecialTokens } from './special-tokens.ts'
import { ROBERTA_TOKENS, readSpecialTokens } from './special-tokens.ts'
import { pieceClass, recipeOf } from './tokenizer-class.ts'

/** Files that tokenizers are made of, beside those that tokenizer-files.ts reads anyway. */
export const VOCABULARY_FILES: readonly string[] = ['vocab.txt', 'vocab.json', 'merges.txt']
export const TOKEN_FILES: readonly string[] = ['special_tokens_map.json', 'added_tokens.json']

/** Files that are read for some classes of tokenizers, or for none, and would be missed where there is nothing else. */
export const OTHER_VOCABULARIES: readonly string[] = [
  'sentencepiece.bpe.model',
  'spiece.model',
  'spm.model',
  'tokenizer.model',
  'bpe.codes',
]

const Settings = z.looseObject({
  do_lower_case: z.boolean().nullish(),
  strip_accents: z.boolean().nullish(),
  tokenize_chinese_chars: z.boolean().nullish(),
  add_prefix_space: z.boolean().nullish(),
  trim_offsets: z.boolean().nullish(),
  add_bos_token: z.boolean().nullish(),
  add_eos_token: z.boolean().nullish(),
})

const Vocabulary = z.record(z.string(), z.int().nonnegative())

export interface TokenizerParts {
  /** The vocabulary's absolute path. */
  readonly file: string
  /** Text of a tokenizer.json. */
  readonly content: string
}

export interface TokenizerClass {
  /** '' where none is known. */
  readonly className: string
  readonly modelType: string
}

/**
 * Makes a tokenizer of `vocab.txt`, of `vocab.json` and `merges.txt`, or of a model of SentencePiece; undefined where the
 * folder has none. Throws `model_unsupported` for a class of tokenizers that is made otherwise, `model_invalid` for files that
 * are broken.
 */
export async function readTokenizerParts(
  folder: string,
  { className, modelType }: TokenizerClass,
): Promise<TokenizerParts | undefined> {
  const made =
    (await readVocabulary(folder, className)) ??
    (await readPieceModel(folder, pieceClass(className, modelType)))
  if (made === undefined) return expectNothing(folder, className)
  const { file, content } = made
  return { file, content: JSON.stringify({ version: '1.0', truncation: null, padding: null, ...content }) }
}

interface MadeTokenizer {
  readonly file: string
  readonly content: object
}

async function readVocabulary(folder: string, className: string): Promise<MadeTokenizer | undefined> {
  const recipe = recipeOf(className)
  if (recipe === undefined) return undefined
  const isByteLevel = recipe === 'roberta' || recipe === 'gpt2'
  const file = join(folder, isByteLevel ? 'vocab.json' : 'vocab.txt')
  const text = await readText(file)
  if (text === undefined) return undefined
  const settings = (await readJson(join(folder, 'tokenizer_config.json'), Settings)) ?? {}
  const content = isByteLevel
    ? await makeByteLevel(folder, text, { settings, isGpt2: recipe === 'gpt2' })
    : await makeWordPiece(folder, text, { settings, isMpnet: recipe === 'mpnet' })
  return { file, content }
}

async function readPieceModel(folder: string, name: string): Promise<MadeTokenizer | undefined> {
  const recipe = Object.hasOwn(PIECE_RECIPES, name) ? PIECE_RECIPES[name] : undefined
  return recipe === undefined ? undefined : makePieceTokenizer(folder, { name, recipe })
}

/** Of a class that is not made here, vocabulary files say nothing: other code than ours splits its words. */
async function expectNothing(folder: string, className: string): Promise<undefined> {
  for (const name of [...VOCABULARY_FILES, ...OTHER_VOCABULARIES]) {
    if (!(await isThere(join(folder, name)))) continue
    throw new ServerError(
      'model_unsupported',
      `tokenizer.json is missing, and ${className || 'a tokenizer of no class'} is not made of ${name}; a tokenizer.json is needed (AutoTokenizer.from_pretrained and save_pretrained of transformers write it)`,
    )
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

interface WordPieceOptions {
  readonly settings: z.infer<typeof Settings>
  readonly isMpnet: boolean
}

const BERT_TOKENS: DefaultTokens = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
}

const GPT2_TOKENS: DefaultTokens = {
  bos_token: '<|endoftext|>',
  eos_token: '<|endoftext|>',
  unk_token: '<|endoftext|>',
}

/** Its mask takes the blank before it. */
const MPNET_TOKENS: DefaultTokens = {
  ...ROBERTA_TOKENS,
  unk_token: '[UNK]',
  mask_token: { content: '<mask>', lstrip: true },
}

async function makeWordPiece(folder: string, text: string, { settings, isMpnet }: WordPieceOptions) {
  const vocabulary = readLines(text)
  const tokens = await specialTokens(folder, isMpnet ? MPNET_TOKENS : BERT_TOKENS, vocabulary)
  const unknown = tokens.roles.unk_token ?? '[UNK]'
  if (!vocabulary.has(unknown)) throw lacks('vocab.txt', unknown)
  const [cls, sep] = [find(tokens, 'cls_token', 'vocab.txt'), find(tokens, 'sep_token', 'vocab.txt')]
  return {
    added_tokens: tokens.added,
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: settings.tokenize_chinese_chars ?? true,
      strip_accents: settings.strip_accents ?? null,
      lowercase: settings.do_lower_case ?? true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: isMpnet
      ? { type: 'RobertaProcessing', sep, cls, trim_offsets: true, add_prefix_space: false }
      : bertTemplate(cls, sep),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: unknown,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary),
    },
  }
}

interface ByteLevelOptions {
  readonly settings: z.infer<typeof Settings>
  readonly isGpt2: boolean
}

async function makeByteLevel(folder: string, text: string, { settings, isGpt2 }: ByteLevelOptions) {
  const merges = await readText(join(folder, 'merges.txt'))
  if (merges === undefined)
    throw new ServerError('model_invalid', 'vocab.json needs merges.txt beside it, which is missing')
  const vocabulary = new Map(Object.entries(parseJson(text, Vocabulary, 'vocab.json')))
  const tokens = await specialTokens(folder, isGpt2 ? GPT2_TOKENS : ROBERTA_TOKENS, vocabulary)
  const addsPrefix = settings.add_prefix_space ?? false
  const byteLevel = { type: 'ByteLevel', trim_offsets: true, use_regex: true }
  return {
    added_tokens: tokens.added,
    normalizer: null,
    pre_tokenizer: { ...byteLevel, add_prefix_space: addsPrefix },
    post_processor: isGpt2 ? gpt2Template(tokens, settings) : robertaProcessing(tokens, settings),
    decoder: { ...byteLevel, add_prefix_space: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary),
      merges: readMerges(merges, vocabulary),
    },
  }
}

function robertaProcessing(tokens: SpecialTokens, settings: z.infer<typeof Settings>) {
  return {
    type: 'RobertaProcessing',
    sep: find(tokens, 'sep_token', 'vocab.json'),
    cls: find(tokens, 'cls_token', 'vocab.json'),
    trim_offsets: settings.trim_offsets ?? true,
    add_prefix_space: settings.add_prefix_space ?? false,
  }
}

function gpt2Template(tokens: SpecialTokens, settings: z.infer<typeof Settings>) {
  return framedTemplate(
    settings.add_bos_token === true ? find(tokens, 'bos_token', 'vocab.json') : undefined,
    settings.add_eos_token === true ? find(tokens, 'eos_token', 'vocab.json') : undefined,
  )
}

/** One token a line; blanks at its end are no part of it. */
function readLines(text: string): ReadonlyMap<string, number> {
  const lines = text.replace(/\n$/, '').split('\n')
  return new Map(lines.map((line, index) => [line.replace(/\p{White_Space}+$/u, ''), index]))
}

/** Pairs, the first joined first. The library refuses a merge of unknown tokens too, but does not say in which file. */
function readMerges(text: string, vocabulary: ReadonlyMap<string, number>): readonly (readonly string[])[] {
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  return lines.flatMap((line, index) => {
    if (line.startsWith('#version')) return []
    const pair = line.split(' ')
    if (pair.length === 2 && [...pair, pair.join('')].every((token) => vocabulary.has(token))) return [pair]
    const problem = pair.length === 2 ? 'joins tokens that vocab.json lacks' : 'is no pair of tokens'
    throw new ServerError('model_invalid', `merges.txt: line ${index + 1} ${problem}`)
  })
}

async function specialTokens(
  folder: string,
  defaults: DefaultTokens,
  vocabulary: ReadonlyMap<string, number>,
): Promise<SpecialTokens> {
  const { roles, addTo } = await readSpecialTokens(folder, defaults)
  return { roles, added: addTo(vocabulary) }
}

function find({ roles, added }: SpecialTokens, role: Role, file: string): Piece {
  const content = roles[role] ?? ''
  const token = added.find((candidate) => candidate.content === content)
  if (token === undefined) throw lacks(file, role)
  return [token.content, token.id]
}

function lacks(file: string, token: string): ServerError {
  return new ServerError('model_invalid', `${file} lacks the token ${token}`)
}
