/** What the two forms of Nomic BERT's config.json say. */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { LinearPlan } from '../layers/encoder-plan.ts'
import { biasedIf, unbiased } from './names.ts'
import { readRotary } from './rope.ts'
import type { RotaryLayerSizes } from './rotary-layers.ts'

export interface NomicSettings {
  readonly hiddenSize: number
  readonly layerCount: number
  readonly vocabularySize: number
  readonly maxTokens: number
  /** 0: there is no table of types. */
  readonly types: number
  readonly epsilon: number
  readonly sizes: RotaryLayerSizes
  /** Whether plain steps have a gate. */
  readonly isGated: boolean
  /** In which layers experts share the step's work. */
  readonly experts: NomicExperts | undefined
  readonly projection: (name: string) => LinearPlan
  readonly raise: (name: string) => LinearPlan
  readonly lower: (name: string) => LinearPlan
}

export interface NomicExperts {
  readonly count: number
  readonly chosen: number
  /** The second layer is the first that has them, and then every so many. */
  readonly every: number
}

export function readSettings(config: ConfigReader): NomicSettings {
  return config.has('n_embd') ? readOriginalSettings(config) : readNewSettings(config)
}

function readNewSettings(config: ConfigReader): NomicSettings {
  const heads = config.int('num_attention_heads')
  const headWidth = config.optionalInt('head_dim') ?? config.split('hidden_size', heads)
  return {
    hiddenSize: config.int('hidden_size'),
    layerCount: config.count('num_hidden_layers'),
    vocabularySize: config.int('vocab_size'),
    maxTokens: config.int('max_position_embeddings', 2048),
    types: config.int('type_vocab_size', 2),
    epsilon: config.fraction('layer_norm_eps', 1e-12),
    sizes: {
      heads,
      headWidth,
      width: config.int('intermediate_size'),
      activation: config.choice('hidden_act', ACTIVATION_NAMES, 'silu'),
      rotary: readRotary(config, { headWidth, theta: 1000 }),
    },
    isGated: true,
    experts: undefined,
    projection: unbiased,
    raise: unbiased,
    lower: unbiased,
  }
}

function readOriginalSettings(config: ConfigReader): NomicSettings {
  for (const key of ['prenorm', 'causal', 'parallel_block', 'use_rms_norm', 'rotary_emb_interleaved']) {
    config.expect(key, [false])
  }
  config.expect('rotary_emb_fraction', [1])
  config.expect('rotary_emb_scale_base', [])
  const heads = config.int('n_head')
  const headWidth = config.split('n_embd', heads)
  const experts = readExperts(config)
  const { isGated, activation } = config.choice(
    'activation_function',
    experts ? PLAIN : { ...GATED, ...PLAIN },
  )
  return {
    hiddenSize: config.int('n_embd'),
    layerCount: config.count('n_layer'),
    vocabularySize: config.int('vocab_size'),
    maxTokens: readLimit(config),
    types: config.int('type_vocab_size', 2, 0),
    epsilon: config.fraction('layer_norm_epsilon', 1e-12),
    sizes: {
      heads,
      headWidth,
      width: config.optionalInt('n_inner') ?? 4 * config.int('n_embd'),
      activation,
      rotary: readRotary(config, { headWidth, theta: 10_000, thetaKey: 'rotary_emb_base', scaled: false }),
    },
    isGated,
    experts,
    projection: biasedIf(config.flag('qkv_proj_bias', true)),
    raise: biasedIf(config.flag('mlp_fc1_bias', true)),
    lower: biasedIf(config.flag('mlp_fc2_bias', true)),
  }
}

type Step = Pick<NomicSettings, 'isGated'> & Pick<RotaryLayerSizes, 'activation'>

const GATED: Readonly<Record<string, Step>> = {
  swiglu: { isGated: true, activation: 'silu' },
  geglu: { isGated: true, activation: 'gelu' },
}

const PLAIN: Readonly<Record<string, Step>> = {
  gelu: { isGated: false, activation: 'gelu' },
  gelu_new: { isGated: false, activation: 'gelu_tanh' },
  gelu_fast: { isGated: false, activation: 'gelu_tanh' },
  gelu_pytorch_tanh: { isGated: false, activation: 'gelu_tanh' },
}

/** Undefined where every layer has a step of its own. */
function readExperts(config: ConfigReader): NomicExperts | undefined {
  const count = config.int('num_experts', 0, 0)
  if (count === 0) return undefined
  config.expect('moe_normalize_expert_weights', [false])
  config.expect('expert_choice_router', [false])
  config.expect('num_shared_experts', [0])
  config.expect('ffn_div', [1])
  const chosen = config.int('moe_top_k', 1)
  // More than there are is refused.
  config.int('num_experts', count, chosen)
  return { count, chosen, every: config.int('moe_every_n_layers', 2, 2) }
}

/** With a scaling factor, texts longer than those of the training turn by other angles, each by its own: they are cut. */
function readLimit(config: ConfigReader): number {
  const positions = config.int('n_positions')
  if (!config.has('rotary_scaling_factor')) return positions
  return Math.min(positions, config.int('max_trained_positions', 2048))
}
