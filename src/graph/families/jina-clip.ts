/**
 * Texts of jina-clip-v1 and -v2: bodies of other models of Jina's, whose settings a folder names and does not hold. That of v2
 * is jina-embeddings-v3's with an adapter that every text goes through; that of v1 is JinaBERT v2 with joined projections.
 */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { EncoderPlan, PostNormLayer } from '../layers/encoder-plan.ts'
import type { Family } from './family.ts'
import { alibiSlopes } from './jina-bert.ts'
import { jinaFlash } from './jina-flash.ts'
import { layerNorm, linear, partOf, unbiased } from './names.ts'

/** What config.json of `jinaai/jina-embeddings-v3` says. */
const V3 = {
  vocab_size: 250_002,
  hidden_size: 1024,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  intermediate_size: 4096,
  hidden_act: 'gelu',
  max_position_embeddings: 8194,
  type_vocab_size: 1,
  layer_norm_eps: 1e-5,
  position_embedding_type: 'rotary',
  rotary_emb_base: 20_000,
}

/** What config.json of `jinaai/jina-bert-flash-implementation` says; its code knows no limit, and its training had this one. */
const FLASH_BERT = {
  vocab_size: 30_528,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: 'gelu',
  max_position_embeddings: 8192,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  mlp_type: 'glu',
  use_qk_norm: false,
}

/** Tasks for which jina-embeddings-v3 has adapters, of which this model may have some. */
const TASKS = [
  'retrieval.query',
  'retrieval.passage',
  'separation',
  'classification',
  'text-matching',
] as const

export const jinaClipText: Family = {
  ...jinaFlash,
  modelTypes: ['jina_clip_text'],
  prefixes: ['text_model.transformer.roberta.'],
  plan(config) {
    const body = readBody(config, 'jinaai/jina-embeddings-v3', V3)
    const plan = jinaFlash.plan(body)
    if (plan.adapters === undefined) return plan
    const tasks = body.someOf('lora_adaptations', TASKS).map((name, index) => [name, index] as const)
    const always = config.choice('default_lora_task', Object.fromEntries(tasks))
    return { ...plan, adapters: { ...plan.adapters, always } }
  },
}

export const jinaClipBert: Family = {
  modelTypes: ['jina_clip_text'],
  prefixes: ['text_model.transformer.'],
  probe: 'emb_ln.weight',
  body: /^(embeddings|emb_ln|encoder)\./,
  ignored: [],
  plan: (config) => bertPlan(readBody(config, 'jinaai/jina-bert-flash-implementation', FLASH_BERT)),
}

/** The folder's own settings go before those of the model that it names. */
function readBody(
  config: ConfigReader,
  name: string,
  defaults: Readonly<Record<string, unknown>>,
): ConfigReader {
  config.choice('hf_model_name_or_path', { [name]: true })
  config.choice('pooler_type', { mean_pooler: true }, 'mean_pooler')
  config.expect('proj_type', [])
  config.expect('default_instruction_task', [])
  return (config.section('hf_model_config_kwargs') ?? config).withDefaults(defaults)
}

function bertPlan(config: ConfigReader): EncoderPlan {
  config.expect('mlp_type', ['glu'])
  config.expect('use_qk_norm', [false])
  const epsilon = config.fraction('layer_norm_eps')
  return {
    order: 'post',
    hiddenSize: config.int('hidden_size'),
    vocabularySize: config.int('vocab_size'),
    maxTokens: config.int('max_position_embeddings'),
    embeddings: {
      words: 'embeddings.word_embeddings',
      types: { name: 'embeddings.token_type_embeddings', rows: config.int('type_vocab_size') },
      norm: layerNorm('emb_ln', epsilon),
    },
    layers: bertLayers(config, epsilon),
  }
}

function bertLayers(config: ConfigReader, epsilon: number): PostNormLayer[] {
  // Each has a slope.
  const heads = config.count('num_attention_heads')
  const headWidth = config.split('hidden_size', heads)
  const bias = { kind: 'alibi', slopes: alibiSlopes(heads) } as const
  const width = config.int('intermediate_size')
  const activation = config.choice('hidden_act', ACTIVATION_NAMES)
  return Array.from({ length: config.count('num_hidden_layers') }, (_, index) => {
    const layer = `encoder.layers.${index}`
    const joined = linear(`${layer}.mixer.Wqkv`)
    const [query, key, value] = [partOf(joined, 0, 3), partOf(joined, 1, 3), partOf(joined, 2, 3)]
    const output = linear(`${layer}.mixer.out_proj`)
    const raised = unbiased(`${layer}.mlp.gated_layers`)
    const [gate, up, down] = [partOf(raised, 0, 2), partOf(raised, 1, 2), linear(`${layer}.mlp.wo`)]
    return {
      attention: { query, key, value, output, heads, keyHeads: heads, headWidth, causal: false, bias },
      feedForward: { kind: 'gated', gate, up, down, width, activation },
      norms: {
        attention: layerNorm(`${layer}.norm1`, epsilon),
        feedForward: layerNorm(`${layer}.norm2`, epsilon),
      },
    }
  })
}
