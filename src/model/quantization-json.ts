/**
 * Which quantized weights are read: codes of 8 bits that are multiplied by a scale. How activations would be rounded is not
 * looked at, for they are not: float32 is what the rounding stands in for.
 */
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { quoteValue, showValue } from './show-value.ts'

export const QuantizationJson = z.looseObject({
  quant_method: z.string(),
  // of compressed-tensors
  format: z.string().nullish(),
  config_groups: z.record(z.string(), z.unknown()).nullish(),
  sparsity_config: z.looseObject({ format: z.string().nullish() }).nullish(),
  transform_config: z.looseObject({ config_groups: z.record(z.string(), z.unknown()).nullish() }).nullish(),
  // of fp8
  fmt: z.string().nullish(),
  scale_fmt: z.string().nullish(),
  weight_block_size: z.unknown().optional(),
})

export type QuantizationJson = z.infer<typeof QuantizationJson>

const CompressedGroup = z.looseObject({
  format: z.string().nullish(),
  weights: z.looseObject({
    num_bits: z.number(),
    type: z.string(),
    symmetric: z.boolean(),
    strategy: z.string(),
    actorder: z.unknown().optional(),
  }),
})

/** Formats of compressed-tensors that hold codes as they are, and the types of their codes. */
const FORMATS: Readonly<Record<string, readonly string[]>> = {
  'int-quantized': ['int'],
  'float-quantized': ['float'],
  'naive-quantized': ['int', 'float'],
}

const STRATEGIES = ['tensor', 'channel', 'group', 'block']

const SUPPORTED =
  'supported are compressed-tensors int-quantized and float-quantized (8 bits, symmetric), and fp8 of transformers (e4m3); ' +
  'the model as it was before it was quantized would work too'

/** Throws `model_unsupported`, naming the method and what of it is not read. */
export function expectKnownQuantization(quantization: QuantizationJson, model: string): void {
  const { quant_method: method } = quantization
  const refuse = (what: string) =>
    new ServerError('model_unsupported', `${model}: quantization ${what}; ${SUPPORTED}`)
  if (method === 'fp8') {
    const { fmt, scale_fmt: scales, weight_block_size: block } = quantization
    if (fmt && fmt !== 'e4m3') throw refuse(`fp8 of fmt ${showValue(fmt)}`)
    if (scales && scales !== 'float') throw refuse(`fp8 of scale_fmt ${showValue(scales)}`)
    expectBlockSize(block, model)
    return
  }
  if (method !== 'compressed-tensors') throw refuse(showValue(method))
  const sparsity = quantization.sparsity_config?.format ?? 'dense'
  if (sparsity !== 'dense') throw refuse(`with sparsity_config of format ${showValue(sparsity)}`)
  // Rotations of the activations: without them the weights are those of another model.
  if (Object.keys(quantization.transform_config?.config_groups ?? {}).length > 0)
    throw refuse('with transform_config')
  const groups = Object.values(quantization.config_groups ?? {})
  if (groups.length === 0) throw refuse('without config_groups')
  for (const group of groups) {
    const what = strangenessOf(group, quantization.format)
    if (what !== undefined) throw refuse(what)
  }
}

const BlockSize = z.tuple([z.int().positive(), z.int().positive()])

/** Without one a matrix has one scale, or one a row. */
function expectBlockSize(block: unknown, model: string): void {
  if (block === undefined || block === null || BlockSize.safeParse(block).success) return
  throw new ServerError(
    'model_invalid',
    `${model}: weight_block_size of quantization_config is ${quoteValue(block)}; it must be two whole numbers above 0, [rows, columns]`,
  )
}

/** What a group of compressed-tensors has that is not read. */
function strangenessOf(group: unknown, shared: string | null | undefined): string | undefined {
  const parsed = CompressedGroup.safeParse(group)
  if (!parsed.success) return 'with groups that name no weights'
  const layout = parsed.data.format ?? shared ?? 'unknown'
  const types = Object.hasOwn(FORMATS, layout) ? FORMATS[layout] : undefined
  const { num_bits: bits, type, symmetric, strategy, actorder } = parsed.data.weights
  if (types === undefined) return `format ${showValue(layout)}`
  if (bits !== 8 || !types.includes(type) || !symmetric || !STRATEGIES.includes(strategy))
    return `${layout} of ${bits} bits, type ${showValue(type)}, ${symmetric ? 'symmetric' : 'asymmetric'}, by ${showValue(strategy)}`
  if (actorder !== undefined && actorder !== null && actorder !== false)
    return `${layout} with actorder ${quoteValue(actorder)}`
  return undefined
}
