/** How a multi-vector model reads queries and documents, as folders of three ages say it. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'

const Length = z.int().positive()

const QueryExpansion = z.strictObject({
  strategy: z.enum(['fixed', 'min']),
  attend: z.boolean().optional(),
  token: z.string().nullish(),
  length: Length,
})

/** What short queries are filled up with, to how many tokens; `fixed`: longer ones are cut to as many. */
export type QueryExpansion = z.infer<typeof QueryExpansion>

export interface ReadingSettings {
  readonly queryLength?: number | undefined
  readonly documentLength?: number | undefined
  readonly expansion?: QueryExpansion | undefined
}

/** Of the Transformer module, as sentence-transformers 6 saves it. */
const TransformerConfig = z.looseObject({
  query_length: Length.nullish(),
  document_length: Length.nullish(),
  query_expansion: QueryExpansion.nullish(),
})

/** PyLate's own, in config_sentence_transformers.json. */
export const PylateConfig = z.looseObject({
  query_prefix: z.string().nullish(),
  document_prefix: z.string().nullish(),
  query_length: Length.nullish(),
  document_length: Length.nullish(),
  query_expansion: QueryExpansion.nullish(),
  do_query_expansion: z.boolean().nullish(),
  attend_to_expansion_tokens: z.boolean().nullish(),
  attend_to_mask_tokens: z.boolean().nullish(),
  skiplist_words: z.array(z.string()).nullish(),
})

export type PylateConfig = z.infer<typeof PylateConfig>

const MARKS = [
  'query_prefix',
  'document_prefix',
  'query_length',
  'document_length',
  'query_expansion',
  'do_query_expansion',
  'attend_to_expansion_tokens',
  'attend_to_mask_tokens',
  'skiplist_words',
] as const satisfies readonly (keyof PylateConfig)[]

/** Whether PyLate wrote a folder: no other library has these settings. */
export function isPylate(config: PylateConfig): boolean {
  return MARKS.some((mark) => Object.hasOwn(config, mark))
}

/** Tokens of a query that is filled up, where a folder does not say how many. */
export const USUAL_QUERY_TOKENS = 32

/**
 * The Transformer module's own settings, else PyLate's, with queries filled up unless they say that they are not
 * (sentence-transformers 6.2, MultiVectorEncoder). Throws `model_invalid`.
 */
export async function readReadingSettings(
  transformer: string,
  pylate: PylateConfig,
  model: string,
): Promise<ReadingSettings> {
  const file = join(transformer, 'sentence_bert_config.json')
  const own = (await readJson(file, TransformerConfig)) ?? {}
  const legacy = readPylate(pylate)
  const isOwn = (key: keyof typeof own) => Object.hasOwn(own, key)
  const settings = {
    queryLength: (isOwn('query_length') ? own.query_length : legacy.queryLength) ?? undefined,
    documentLength: (isOwn('document_length') ? own.document_length : legacy.documentLength) ?? undefined,
    expansion: (isOwn('query_expansion') ? own.query_expansion : legacy.expansion) ?? undefined,
  }
  const { queryLength, expansion } = settings
  if (queryLength !== undefined && expansion !== undefined && queryLength < expansion.length) {
    throw new ServerError(
      'model_invalid',
      `${model}: query_length is ${queryLength}, and queries are filled up to ${expansion.length} tokens; it must be as many or more`,
    )
  }
  return settings
}

function readPylate(config: PylateConfig): ReadingSettings {
  const documentLength = config.document_length ?? undefined
  const queryLength = config.query_length ?? undefined
  if (Object.hasOwn(config, 'query_expansion'))
    return { queryLength, documentLength, expansion: config.query_expansion ?? undefined }
  if (!isPylate(config) || config.do_query_expansion === false) return { queryLength, documentLength }
  const attend = config.attend_to_expansion_tokens ?? config.attend_to_mask_tokens ?? false
  const length = queryLength ?? USUAL_QUERY_TOKENS
  return { documentLength, expansion: { strategy: 'fixed', attend, length } }
}
