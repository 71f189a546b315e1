/** Which tokens stand for a text: settings of a multi-vector model made into ids of its tokenizer. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'
import type { QueryExpansion, ReadingSettings } from './reading-settings.ts'
import type { Expansion, KindRules, TokenizerSpec, TokenRules } from './spec.ts'
import type { FindToken } from './token-ids.ts'
import { readTokenIds } from './token-ids.ts'

/** What Python calls punctuation. */
export const PUNCTUATION: readonly string[] = Array.from('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~')

/** A MultiVectorMask module. */
export interface MaskSettings {
  /** Tokens whose vectors are dropped. */
  readonly words: readonly string[]
  /** Of texts of these kinds. */
  readonly tasks: readonly string[]
  /** The only tokens of documents whose vectors count. */
  readonly keptIds?: readonly number[] | undefined
}

export interface RuleFacts {
  readonly settings: ReadingSettings
  /** Undefined: every token counts that the body attends to. */
  readonly mask: MaskSettings | undefined
  readonly similarity: TokenRules['similarity']
  readonly tokenizer: TokenizerSpec
  /** The Transformer's folder. */
  readonly transformer: string
  /** What errors call the model. */
  readonly model: string
}

const Named = z.union([z.string(), z.looseObject({ content: z.string() })])

const TokenizerConfig = z.looseObject({
  mask_token: Named.nullish(),
  eos_token: Named.nullish(),
  padding_side: z.string().nullish(),
})

/** Throws `model_invalid` for a token that the vocabulary lacks, `model_unsupported` where queries are filled up at their beginning. */
export async function readTokenRules(facts: RuleFacts): Promise<TokenRules> {
  const { settings, mask, similarity, tokenizer } = facts
  const find = await readTokenIds(tokenizer)
  // Words that are no single token are passed over, as in the reference.
  const skippedIds = [...new Set((mask?.words ?? []).flatMap((word) => find(word) ?? []))]
  const skippedIn = (task: string) => (mask?.tasks.includes(task) === true ? skippedIds : [])
  const keptIds = mask?.keptIds
  const document: KindRules = {
    ...(settings.documentLength && { maxTokens: settings.documentLength }),
    skippedIds: skippedIn('document'),
    ...(keptIds && keptIds.length > 0 && { keptIds }),
  }
  return { query: await readQuery(facts, find, skippedIn('query')), document, similarity }
}

async function readQuery(
  facts: RuleFacts,
  find: FindToken,
  skippedIds: readonly number[],
): Promise<KindRules> {
  const { expansion, queryLength } = facts.settings
  if (expansion === undefined) return { ...(queryLength && { maxTokens: queryLength }), skippedIds }
  const maxTokens = expansion.strategy === 'fixed' ? expansion.length : queryLength
  // Without a mask module tokens that nobody attends to do not count either: nothing would come of them.
  const counts = facts.mask !== undefined || expansion.attend === true
  return {
    ...(maxTokens && { maxTokens }),
    skippedIds,
    ...(counts && { expansion: await findExpansion(facts, expansion, find) }),
  }
}

async function findExpansion(
  { transformer, tokenizer, model }: RuleFacts,
  { token, length, attend = false }: QueryExpansion,
  find: FindToken,
): Promise<Expansion> {
  const config = (await readJson(join(transformer, 'tokenizer_config.json'), TokenizerConfig)) ?? {}
  if (config.padding_side === 'left') {
    throw new ServerError(
      'model_unsupported',
      `${model}: tokenizer_config.json has padding_side left; queries are filled up at their end only`,
    )
  }
  // The names that classes have by themselves, then what PyLate takes of a decoder.
  const usual = [contentOf(config.mask_token), '[MASK]', '<mask>', contentOf(config.eos_token)]
  const names = token ? [token] : usual.filter((name) => name !== undefined)
  const id = names.map(find).find((found) => found !== undefined)
  if (id === undefined || id >= (tokenizer.vocabularySize ?? Infinity)) {
    const what = id === undefined ? 'is not in the vocabulary' : `has id ${id}, which the model lacks`
    throw new ServerError(
      'model_invalid',
      `${model}: queries are filled up with a token that ${what}: ${names.join(', ')}`,
    )
  }
  return { id, tokens: length, attended: attend }
}

function contentOf(token: z.infer<typeof Named> | null | undefined): string | undefined {
  return typeof token === 'object' ? token?.content : token
}
