/** Where a folder says how pictures or sound are prepared: a file of its own, or since transformers 5 a part of one. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'

const NESTED = 'processor_config.json'
const OWN = 'preprocessor_config.json'

export const PROCESSOR_FILES: readonly string[] = [OWN, NESTED]

export interface Processor<T> {
  readonly settings: T
  /** What errors call the place. */
  readonly where: string
}

/** Throws `model_invalid` where neither file has it, naming them, and for what the schema refuses, naming file and field. */
export async function readProcessor<S extends z.ZodType>(
  folder: string,
  { key, schema, model }: { key: 'image_processor' | 'feature_extractor'; schema: S; model: string },
): Promise<Processor<z.output<S>>> {
  const nested = await readJson(join(folder, NESTED), z.looseObject({ [key]: schema.nullish() }))
  const found = nested?.[key]
  if (found !== undefined && found !== null) return { settings: found, where: `${model}: ${NESTED}, ${key}` }
  const own = await readJson(join(folder, OWN), schema)
  if (own !== undefined) return { settings: own, where: `${model}: ${OWN}` }
  const media = key === 'image_processor' ? 'pictures are' : 'sound is'
  throw new ServerError(
    'model_invalid',
    `${model}: ${OWN} is missing, which says how ${media} prepared, and ${NESTED} has no ${key}`,
  )
}

/** `Fast` and `Pil` tell implementations apart; older folders have another name for the same. */
export function processorClass(name: string): string {
  return name.replace(/(Fast|Pil)$/, '').replace(/FeatureExtractor$/, 'ImageProcessor')
}
