import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { expectForm, readJson } from './json-file.ts'
import { QuantizationJson, expectKnownQuantization } from './quantization-json.ts'

const ConfigJson = z.looseObject({
  model_type: z.string(),
  architectures: z.array(z.string()).nullish(),
  num_labels: z.int().positive().nullish(),
  id2label: z.record(z.string(), z.string()).nullish(),
  problem_type: z.string().nullish(),
  max_position_embeddings: z.int().positive().nullish(),
  output_hidden_states: z.boolean().nullish(),
  sentence_transformers: z.looseObject({ activation_fn: z.string().nullish() }).nullish(),
  sbert_ce_default_activation_function: z.string().nullish(),
  quantization_config: QuantizationJson.nullish(),
})

export type ConfigJson = z.infer<typeof ConfigJson>

/** config.json of a folder. Throws `model_invalid` where it is missing or broken, `model_unsupported` for a foreign quantization. */
export async function readConfig(folder: string, model: string): Promise<ConfigJson> {
  const config = await readJson(join(folder, 'config.json'), ConfigJson)
  if (config === undefined) throw new ServerError('model_invalid', `${model}: config.json is missing`)
  expectPossibleCounts(config, model)
  if (config.quantization_config) expectKnownQuantization(config.quantization_config, model)
  return config
}

/**
 * A section of it as a config.json of its own, without the defaults that a whole one has: `modelType` stands for its own. Older
 * folders have what was given under another name besides, and that alone counts (transformers 5.23). Throws `model_invalid`.
 */
export function readSection(
  config: ConfigJson,
  section: string,
  modelType: string,
  model: string,
): ConfigJson {
  const found = config[`${section}_dict`] ?? config[section] ?? {}
  const own = expectForm(found, z.looseObject({}), `${model}: ${section} in config.json`)
  const whole = { ...own, model_type: modelType }
  const read = expectForm(whole, ConfigJson, `${model}: ${section} in config.json`)
  expectPossibleCounts(read, model)
  return read
}

/** Settings that say how often something is there, and the most that is possible: far above what any model has. */
const COUNTS: readonly (readonly [name: RegExp, most: number])[] = [
  [/(^|_)(layers?|groups?|group_num|experts?|heads?|buckets|relative_positions)(_|$)/, 10_000],
  [/^num_labels$/, 1_000_000],
  [/(^|_)(size|width|dim|embd|inner|kv|positions?|distance|rank)(_|$)/, 100_000_000],
]

/** Throws `model_invalid` for a count that no model has: a plan has an entry for each, made before any weight is looked for. */
export function expectPossibleCounts(config: Readonly<Record<string, unknown>>, model: string): void {
  for (const [key, value] of Object.entries(config)) {
    const most = COUNTS.find(([name]) => name.test(key))?.[1] ?? Infinity
    if (typeof value !== 'number' || value <= most) continue
    throw new ServerError(
      'model_invalid',
      `${model}: ${key} in config.json is ${value}; at most ${most} are possible`,
    )
  }
}
