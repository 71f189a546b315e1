/**
 * Rotary position embeddings as config.json describes them (transformers 5.23, modeling_rope_utils.py): older files say
 * `rope_theta` and `rope_scaling`, newer ones `rope_parameters`, with a section for each kind of layer where they differ.
 */
import type { ConfigReader } from '../config-reader.ts'
import type { RotaryPlan } from '../layers/encoder-plan.ts'

export interface RopeOptions {
  /** D */
  readonly headWidth: number
  /** The base where config.json names none; left out, it must. */
  readonly theta?: number
  /** Its key in older files. */
  readonly thetaKey?: string
  /** The section of `rope_parameters` for this kind of layer. */
  readonly layerType?: 'full_attention' | 'sliding_attention'
  /** Whether `rope_scaling` of older files is for this kind of layer. */
  readonly scaled?: boolean
}

/** Each pair of numbers has a frequency of its own, all of them in memory. */
const WIDEST_HEAD = 65_536

/** Throws `model_invalid` or, for a kind of scaling that is not here, what names those that are. */
export function readRotary(config: ConfigReader, options: RopeOptions): RotaryPlan {
  const { headWidth, thetaKey = 'rope_theta', layerType, scaled = true } = options
  if (headWidth % 2 !== 0 || headWidth > WIDEST_HEAD) {
    throw config.invalid(
      `config.json makes heads ${headWidth} numbers wide; rotary positions turn an even number, of ${WIDEST_HEAD} at most`,
    )
  }
  const scaling = parametersOf(config, layerType, scaled)
  const theta = scaling?.has('rope_theta')
    ? scaling.positive('rope_theta')
    : config.positive(thetaKey, options.theta)
  for (const place of [config, scaling]) place?.expect('partial_rotary_factor', [1])
  const plain = Array.from({ length: headWidth / 2 }, (_, j) => theta ** ((-2 * j) / headWidth))
  if (scaling === undefined) return { frequencies: plain }
  const kind = scaling.choice(scaling.nameOf('rope_type', 'type'), KINDS, 'default')
  return kind(plain, { scaling, config, theta, headWidth })
}

/** Where a folder has both forms, the older one takes the place of the newer, or, of one kind of layer, is laid over it. */
function parametersOf(
  config: ConfigReader,
  layerType: RopeOptions['layerType'],
  scaled: boolean,
): ConfigReader | undefined {
  const older = scaled ? config.section('rope_scaling') : undefined
  const newer = config.section('rope_parameters')
  if (layerType === undefined) return older === undefined || older.isEmpty ? newer : older
  const own = newer?.section(layerType) ?? newer
  return own === undefined || older === undefined ? (own ?? older) : own.overlaid(older)
}

interface Scaled {
  readonly scaling: ConfigReader
  readonly config: ConfigReader
  readonly theta: number
  readonly headWidth: number
}

const KINDS: Readonly<Record<string, (plain: readonly number[], options: Scaled) => RotaryPlan>> = {
  default: (plain) => ({ frequencies: plain }),
  // It changes only what lies beyond max_position_embeddings, where texts are cut.
  dynamic: (plain) => ({ frequencies: plain }),
  linear: (plain, { scaling }) => {
    const factor = scaling.positive('factor')
    return { frequencies: plain.map((frequency) => frequency / factor) }
  },
  ntk,
  llama3,
  yarn,
}

/** GTE's first code: a larger base, and all waves slower besides. */
function ntk(plain: readonly number[], { scaling, theta, headWidth }: Scaled): RotaryPlan {
  scaling.expect('mixed_b', [])
  const factor = scaling.positive('factor')
  if (factor <= 1) return { frequencies: plain }
  const slower = factor ** (2 / headWidth)
  return { frequencies: plain.map((_, j) => (theta * factor) ** ((-2 * j) / headWidth) / slower) }
}

/** Long waves slow down by the factor, short ones stay, those between are blended. */
function llama3(plain: readonly number[], { scaling, config }: Scaled): RotaryPlan {
  const factor = scaling.positive('factor')
  const low = scaling.positive('low_freq_factor')
  const high = scaling.positive('high_freq_factor')
  const trained = trainedLength(scaling, config)
  const frequencies = plain.map((frequency) => {
    const turns = (trained * frequency) / (2 * Math.PI)
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)))
    return (1 - kept) * (frequency / factor) + kept * frequency
  })
  return { frequencies }
}

/** Peng et al. 2023: by the number of turns within the trained length, with warmer attention. */
function yarn(plain: readonly number[], { scaling, config, theta, headWidth }: Scaled): RotaryPlan {
  const trained = trainedLength(scaling, config)
  const factor = scaling.has('factor')
    ? scaling.positive('factor')
    : config.int('max_position_embeddings') / trained
  const dimensionOf = (turns: number): number =>
    (headWidth * Math.log(trained / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  const exact = scaling.flag('truncate', true)
    ? { floor: Math.floor, ceil: Math.ceil }
    : { floor: Number, ceil: Number }
  const first = Math.max(0, exact.floor(dimensionOf(scaling.positive('beta_fast', 32))))
  let last = Math.min(headWidth - 1, exact.ceil(dimensionOf(scaling.positive('beta_slow', 1))))
  // The reference's way around a division by zero.
  if (first === last) last += 0.001
  const frequencies = plain.map((frequency, j) => {
    const slowed = Math.min(1, Math.max(0, (j - first) / (last - first)))
    return (frequency / factor) * slowed + frequency * (1 - slowed)
  })
  return { frequencies, magnitude: yarnMagnitude(scaling, factor) }
}

function yarnMagnitude(scaling: ConfigReader, factor: number): number {
  if (scaling.has('attention_factor')) return scaling.positive('attention_factor')
  const warmth = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1)
  if (!scaling.has('mscale') || !scaling.has('mscale_all_dim')) return warmth(1)
  return warmth(scaling.positive('mscale')) / warmth(scaling.positive('mscale_all_dim'))
}

function trainedLength(scaling: ConfigReader, config: ConfigReader): number {
  const key = 'original_max_position_embeddings'
  if (config.has(key)) return config.int(key)
  return scaling.has(key) ? scaling.int(key) : config.int('max_position_embeddings')
}
