import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import type { ConfigJson } from './config-json.ts'
import { readJson } from './json-file.ts'
import { openFile } from './open-file.ts'
import type { TokenizerSpec, TruncationSide } from './spec.ts'
import { lowersCase, passesTokenTypes, tokenizerClass } from './tokenizer-class.ts'
import type { TokenizerClass } from './tokenizer-parts.ts'
import { readTokenizerParts } from './tokenizer-parts.ts'

/** Names that the Transformer module's config had over the years, the present one first. */
export const TRANSFORMER_CONFIGS: readonly string[] = [
  'sentence_bert_config.json',
  'sentence_roberta_config.json',
  'sentence_distilbert_config.json',
  'sentence_camembert_config.json',
  'sentence_albert_config.json',
  'sentence_xlm-roberta_config.json',
  'sentence_xlnet_config.json',
]

const TransformerConfig = z.looseObject({
  max_seq_length: z.int().positive().nullish(),
  do_lower_case: z.boolean().nullish(),
})

const TokenizerConfig = z.looseObject({
  // Some folders write 1e30 for "no limit".
  model_max_length: z.number().min(1).nullish(),
  truncation_side: z.enum(['left', 'right']).nullish(),
  tokenizer_class: z.string().nullish(),
  model_input_names: z.array(z.string()).nullish(),
})

const Vocabulary = z.looseObject({ vocab_size: z.int().positive().nullish() })

/**
 * How a folder wants its texts cut. The limit is the Transformer module's `max_seq_length`, else the tokenizer's
 * `model_max_length`, never above `max_position_embeddings` (sentence-transformers 6.2, Transformer module). Without
 * tokenizer.json, one is made of the vocabulary. Throws `model_invalid`, or `model_unsupported` for a vocabulary that is not read.
 */
export async function readTokenizerSpec(
  folder: string,
  options: { model: string; config: ConfigJson; useModuleConfig: boolean },
): Promise<TokenizerSpec> {
  const { model, config, useModuleConfig } = options
  const tokenizer = (await readJson(join(folder, 'tokenizer_config.json'), TokenizerConfig)) ?? {}
  const className = tokenizerClass(tokenizer.tokenizer_class, config)
  const { head, ...source } = await findTokenizer(folder, model, { className, modelType: config.model_type })
  const module = useModuleConfig ? await readTransformerConfig(folder) : {}
  const limits = [
    module.max_seq_length ?? tokenizer.model_max_length,
    config.max_position_embeddings ?? undefined,
  ].filter((limit): limit is number => typeof limit === 'number' && limit < 1e9)
  return {
    ...source,
    passesTypes: passesTokenTypes(className, tokenizer.model_input_names),
    vocabularySize: Vocabulary.safeParse(config).data?.vocab_size ?? undefined,
    maxTokens: limits.length > 0 ? Math.floor(Math.min(...limits)) : undefined,
    truncationSide: tokenizer.truncation_side ?? ownTruncationSide(head) ?? 'right',
    lowerCase: module.do_lower_case === true || lowersCase(className),
  }
}

interface FoundTokenizer {
  readonly file: string
  readonly content?: string
  /** The beginning of tokenizer.json. */
  readonly head: string
}

async function findTokenizer(
  folder: string,
  model: string,
  classes: TokenizerClass,
): Promise<FoundTokenizer> {
  const file = join(folder, 'tokenizer.json')
  const head = await readHead(file).catch(() => undefined)
  if (head !== undefined) return { file, head }
  const parts = await readTokenizerParts(folder, classes).catch((error: unknown) => {
    if (!(error instanceof ServerError)) throw error
    throw new ServerError(error.code, `${model}: ${error.message}`, { cause: error })
  })
  if (parts !== undefined) return { ...parts, head: '' }
  throw new ServerError(
    'model_invalid',
    `${model}: tokenizer.json is missing, and so is a vocabulary in its place`,
  )
}

async function readTransformerConfig(folder: string): Promise<z.infer<typeof TransformerConfig>> {
  for (const name of TRANSFORMER_CONFIGS) {
    const config = await readJson(join(folder, name), TransformerConfig)
    if (config !== undefined) return config
  }
  return {}
}

/** The start of tokenizer.json, which can be many megabytes: the library writes the truncation section first. */
async function readHead(file: string): Promise<string> {
  const handle = await openFile(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}

/** The direction that tokenizer.json itself names: in force where tokenizer_config.json is silent. */
function ownTruncationSide(head: string): TruncationSide | undefined {
  const side = /"truncation":\s*\{[^}]*"direction":\s*"(Left|Right)"/.exec(head)?.[1]
  return side === undefined ? undefined : side === 'Left' ? 'left' : 'right'
}
