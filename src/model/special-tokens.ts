/** The tokens that a tokenizer adds to its vocabulary or finds whole in a text, as the files beside a vocabulary name them. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'
import type { Piece } from './post-processor.ts'

/** As tokenizer.json writes it. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly single_word: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly normalized: boolean
  readonly special: boolean
}

const Flags = z.looseObject({
  content: z.string(),
  single_word: z.boolean().nullish(),
  lstrip: z.boolean().nullish(),
  rstrip: z.boolean().nullish(),
  normalized: z.boolean().nullish(),
  special: z.boolean().nullish(),
})

const Token = z.union([z.string(), Flags])

/** The names of tokens, in the order in which those that the vocabulary lacks get their ids. */
const ROLES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const

export type Role = (typeof ROLES)[number]

const named = Object.fromEntries(ROLES.map((role) => [role, Token.nullish()])) as Record<
  Role,
  z.ZodOptional<z.ZodNullable<typeof Token>>
>

const NamedTokens = z.looseObject({
  ...named,
  // older files call them additional; a dictionary names them, which says nothing about their ids
  additional_special_tokens: z.array(Token).nullish(),
  extra_special_tokens: z.union([z.array(Token), z.record(z.string(), Token)]).nullish(),
})

const TokenizerConfig = NamedTokens.extend({ added_tokens_decoder: z.record(z.string(), Flags).nullish() })

const AddedTokens = z.record(z.string(), z.int().nonnegative())

export type Entry = z.infer<typeof Flags>

export interface SpecialTokens {
  /** The token of each role that the tokenizer has. */
  readonly roles: Readonly<Partial<Record<Role, string>>>
  /** Every token that is added, in the order of ids. */
  readonly added: readonly AddedToken[]
}

/** What a folder's files say of its tokens, before there is a vocabulary. */
export interface NamedSpecialTokens {
  readonly roles: SpecialTokens['roles']
  /** The tokens that are added, with their ids. Those that the vocabulary lacks follow its last. */
  readonly addTo: (vocabulary: ReadonlyMap<string, number>) => readonly AddedToken[]
}

/** Tokens that a class has by itself; flags of one hold for whatever token a folder names in its place, unless it has its own. */
export type DefaultTokens = Readonly<Partial<Record<Role, string | Entry>>>

/** Of RoBERTa, and of the models that fairseq made after it. */
export const ROBERTA_TOKENS: DefaultTokens = {
  bos_token: '<s>',
  eos_token: '</s>',
  unk_token: '<unk>',
  sep_token: '</s>',
  pad_token: '<pad>',
  cls_token: '<s>',
  mask_token: '<mask>',
}

/**
 * Reads tokenizer_config.json, and where that has no `added_tokens_decoder`, special_tokens_map.json and added_tokens.json
 * (transformers 5.23). `pieces`: tokens of the vocabulary's own file, which count where tokenizer_config.json names none
 * but those that have roles.
 */
export async function readSpecialTokens(
  folder: string,
  defaults: DefaultTokens,
  pieces?: readonly Entry[],
): Promise<NamedSpecialTokens> {
  const config = (await readJson(join(folder, 'tokenizer_config.json'), TokenizerConfig)) ?? {}
  const listed = config.added_tokens_decoder
  const map = listed ? {} : ((await readJson(join(folder, 'special_tokens_map.json'), NamedTokens)) ?? {})
  const chosen = ROLES.flatMap((role) => {
    const token = map[role] ?? config[role] ?? defaults[role]
    return token === undefined || token === null ? [] : [[role, withFlags(token, defaults[role])] as const]
  })
  const extra = extraTokens(map, config, pieces)
  const known = listed ? inOrder(listed) : await readAddedTokens(folder, namedBy(map, config))
  const tokens = [...known, ...chosen.map(([, token]) => asSpecial(token)), ...extra]
  const roles = Object.fromEntries(chosen.map(([role, token]) => [role, contentOf(token)]))
  return { roles, addTo: (vocabulary) => number(tokens, roles, vocabulary) }
}

type Named = z.infer<typeof NamedTokens>

/** Tokens without a role: of special_tokens_map.json and tokenizer_config.json, or of the vocabulary's own file. */
function extraTokens(map: Named, config: Named, pieces: readonly Entry[] | undefined): readonly Entry[] {
  const listed = (source: Named) => [
    ...(source.additional_special_tokens ?? []),
    ...Object.values(source.extra_special_tokens ?? []),
  ]
  if (pieces === undefined) return [...listed(map), ...listed(config)].map(asSpecial)
  // pieces take the place of what the older file has under the older name
  const lists = [configTokens(config), map.extra_special_tokens]
  const named = lists.flatMap((tokens) => Object.values(tokens ?? [])).map(asSpecial)
  return lists.some(Array.isArray) ? named : [...named, ...pieces]
}

function configTokens(config: Named): Named['extra_special_tokens'] {
  const { additional_special_tokens: older, extra_special_tokens: extra } = config
  return isFilled(extra) ? extra : (older ?? extra)
}

/** Tokens that are special by what the files say, and not by their class. */
function namedBy(map: Named, config: Named): ReadonlySet<string> {
  const roles = ROLES.flatMap((role) => map[role] ?? config[role] ?? [])
  const lists = [configTokens(config), map.extra_special_tokens].filter((list) => Array.isArray(list))
  return new Set([...roles, ...lists.flat()].map(contentOf))
}

function isFilled(tokens: Named['extra_special_tokens']): boolean {
  return Object.keys(tokens ?? []).length > 0
}

/** A token that is named without flags has those of the class's own. */
function withFlags(token: string | Entry, own: string | Entry | undefined): string | Entry {
  return typeof token === 'string' && typeof own === 'object' ? { ...own, content: token } : token
}

function inOrder(listed: Readonly<Record<string, Entry>>): readonly Entry[] {
  return Object.entries(listed)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, token]) => token)
}

/** The file of the time before flags: tokens and ids. */
async function readAddedTokens(folder: string, special: ReadonlySet<string>): Promise<readonly Entry[]> {
  const tokens = (await readJson(join(folder, 'added_tokens.json'), AddedTokens)) ?? {}
  return Object.entries(tokens)
    .sort(([, a], [, b]) => a - b)
    .map(([content]) => ({ content, special: special.has(content), normalized: !special.has(content) }))
}

function asSpecial(token: string | Entry): Entry {
  return typeof token === 'string' ? { content: token, special: true } : { ...token, special: true }
}

function contentOf(token: string | Entry): string {
  return typeof token === 'string' ? token : token.content
}

/** Each token once, the first mention counts, but a role makes special; ids as the tokenizers library gives them. */
function number(
  tokens: readonly Entry[],
  roles: SpecialTokens['roles'],
  vocabulary: ReadonlyMap<string, number>,
): readonly AddedToken[] {
  const special = new Set(Object.values(roles))
  const added = new Map<string, AddedToken>()
  let next = vocabulary.size
  for (const { content, ...flags } of tokens) {
    if (content === '' || added.has(content)) continue
    added.set(content, {
      id: vocabulary.get(content) ?? next++,
      content,
      single_word: flags.single_word ?? false,
      lstrip: flags.lstrip ?? false,
      rstrip: flags.rstrip ?? false,
      normalized: flags.normalized ?? flags.special !== true,
      special: flags.special === true || special.has(content),
    })
  }
  return [...added.values()].sort((a, b) => a.id - b.id)
}

/** The tokens of a folder with this vocabulary. */
export async function specialTokens(
  folder: string,
  defaults: DefaultTokens,
  vocabulary: ReadonlyMap<string, number>,
): Promise<SpecialTokens> {
  const { roles, addTo } = await readSpecialTokens(folder, defaults)
  return { roles, added: addTo(vocabulary) }
}

/** Throws `model_invalid` for a role that no token has; `file`: where it is missed. */
export function tokenOf({ roles, added }: SpecialTokens, role: Role, file: string): Piece {
  const content = roles[role] ?? ''
  const token = added.find((candidate) => candidate.content === content)
  if (token === undefined) throw lacksToken(file, role)
  return [token.content, token.id]
}

export function lacksToken(file: string, token: string): ServerError {
  return new ServerError('model_invalid', `${file} lacks the token ${token}`)
}
