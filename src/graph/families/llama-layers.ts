/** What Llama and its many relatives share: norms before each step, rotary positions, grouped key heads, gated steps. */
import type { ConfigReader } from '../config-reader.ts'
import { ACTIVATION_NAMES } from '../layers/activation.ts'
import type { HiddenActivation } from '../layers/activation.ts'
import type {
  AttentionPlan,
  EncoderPlan,
  PreNormLayer,
  LinearPlan,
  NormPlan,
  PreNorms,
  RotaryPlan,
} from '../layers/encoder-plan.ts'
import type { LlamaSizes } from './llama-settings.ts'
import { rmsNorm, unbiased } from './names.ts'

export interface LlamaOptions extends LlamaSizes {
  readonly causal: boolean
  /** Of a layer. */
  readonly rotary: (index: number) => RotaryPlan
  /** Farthest token seen in a layer; undefined: all are. */
  readonly window?: (index: number) => number | undefined
  /** Of query, key and value; without bias unless something else is said here, as those below. */
  readonly projection?: (name: string) => LinearPlan
  readonly output?: (name: string) => LinearPlan
  readonly feedForward?: (name: string) => LinearPlan
  readonly activation?: HiddenActivation
  readonly norm?: (name: string, epsilon: number) => NormPlan
  /** Where config.json names none. */
  readonly epsilon?: number
  /** Query and key are normed head by head, before they are turned. */
  readonly headNorms?: boolean
  /** What each step adds is normed too. */
  readonly outputNorms?: boolean
  /** Factor of the scores. */
  readonly scale?: number
  /** Factor of the word vectors. */
  readonly wordScale?: number
}

export function llamaPlan(config: ConfigReader, options: LlamaOptions): EncoderPlan {
  const { norm = rmsNorm, wordScale } = options
  const epsilon = config.fraction('rms_norm_eps', options.epsilon ?? 1e-6)
  const settings = {
    ...options,
    width: config.int('intermediate_size'),
    activation: options.activation ?? config.choice('hidden_act', ACTIVATION_NAMES, 'silu'),
    norm: (name: string) => norm(name, epsilon),
  }
  return {
    order: 'pre',
    hiddenSize: config.int('hidden_size'),
    vocabularySize: config.int('vocab_size'),
    maxTokens: config.int('max_position_embeddings'),
    embeddings: { words: 'embed_tokens', ...(wordScale !== undefined && { scale: wordScale }) },
    layers: Array.from({ length: config.count('num_hidden_layers') }, (_, index) =>
      llamaLayer(settings, index),
    ),
    finalNorm: settings.norm('norm'),
  }
}

interface LayerOptions extends Omit<LlamaOptions, 'norm'> {
  /** I */
  readonly width: number
  readonly activation: HiddenActivation
  readonly norm: (name: string) => NormPlan
}

function llamaLayer(options: LayerOptions, index: number): PreNormLayer {
  const { feedForward = unbiased, width, activation, norm } = options
  const layer = `layers.${index}`
  return {
    attention: llamaAttention(options, index),
    feedForward: {
      kind: 'gated',
      gate: feedForward(`${layer}.mlp.gate_proj`),
      up: feedForward(`${layer}.mlp.up_proj`),
      down: feedForward(`${layer}.mlp.down_proj`),
      width,
      activation,
    },
    norms: options.outputNorms === true ? fourNorms(layer, norm) : twoNorms(layer, norm),
  }
}

function llamaAttention(options: LayerOptions, index: number): AttentionPlan {
  const { heads, keyHeads, headWidth, causal, scale, norm } = options
  const { projection = unbiased, output = unbiased, rotary, window } = options
  const names = `layers.${index}.self_attn`
  const seen = window?.(index)
  return {
    query: projection(`${names}.q_proj`),
    key: projection(`${names}.k_proj`),
    value: projection(`${names}.v_proj`),
    output: output(`${names}.o_proj`),
    heads,
    keyHeads,
    headWidth,
    causal,
    rotary: rotary(index),
    ...(scale !== undefined && { scale }),
    ...(seen !== undefined && { window: seen }),
    ...(options.headNorms === true && {
      queryNorm: { ...norm(`${names}.q_norm`), over: 'head' },
      keyNorm: { ...norm(`${names}.k_norm`), over: 'head' },
    }),
  }
}

function twoNorms(layer: string, norm: (name: string) => NormPlan): PreNorms {
  return {
    attention: norm(`${layer}.input_layernorm`),
    feedForward: norm(`${layer}.post_attention_layernorm`),
  }
}

/** Here `post_attention_layernorm` norms what attention adds, and not what the next step reads. */
function fourNorms(layer: string, norm: (name: string) => NormPlan): PreNorms {
  return {
    attention: norm(`${layer}.input_layernorm`),
    attentionOutput: norm(`${layer}.post_attention_layernorm`),
    feedForward: norm(`${layer}.pre_feedforward_layernorm`),
    feedForwardOutput: norm(`${layer}.post_feedforward_layernorm`),
  }
}
