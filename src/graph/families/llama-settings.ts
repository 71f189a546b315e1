/** What the relatives of Llama read from config.json and their weights in the same way. */
import type { ConfigReader } from '../config-reader.ts'
import type { ClassifierPlan } from '../heads/classifier.ts'
import type { Family } from './family.ts'
import { unbiased } from './names.ts'

/** Names of a body of this kind; a whole language model puts `model.` before them, and its head beside them. */
export const LLAMA_NAMES = {
  prefixes: ['', 'model.'],
  probe: 'embed_tokens.weight',
  body: /^(embed_tokens|layers|norm)\./,
  ignored: [/\.rotary_emb\.inv_freq$/],
} as const satisfies Partial<Family>

export interface LlamaSizes {
  readonly heads: number
  readonly keyHeads: number
  readonly headWidth: number
}

/**
 * Defaults are for a config.json that does not name the setting. Where there are none, or it says null, key heads are as
 * many as heads, and heads share the hidden width.
 */
export function readSizes(
  config: ConfigReader,
  defaults: { readonly keyHeads?: number; readonly headWidth?: number } = {},
): LlamaSizes {
  const heads = config.int('num_attention_heads')
  const keyHeads = config.optionalInt('num_key_value_heads', defaults.keyHeads) ?? heads
  config.split('num_attention_heads', keyHeads)
  const headWidth = config.optionalInt('head_dim', defaults.headWidth) ?? config.split('hidden_size', heads)
  return { heads, keyHeads, headWidth }
}

/** A window of `size` as the reference counts it: a causal token sees itself and size − 1 before it, else size on each side. */
export function windowOf(size: number | undefined, causal: boolean): number | undefined {
  return size === undefined ? undefined : size - (causal ? 1 : 0)
}

/** `*ForSequenceClassification` of decoders. */
export const lastTokenClassifier = (config: ConfigReader): ClassifierPlan => ({
  pooling: 'lasttoken',
  padId: config.optionalInt('pad_token_id', undefined, 0),
  output: { ...unbiased('score'), root: true },
})
