/** A folder whose model compares texts token by token: what of its spec is other than an embedder's. */
import type { ConfigJson } from './config-json.ts'
import type { MultiVectorConfig, MultiVectorLine } from './multi-vector-modules.ts'
import type { ReadingSettings } from './reading-settings.ts'
import { readReadingSettings } from './reading-settings.ts'
import type { EmbeddingStep, ModelSpec, TensorRef, TokenizerSpec } from './spec.ts'
import { readStanfordColbert } from './stanford-colbert.ts'
import type { MaskSettings } from './token-rules.ts'
import { readTokenRules } from './token-rules.ts'
import { expectOutput } from './transformer-output.ts'

export interface TokenModelFacts {
  /** What errors call the model. */
  readonly model: string
  /** The Transformer's folder. */
  readonly transformer: string
  /** Undefined: the model is Stanford's, which has no modules. */
  readonly line: MultiVectorLine | undefined
  readonly config: ConfigJson
  readonly tokenizer: TokenizerSpec
  readonly tensors: Readonly<Record<string, TensorRef>>
  /** config_sentence_transformers.json, where the folder has modules. */
  readonly settings: MultiVectorConfig & { readonly similarity_fn_name?: string | null | undefined }
  /** As that file has them. */
  readonly prompts: Readonly<Record<string, string>>
}

/** Throws `model_invalid` or `model_unsupported`, naming the file. */
export async function readTokenModel(
  facts: TokenModelFacts,
): Promise<Pick<ModelSpec, 'head' | 'tensors' | 'tokenizer' | 'prompts'>> {
  const { model, transformer, line, tokenizer, settings } = facts
  const { steps, reading, mask, prefixes, tensors, prompts } =
    line === undefined ? await readStanford(facts) : await readModules(facts, line)
  const similarity = settings.similarity_fn_name === 'meanmaxsim' ? 'mean' : 'sum'
  const rules = await readTokenRules({ settings: reading, mask, similarity, tokenizer, transformer, model })
  const { expansion } = rules.query
  const markers = prefixes.filter((prefix) => prefix !== '')
  return {
    head: { kind: 'multi_vector', steps, rules },
    tensors,
    tokenizer: {
      ...tokenizer,
      ...(markers.length > 0 && { markers }),
      ...(expansion?.attended === false && { unseenId: expansion.id }),
    },
    prompts,
  }
}

interface Parts extends Pick<ModelSpec, 'tensors' | 'prompts'> {
  readonly steps: readonly EmbeddingStep[]
  readonly reading: ReadingSettings
  readonly mask: MaskSettings | undefined
  readonly prefixes: readonly string[]
}

async function readStanford({ transformer, tensors, prompts, model }: TokenModelFacts): Promise<Parts> {
  const { prefixes, settings, ...parts } = await readStanfordColbert(transformer, tensors, model)
  const own = { ...prompts, ...prefixes }
  return { ...parts, reading: settings, prefixes: Object.values(prefixes), prompts: own }
}

async function readModules(
  { transformer, tensors, settings, prompts, model }: TokenModelFacts,
  { steps, mask }: MultiVectorLine,
): Promise<Parts> {
  await expectOutput(transformer, 'hidden', model)
  const prefixes = { query: settings.query_prefix ?? '', document: settings.document_prefix ?? '' }
  return {
    steps,
    reading: await readReadingSettings(transformer, settings, model),
    mask,
    prefixes: Object.values(prefixes),
    tensors,
    prompts: {
      ...prompts,
      query: withPrefix(prefixes.query, prompts['query']),
      document: withPrefix(prefixes.document, prompts['document']),
    },
  }
}

/** A prompt that begins with its marker already is left as it is. */
function withPrefix(prefix: string, prompt = ''): string {
  return prompt.startsWith(prefix) ? prompt : prefix + prompt
}
