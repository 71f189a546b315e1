/** What each class of transformers (5.23) makes of a model of SentencePiece, as the parts of a tokenizer.json. */
import { ServerError } from '../../errors.ts'
import type { Piece as Token } from '../post-processor.ts'
import { bertTemplate, framedTemplate, robertaTemplate, templateProcessing } from '../post-processor.ts'
import type { DefaultTokens, Entry, Role, SpecialTokens } from '../special-tokens.ts'
import { ROBERTA_TOKENS } from '../special-tokens.ts'
import type { PrependScheme, ScoredPiece } from './parts.ts'
import {
  bytePairs,
  bytesDecoder,
  metaspace,
  precompiled,
  replace,
  sequence,
  unigram,
  words,
} from './parts.ts'
import type { PieceModel } from './read-pieces.ts'

/** Of tokenizer_config.json. */
export interface PieceSettings {
  readonly add_prefix_space?: boolean | null | undefined
  readonly add_bos_token?: boolean | null | undefined
  readonly add_eos_token?: boolean | null | undefined
  readonly do_lower_case?: boolean | null | undefined
  readonly keep_accents?: boolean | null | undefined
  readonly split_by_punct?: boolean | null | undefined
  readonly legacy?: boolean | null | undefined
  readonly extra_ids?: number | null | undefined
}

export interface PieceSource {
  readonly model: PieceModel
  readonly settings: PieceSettings
  readonly roles: SpecialTokens['roles']
}

export interface PieceRecipe {
  /** Where the model lies, unless it is called tokenizer.model. */
  readonly file: string
  /** Undefined: either. */
  readonly algorithm?: PieceModel['algorithm']
  readonly defaults: (model: PieceModel) => DefaultTokens
  /** Tokens that are added beside those of the model. */
  readonly extra?: (settings: PieceSettings, pieces: readonly Entry[]) => readonly Entry[]
  readonly vocabulary: (source: PieceSource) => readonly ScoredPiece[]
  readonly parts: (source: PieceSource, vocabulary: readonly ScoredPiece[]) => object
  /** `find`: the token of a role, with its id. */
  readonly postProcessor: (find: (role: Role) => Token, source: PieceSource) => object
}

const BRACKETED_TOKENS: DefaultTokens = {
  bos_token: '[CLS]',
  eos_token: '[SEP]',
  unk_token: '<unk>',
  sep_token: '[SEP]',
  pad_token: '<pad>',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
}

const SENTINEL = '<extra_id_'

/** T5's sentinels, which its vocabulary ends with. */
const MAX_SENTINELS = 10_000

const XLM_ROBERTA: PieceRecipe = {
  file: 'sentencepiece.bpe.model',
  algorithm: 'unigram',
  defaults: () => ROBERTA_TOKENS,
  // the first three pieces are those of the roles, in another order
  vocabulary: ({ model, roles }) => [
    ...unscored(roles, ['bos_token', 'pad_token', 'eos_token', 'unk_token']),
    ...scored(model).slice(3),
    ...unscored(roles, ['mask_token']),
  ],
  parts: ({ model, settings }, vocabulary) => ({
    normalizer: precompiled(model) ?? null,
    pre_tokenizer: words(markedUnless(settings, 'never')),
    decoder: metaspace(markedUnless(settings, 'never')),
    model: unigram(vocabulary, 3),
  }),
  postProcessor: (find) => robertaTemplate(find('bos_token'), find('eos_token')),
}

const CAMEMBERT: PieceRecipe = {
  ...XLM_ROBERTA,
  defaults: () => ({ ...ROBERTA_TOKENS, mask_token: { content: '<mask>', lstrip: true } }),
  vocabulary: ({ model, roles }) => [
    ['<s>NOTUSED', 0],
    ...unscored(roles, ['pad_token']),
    ['</s>NOTUSED', 0],
    ...unscored(roles, ['unk_token']),
    ['<unk>NOTUSED', -100],
    ...scored(model).slice(1),
    ...unscored(roles, ['mask_token']),
  ],
}

const T5: PieceRecipe = {
  file: 'spiece.model',
  algorithm: 'unigram',
  defaults: () => ({ eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' }),
  extra: (settings, pieces) => {
    const sentinels = sentinelsOf(settings)
    const own = pieces.filter(({ content }) => content.includes(SENTINEL))
    if (own.length > 0 && sentinels.length > 0 && own.length !== sentinels.length)
      throw new ServerError(
        'model_invalid',
        `extra_ids is ${sentinels.length}; the vocabulary has ${own.length} of them`,
      )
    return own.length > 0 ? pieces : [...pieces, ...sentinels.map((content) => ({ content, special: true }))]
  },
  vocabulary: ({ model, settings }) => [
    ...scored(model),
    ...sentinelsOf(settings)
      .toReversed()
      .map((content) => [content, 0] as const),
  ],
  parts: ({ model }, vocabulary) => ({
    normalizer: precompiled(model) ?? null,
    pre_tokenizer: words('always'),
    decoder: metaspace('always'),
    model: unigram(vocabulary, 2),
  }),
  postProcessor: (find) => {
    const eos: Token = ['</s>', find('eos_token')[1]]
    const single = [['A', 0] as const, [eos, 0] as const]
    return templateProcessing(single, [...single, ['B', 0], [eos, 0]])
  },
}

const ALBERT: PieceRecipe = {
  file: 'spiece.model',
  algorithm: 'unigram',
  defaults: () => BRACKETED_TOKENS,
  vocabulary: ({ model }) => scored(model),
  parts: ({ model, settings }, vocabulary) => ({
    normalizer: sequence('normalizers', [
      replace({ String: '``' }, '"'),
      replace({ String: "''" }, '"'),
      ...(settings.keep_accents === true ? [] : [{ type: 'NFKD' }, { type: 'StripAccents' }]),
      (settings.do_lower_case ?? true) ? { type: 'Lowercase' } : undefined,
      precompiled(model),
    ]),
    pre_tokenizer: words(markedUnless(settings, 'never')),
    decoder: metaspace(markedUnless(settings, 'never')),
    model: unigram(vocabulary, 1),
  }),
  // whatever these tokens are called
  postProcessor: (find) => bertTemplate(['[CLS]', find('cls_token')[1]], ['[SEP]', find('sep_token')[1]]),
}

const DEBERTA: PieceRecipe = {
  file: 'spm.model',
  algorithm: 'unigram',
  defaults: () => ({ ...BRACKETED_TOKENS, unk_token: '[UNK]', pad_token: '[PAD]' }),
  vocabulary: ({ model }) => scored(model),
  parts: ({ model, settings, roles }, vocabulary) => ({
    normalizer: sequence('normalizers', [
      settings.do_lower_case === true ? { type: 'Lowercase' } : undefined,
      replace({ Regex: String.raw`\s{2,}|[\n\r\t]` }, ' '),
      { type: 'NFC' },
      { type: 'Strip', strip_left: false, strip_right: true },
    ]),
    pre_tokenizer: sequence('pretokenizers', [
      settings.split_by_punct === true ? { type: 'Punctuation', behavior: 'Isolated' } : undefined,
      metaspace(markedUnless(settings, 'first')),
    ]),
    decoder: metaspace(markedUnless(settings, 'first')),
    model: unigram(vocabulary, placeOf(vocabulary, roles.unk_token, 0) ?? model.unknownId),
  }),
  postProcessor: (find) => bertTemplate(find('cls_token'), find('sep_token')),
}

const LLAMA: PieceRecipe = {
  file: 'tokenizer.model',
  algorithm: 'bpe',
  defaults: () => ({ bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }),
  vocabulary: ({ model }) => scored(model),
  parts: ({ settings }, vocabulary) => {
    const scheme = markedUnless(settings, 'never')
    return {
      normalizer: null,
      pre_tokenizer: metaspace(scheme === 'always' && settings.legacy !== true ? 'first' : scheme, false),
      decoder: bytesDecoder({ strips: scheme !== 'never' }),
      model: bytePairs(vocabulary, { unknown: undefined, byteFallback: true }),
    }
  },
  postProcessor: framed,
}

const GEMMA: PieceRecipe = {
  file: 'tokenizer.model',
  algorithm: 'bpe',
  defaults: () => ({
    bos_token: '<bos>',
    eos_token: '<eos>',
    unk_token: '<unk>',
    pad_token: '<pad>',
    mask_token: '<mask>',
  }),
  vocabulary: ({ model }) => scored(model),
  parts: ({ roles }, vocabulary) => ({
    normalizer: replace({ String: ' ' }, '▁'),
    pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false },
    decoder: bytesDecoder({}),
    model: bytePairs(vocabulary, { unknown: roles.unk_token, byteFallback: true }),
  }),
  postProcessor: framed,
}

/** Of models that have no class of their own. */
const PLAIN: PieceRecipe = {
  file: 'tokenizer.model',
  defaults: ({ tokens }) => ({
    ...(tokens.bos === undefined ? {} : { bos_token: tokens.bos }),
    ...(tokens.eos === undefined ? {} : { eos_token: tokens.eos }),
    ...(tokens.unk === undefined ? {} : { unk_token: tokens.unk }),
  }),
  vocabulary: ({ model }) => scored(model),
  parts: ({ model }, vocabulary) => ({
    normalizer: sequence('normalizers', [precompiled(model), replace({ String: ' ' }, '▁')]),
    pre_tokenizer: null,
    decoder: model.byteFallback ? bytesDecoder({}) : sequence('decoders', [replace({ String: '▁' }, ' ')]),
    model:
      model.algorithm === 'bpe'
        ? bytePairs(vocabulary, { unknown: model.unknownContent, byteFallback: model.byteFallback })
        : unigram(vocabulary, model.unknownId, model.byteFallback),
  }),
  postProcessor: framed,
}

/** By the name of the class. */
export const PIECE_RECIPES: Readonly<Record<string, PieceRecipe>> = {
  XLMRobertaTokenizer: XLM_ROBERTA,
  CamembertTokenizer: CAMEMBERT,
  T5Tokenizer: T5,
  AlbertTokenizer: ALBERT,
  DebertaV2Tokenizer: DEBERTA,
  LlamaTokenizer: LLAMA,
  GemmaTokenizer: GEMMA,
  TokenizersBackend: PLAIN,
}

function framed(find: (role: Role) => Token, { settings, roles }: PieceSource) {
  const adds = (role: 'bos_token' | 'eos_token', added: boolean | null | undefined) =>
    added === true && roles[role] !== undefined ? find(role) : undefined
  return framedTemplate(adds('bos_token', settings.add_bos_token), adds('eos_token', settings.add_eos_token))
}

function scored({ pieces }: PieceModel): readonly ScoredPiece[] {
  return pieces.map(({ content, score }) => [content, score])
}

function unscored(roles: SpecialTokens['roles'], wanted: readonly Role[]): readonly ScoredPiece[] {
  return wanted.map((role) => [roles[role] as string, 0])
}

function placeOf(
  vocabulary: readonly ScoredPiece[],
  content: string | undefined,
  score: number,
): number | undefined {
  const place = vocabulary.findIndex((piece) => piece[0] === content && piece[1] === score)
  return place < 0 ? undefined : place
}

function sentinelsOf({ extra_ids: count }: PieceSettings): readonly string[] {
  if (count !== undefined && count !== null && count > MAX_SENTINELS)
    throw new ServerError('model_invalid', `extra_ids is ${count}; at most ${MAX_SENTINELS} are allowed`)
  return Array.from({ length: count ?? 100 }, (_, i) => `${SENTINEL}${i}>`)
}

function markedUnless(
  { add_prefix_space: adds }: PieceSettings,
  otherwise: 'first' | 'never',
): PrependScheme {
  return (adds ?? true) ? 'always' : otherwise
}
