/** The tokens that a tokenizer adds to its vocabulary or finds whole in a text, as the files beside a vocabulary name them. */
import { join } from 'node:path'
import { z } from 'zod'
import { readJson } from './json-file.ts'

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

type Entry = z.infer<typeof Flags>

export interface SpecialTokens {
  /** The token of each role that the tokenizer has. */
  readonly roles: Readonly<Partial<Record<Role, string>>>
  /** Every token that is added, in the order of ids. */
  readonly added: readonly AddedToken[]
}

/**
 * Reads tokenizer_config.json, and where that has no `added_tokens_decoder`, special_tokens_map.json and added_tokens.json
 * (transformers 5.23). `defaults`: the tokens that the class has by itself. Ids that the vocabulary lacks follow its last.
 */
export async function readSpecialTokens(
  folder: string,
  defaults: Readonly<Partial<Record<Role, string | Entry>>>,
  vocabulary: ReadonlyMap<string, number>,
): Promise<SpecialTokens> {
  const config = (await readJson(join(folder, 'tokenizer_config.json'), TokenizerConfig)) ?? {}
  const listed = config.added_tokens_decoder
  const map = listed ? {} : ((await readJson(join(folder, 'special_tokens_map.json'), NamedTokens)) ?? {})
  const chosen = ROLES.flatMap((role) => {
    const token = map[role] ?? config[role] ?? defaults[role]
    return token === undefined || token === null ? [] : [[role, token] as const]
  })
  const extra = [map, config].flatMap((source) => [
    ...(source.additional_special_tokens ?? []),
    ...Object.values(source.extra_special_tokens ?? []),
  ])
  const special = [...chosen.map(([, token]) => token), ...extra]
  const known = listed ? inOrder(listed) : await readAddedTokens(folder, special)
  return {
    roles: Object.fromEntries(chosen.map(([role, token]) => [role, contentOf(token)])),
    added: number([...known, ...special.map((token) => asSpecial(token))], vocabulary),
  }
}

function inOrder(listed: Readonly<Record<string, Entry>>): readonly Entry[] {
  return Object.entries(listed)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, token]) => token)
}

/** The file of the time before flags: tokens and ids. */
async function readAddedTokens(
  folder: string,
  special: readonly (string | Entry)[],
): Promise<readonly Entry[]> {
  const tokens = (await readJson(join(folder, 'added_tokens.json'), AddedTokens)) ?? {}
  const names = new Set(special.map(contentOf))
  return Object.entries(tokens)
    .sort(([, a], [, b]) => a - b)
    .map(([content]) => ({ content, special: names.has(content), normalized: !names.has(content) }))
}

function asSpecial(token: string | Entry): Entry {
  return typeof token === 'string' ? { content: token, special: true } : { ...token, special: true }
}

function contentOf(token: string | Entry): string {
  return typeof token === 'string' ? token : token.content
}

/** Each token once, the first mention counts; ids as the tokenizers library gives them. */
function number(tokens: readonly Entry[], vocabulary: ReadonlyMap<string, number>): readonly AddedToken[] {
  const special = new Set(tokens.flatMap((token) => (token.special === true ? [token.content] : [])))
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
      normalized: flags.normalized ?? !special.has(content),
      special: special.has(content),
    })
  }
  return [...added.values()].sort((a, b) => a.id - b.id)
}
