/** Tokenizers of bytes: RoBERTa's, GPT-2's and CLIP's, of `vocab.json` and `merges.txt`. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { parseJson, readText } from './json-file.ts'
import { framedTemplate } from './post-processor.ts'
import type { DefaultTokens, SpecialTokens } from './special-tokens.ts'
import { ROBERTA_TOKENS, specialTokens, tokenOf } from './special-tokens.ts'
import type { TokenizerSettings } from './tokenizer-parts.ts'

const Vocabulary = z.record(z.string(), z.int().nonnegative())

const GPT2_TOKENS: DefaultTokens = {
  bos_token: '<|endoftext|>',
  eos_token: '<|endoftext|>',
  unk_token: '<|endoftext|>',
}

const CLIP_TOKENS: DefaultTokens = {
  ...GPT2_TOKENS,
  bos_token: '<|startoftext|>',
  pad_token: '<|endoftext|>',
}

export interface ByteLevelOptions {
  readonly settings: TokenizerSettings
  readonly recipe: 'roberta' | 'gpt2' | 'clip'
}

const BYTE_TOKENS: Readonly<Record<ByteLevelOptions['recipe'], DefaultTokens>> = {
  roberta: ROBERTA_TOKENS,
  gpt2: GPT2_TOKENS,
  clip: CLIP_TOKENS,
}

/** Throws `model_invalid` for files that are missing or broken. */
export async function makeByteLevel(folder: string, text: string, { settings, recipe }: ByteLevelOptions) {
  const merges = await readText(join(folder, 'merges.txt'))
  if (merges === undefined)
    throw new ServerError('model_invalid', 'vocab.json needs merges.txt beside it, which is missing')
  const vocabulary = new Map(Object.entries(parseJson(text, Vocabulary, 'vocab.json')))
  const tokens = await specialTokens(folder, BYTE_TOKENS[recipe], vocabulary)
  const pairs = { vocab: Object.fromEntries(vocabulary), merges: readMerges(merges, vocabulary) }
  if (recipe === 'clip') return makeClip(tokens, pairs)
  const addsPrefix = settings.add_prefix_space ?? false
  const byteLevel = { type: 'ByteLevel', trim_offsets: true, use_regex: true }
  return {
    added_tokens: tokens.added,
    normalizer: null,
    pre_tokenizer: { ...byteLevel, add_prefix_space: addsPrefix },
    post_processor: recipe === 'gpt2' ? gpt2Template(tokens, settings) : robertaProcessing(tokens, settings),
    decoder: { ...byteLevel, add_prefix_space: true },
    model: { ...BYTE_PAIRS, ...pairs },
  }
}

const BYTE_PAIRS = {
  type: 'BPE',
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: '',
  end_of_word_suffix: '',
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
}

/** Words are lowercased, blanks between them are lost, and the last piece of each has an end of its own. */
function makeClip(
  tokens: SpecialTokens,
  pairs: { readonly vocab: object; readonly merges: readonly unknown[] },
) {
  const words = String.raw`<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`
  const byteLevel = { type: 'ByteLevel', trim_offsets: true, use_regex: true }
  return {
    added_tokens: tokens.added,
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: String.raw`\s+` }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: words }, behavior: 'Removed', invert: true },
        { ...byteLevel, add_prefix_space: false },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: tokenOf(tokens, 'eos_token', 'vocab.json'),
      cls: tokenOf(tokens, 'bos_token', 'vocab.json'),
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { ...byteLevel, add_prefix_space: true },
    model: {
      ...BYTE_PAIRS,
      ...pairs,
      unk_token: tokens.roles.unk_token ?? null,
      end_of_word_suffix: '</w>',
    },
  }
}

function robertaProcessing(tokens: SpecialTokens, settings: TokenizerSettings) {
  return {
    type: 'RobertaProcessing',
    sep: tokenOf(tokens, 'sep_token', 'vocab.json'),
    cls: tokenOf(tokens, 'cls_token', 'vocab.json'),
    trim_offsets: settings.trim_offsets ?? true,
    add_prefix_space: settings.add_prefix_space ?? false,
  }
}

function gpt2Template(tokens: SpecialTokens, settings: TokenizerSettings) {
  return framedTemplate(
    settings.add_bos_token === true ? tokenOf(tokens, 'bos_token', 'vocab.json') : undefined,
    settings.add_eos_token === true ? tokenOf(tokens, 'eos_token', 'vocab.json') : undefined,
  )
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
