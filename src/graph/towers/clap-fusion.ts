/**
 * CLAP's fusion: of sound that is longer than a view, patches of the whole, squeezed to the length of one, meet patches of three
 * views of it, which are three times as wide.
 *
 * Features of a row are four spectrograms, the whole and the three views, of as many frames each, and a last line of as many
 * numbers as a frame has: the first is 1 where the sound is longer than a view, else 0.
 */
import type { AudioProcessing } from '../../model/spec.ts'
import type { ConfigReader } from '../config-reader.ts'
import { activate } from '../layers/activation.ts'
import type { Value } from '../ir.ts'
import type { Workshop } from '../layers/encoder.ts'
import type { PictureSizes } from './clap-picture.ts'
import { averageTokens, batchNorm, cutPicture, projectPatches } from './clap-picture.ts'

export interface FusionPlan {
  /** By how much the fusion's inner layers are narrower. */
  readonly reduction: number
  /** Lines of a row's features, given the frames of a spectrogram. */
  readonly lines: (frames: number) => number
}

/** The first view is the whole, these are cut out of it. */
const PARTS = [1, 2, 3]

/** How much wider patches of the parts are. */
const WIDENING = 3

/** Undefined: the model reads one spectrogram. Throws `model_invalid` where it is given another number of them. */
export function readFusion(config: ConfigReader, { truncation }: AudioProcessing): FusionPlan | undefined {
  const isEnabled = config.flag('enable_fusion', false)
  if (isEnabled !== (truncation === 'fusion'))
    throw config.invalid(
      `preprocessor_config.json has truncation "${truncation}"; enable_fusion ${isEnabled} of config.json takes ${isEnabled ? '"fusion"' : '"rand_trunc"'}`,
    )
  if (!isEnabled) return undefined
  // What transformers does, whatever it is called; its channel_map does not run.
  config.expect('fusion_type', ['aff_2d'])
  return { reduction: config.int('aff_block_r', 4), lines: (frames) => (PARTS.length + 1) * frames + 1 }
}

export interface FusionInputs {
  /** [B, lines, mels] */
  readonly features: Value
  /** Their like, each mel band normed. */
  readonly normed: Value
  readonly sizes: PictureSizes
  readonly fusion: FusionPlan
}

/** Patches of the whole [B·P, H] to the same, fused in rows whose sound is longer than a view. */
export function fuseViews(shop: Workshop, whole: Value, inputs: FusionInputs): Value {
  const { b, kernels, headKernels } = shop
  const { features, sizes, fusion } = inputs
  const H = whole.shape[1] as number
  const P = (sizes.side / sizes.patch) ** 2
  // Gates are sums of many small numbers: all of it is float32.
  const inFloat = { ...shop, kernels: headKernels }
  const x = b.cast(whole, 'f32')
  const parts = partTokens(inFloat, inputs, H)
  const fused = mix(inFloat, x, parts, { P, inner: Math.floor(H / fusion.reduction) })
  const line = b.constant(Int32Array.of((features.shape[1] as number) - 1), [1])
  const first = b.constant(Int32Array.of(0), [1])
  const last = b.reshape(b.node('Gather', [features, line], { axis: { int: 1 } }), [
    'B',
    features.shape[2] as number,
  ])
  const flag = b.reshape(b.node('Gather', [last, first], { axis: { int: 1 } }), ['B', 1, 1])
  const isLonger = b.node('LessOrEqual', [b.constant(Float32Array.of(0.5), []), flag])
  const [one, other] = [fused, x].map((tokens) => b.reshape(tokens, ['B', P, H]))
  return b.cast(b.reshape(b.node('Where', [isLonger, one, other]), [`B*${P}`, H]), kernels.dtype)
}

/** [B·P, H]: rows of patches of all parts side by side, and zeros to the end of each row. */
function partTokens(shop: Workshop, { normed, sizes }: FusionInputs, H: number): Value {
  const { b } = shop
  const { side, patch } = sizes
  const width = WIDENING * patch
  const patches = cutPicture(b, normed, sizes, { views: PARTS, height: patch, width })
  const tokens = projectPatches(shop, 'patch_embed.mel_conv2d', patches, [H, patch, width])
  const grid = side / patch
  const given = PARTS.length * Math.floor(side / width)
  const P = grid * grid
  const column = (place: number) => place % grid
  const places = Int32Array.from({ length: P }, (_, place) => {
    return Math.floor(place / grid) * given + Math.min(column(place), given - 1)
  })
  const isGiven = Float32Array.from({ length: P }, (_, place) => (column(place) < given ? 1 : 0))
  const spread = b.node('Gather', [b.reshape(tokens, ['B', grid * given, H]), b.constant(places, [P])], {
    axis: { int: 1 },
  })
  return b.reshape(b.node('Mul', [spread, b.constant(isGiven, [P, 1])]), [`B*${P}`, H])
}

/** 2 · x · w + 2 · other · (1 − w), w a gate made of each token and of the average of all. */
function mix(
  shop: Workshop,
  x: Value,
  other: Value,
  { P, inner }: { readonly P: number; readonly inner: number },
): Value {
  const { b } = shop
  const H = x.shape[1] as number
  const sum = b.node('Add', [x, other])
  const local = gate(shop, sum, ['local_att', 0], inner)
  const whole = gate(shop, averageTokens(b, sum, P), ['global_att', 1], inner)
  const both = b.node('Add', [b.reshape(local, ['B', P, H]), b.reshape(whole, ['B', 1, H])])
  const weight = b.reshape(b.node('Sigmoid', [both]), [`B*${P}`, H])
  const one = b.constant(Float32Array.of(1), [])
  const two = b.constant(Float32Array.of(2), [])
  const first = b.node('Mul', [b.node('Mul', [two, x]), weight])
  const second = b.node('Mul', [b.node('Mul', [two, other]), b.node('Sub', [one, weight])])
  return b.node('Add', [first, second])
}

/** Two linear layers, each with a batch norm behind it, and between them ReLU. */
function gate(
  shop: Workshop,
  x: Value,
  [part, first]: readonly [name: string, firstLayer: number],
  inner: number,
): Value {
  const H = x.shape[1] as number
  const name = (index: number) => `patch_embed.fusion_model.${part}.${first + index}`
  const narrow = normed(shop, x, [name(0), name(1)], inner)
  return normed(shop, activate(shop.b, narrow, 'relu'), [name(3), name(4)], H)
}

/** A convolution of one place, which is a linear layer, and its batch norm. */
function normed(
  shop: Workshop,
  x: Value,
  [layer, norm]: readonly [layer: string, norm: string],
  outputs: number,
): Value {
  const { b, kernels, tensors } = shop
  const inputs = x.shape[1] as number
  const stored = tensors.tensor(`${layer}.weight`, [outputs, inputs, 1, 1])
  const weight = { values: { ...stored, shape: [outputs, inputs] }, scale: undefined }
  const bias = tensors.tensor(`${layer}.bias`, [outputs])
  const y = kernels.linear(b, x, { weight, bias }, 'identity')
  const { scale, shift } = batchNorm(shop, norm, outputs)
  return b.node('Add', [b.node('Mul', [y, scale]), shift])
}
