import { ServerError } from '../../errors.ts'
import { bert } from './bert.ts'
import type { Family } from './family.ts'

const FAMILIES: readonly Family[] = [bert]

/** Throws `model_unsupported`, listing what is supported. */
export function findFamily(model: string, modelType: string): Family {
  const family = FAMILIES.find((candidate) => candidate.modelTypes.includes(modelType))
  if (family !== undefined) return family
  const supported = FAMILIES.flatMap((candidate) => candidate.modelTypes).join(', ')
  throw new ServerError(
    'model_unsupported',
    `${model}: model_type "${modelType}" is not supported; supported are: ${supported}`,
  )
}
