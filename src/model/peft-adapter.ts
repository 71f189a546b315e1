/** A folder with an adapter as PEFT saves it: `adapter_config.json` and `adapter_model.safetensors` (peft 0.21). LoRA of layers and tables. */
import { basename, join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'
import type { AdapterParts, LowRank } from './peft-spec.ts'
import { readSafetensors } from './safetensors.ts'
import { showValue } from './show-value.ts'
import type { TensorRef } from './spec.ts'
import { isCode } from './spec.ts'
import { exists } from './weight-files.ts'

export const ADAPTER_CONFIG = 'adapter_config.json'
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors'

const Rank = z.int().min(1).max(100_000)
const Patterns = <S extends z.ZodType>(value: S) => z.record(z.string(), value).nullish()

const AdapterConfig = z.looseObject({
  peft_type: z.string(),
  r: Rank.default(8),
  lora_alpha: z.number().default(8),
  rank_pattern: Patterns(Rank),
  alpha_pattern: Patterns(z.number()),
  use_rslora: z.boolean().nullish(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
})

type AdapterConfig = z.infer<typeof AdapterConfig>

/**
 * Keys that change no number of a trained adapter: how it was trained, which weights it was made for (its tensors say that), and
 * settings of other settings, which are refused themselves. `fan_in_fan_out` is of layers whose weights are [in, out]; PEFT
 * drops it for all others.
 */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  ...Object.keys(AdapterConfig.shape),
  'auto_mapping',
  'base_model_name_or_path',
  'corda_config',
  'ensure_weight_tying',
  'eva_config',
  'exclude_modules',
  'fan_in_fan_out',
  'inference_mode',
  'layers_pattern',
  'layers_to_transform',
  'loftq_config',
  'lora_dropout',
  'lora_ga_config',
  'megatron_core',
  'peft_version',
  'qalora_group_size',
  'revision',
  'runtime_config',
  'task_type',
])

/** Values that ask for nothing. Other ways to initialize change the weights of the model itself (PiSSA, OLoRA, LoftQ, …). */
const HARMLESS: Readonly<Record<string, readonly unknown[]>> = {
  bias: ['none'],
  init_lora_weights: [true, 'gaussian', 'eva', 'orthogonal'],
}

const PART = /^(?:base_model\.model\.)?(.+)\.lora_(?:([AB])\.weight|embedding_([AB]))$/

/** Throws `model_invalid` for files that are missing, broken or contradict each other, `model_unsupported` for what is not LoRA alone. */
export async function readPeftAdapter(folder: string): Promise<AdapterParts> {
  const name = basename(folder)
  const config = await readJson(join(folder, ADAPTER_CONFIG), AdapterConfig)
  if (config === undefined) throw new ServerError('model_invalid', `${name}/${ADAPTER_CONFIG} is missing`)
  expectPlainLora(config, `${name}/${ADAPTER_CONFIG}`)
  const path = join(folder, ADAPTER_WEIGHTS)
  if (!(await exists(path))) throw new ServerError('model_invalid', `${name}/${ADAPTER_WEIGHTS} is missing`)
  const { tensors, unusable } = await readSafetensors(path)
  const halves = new Map<string, Halves>()
  for (const [tensor, { dtype }] of Object.entries({ ...tensors, ...unusable })) {
    const found = PART.exec(tensor)
    if (found === null)
      throw new ServerError('model_unsupported', `${name}: tensor ${tensor} is no part of a LoRA adapter`)
    if (!Object.hasOwn(tensors, tensor) || isCode(dtype as TensorRef['dtype']))
      throw new ServerError(
        'model_unsupported',
        `${name}: tensor ${tensor} is ${dtype}; supported are F32, F16 and BF16`,
      )
    const [, layer = '', letter, tableLetter] = found
    const own = halves.get(layer) ?? {}
    own[`${letter ?? tableLetter}${letter === undefined ? 'table' : 'layer'}` as keyof Halves] =
      tensors[tensor]
    halves.set(layer, own)
  }
  if (halves.size === 0) throw new ServerError('model_invalid', `${name}/${ADAPTER_WEIGHTS} has no tensors`)
  const parts = [...halves].map(([layer, own]) => [layer, joinHalves(config, name, layer, own)] as const)
  return Object.fromEntries(parts)
}

interface Halves {
  Alayer?: TensorRef | undefined
  Blayer?: TensorRef | undefined
  Atable?: TensorRef | undefined
  Btable?: TensorRef | undefined
}

function joinHalves(config: AdapterConfig, name: string, layer: string, halves: Halves): LowRank {
  const shown = `${name}: ${layer}`
  const of = halves.Alayer === undefined ? 'table' : 'layer'
  const [down, up] = of === 'layer' ? [halves.Alayer, halves.Blayer] : [halves.Atable, halves.Btable]
  if (down === undefined || up === undefined || Object.keys(halves).length !== 2)
    throw new ServerError('model_invalid', `${shown} needs two tensors, lora_A and lora_B of one kind`)
  expectTarget(config, shown, layer)
  const rank = valueFor(config.rank_pattern, layer, config.r)
  if (down.shape.length !== 2 || up.shape.length !== 2 || down.shape[0] !== rank || up.shape[1] !== rank) {
    const shapes = `lora_A [${down.shape.join(', ')}] and lora_B [${up.shape.join(', ')}]`
    throw new ServerError('model_invalid', `${shown} has ${shapes}; ${ADAPTER_CONFIG} says rank ${rank}`)
  }
  const alpha = valueFor(config.alpha_pattern, layer, config.lora_alpha)
  return { of, down, up, rank, scale: alpha / (config.use_rslora ? Math.sqrt(rank) : rank), shown }
}

function expectPlainLora(config: AdapterConfig, file: string): void {
  if (config.peft_type !== 'LORA')
    throw new ServerError(
      'model_unsupported',
      `${file}: peft_type is ${showValue(config.peft_type)}; supported is LORA`,
    )
  for (const [key, value] of Object.entries(config)) {
    if (WITHOUT_EFFECT.has(key) || asksForNothing(value)) continue
    const harmless = HARMLESS[key]
    if (harmless?.includes(value)) continue
    const allowed = harmless === undefined ? 'it is not supported' : `supported are ${harmless.join(', ')}`
    throw new ServerError('model_unsupported', `${file}: ${key} is ${showValue(value)}; ${allowed}`)
  }
  for (const patterns of [config.rank_pattern, config.alpha_pattern])
    for (const key of Object.keys(patterns ?? {})) {
      if (/^\^?[\w.-]+$/.test(key)) continue
      throw new ServerError(
        'model_unsupported',
        `${file}: the pattern ${showValue(key)} is no name of layers; others are not supported`,
      )
    }
}

function asksForNothing(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

/** A tensor of a layer that is not listed would be passed over by PEFT. */
function expectTarget({ target_modules: targets }: AdapterConfig, shown: string, layer: string): void {
  if (!Array.isArray(targets) || targets.some((target) => isNamed(layer, target))) return
  throw new ServerError(
    'model_invalid',
    `${shown} is none of the target_modules of ${ADAPTER_CONFIG}: ${targets.join(', ')}`,
  )
}

function isNamed(layer: string, name: string): boolean {
  return layer === name || layer.endsWith(`.${name}`)
}

/** The first pattern that fits; `^` makes it the whole name. */
function valueFor<X>(
  patterns: Readonly<Record<string, X>> | null | undefined,
  layer: string,
  fallback: X,
): X {
  const found = Object.entries(patterns ?? {}).find(([key]) =>
    key.startsWith('^') ? layer === key.slice(1) : isNamed(layer, key),
  )
  return found === undefined ? fallback : found[1]
}
