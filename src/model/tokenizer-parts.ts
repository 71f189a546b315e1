/** What tokenizer.json would hold, made of the vocabulary files of the time before it, as transformers 5.23 makes it. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { makeByteLevel } from './byte-level-tokenizer.ts'
import { readJson, readText } from './json-file.ts'
import { bertTemplate } from './post-processor.ts'
import { makePieceTokenizer } from './sentencepiece/make-tokenizer.ts'
import { PIECE_RECIPES } from './sentencepiece/recipes.ts'
import type { DefaultTokens } from './special-tokens.ts'
import { ROBERTA_TOKENS, lacksToken, specialTokens, tokenOf } from './special-tokens.ts'
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

export type TokenizerSettings = z.infer<typeof Settings>

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
  const isByteLevel = recipe === 'roberta' || recipe === 'gpt2' || recipe === 'clip'
  const file = join(folder, isByteLevel ? 'vocab.json' : 'vocab.txt')
  const text = await readText(file)
  if (text === undefined) return undefined
  const settings = (await readJson(join(folder, 'tokenizer_config.json'), Settings)) ?? {}
  const content = isByteLevel
    ? await makeByteLevel(folder, text, { settings, recipe })
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
  readonly settings: TokenizerSettings
  readonly isMpnet: boolean
}

const BERT_TOKENS: DefaultTokens = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
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
  if (!vocabulary.has(unknown)) throw lacksToken('vocab.txt', unknown)
  const [cls, sep] = [tokenOf(tokens, 'cls_token', 'vocab.txt'), tokenOf(tokens, 'sep_token', 'vocab.txt')]
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

/** One token a line; blanks at its end are no part of it. */
function readLines(text: string): ReadonlyMap<string, number> {
  const lines = text.replace(/\n$/, '').split('\n')
  return new Map(lines.map((line, index) => [line.replace(/\p{White_Space}+$/u, ''), index]))
}
