import { ServerError } from '../errors.ts'
import type { Capability, ModelInfo } from '../task.ts'

const VERBS: Readonly<Record<Capability, string>> = {
  embed: 'embeds',
  rerank: 'reranks',
  classify: 'classifies',
}

/**
 * The model that shall do a task. An unknown name means the sole model of the task (clients send placeholders); a known
 * one that cannot do it is the client's mistake. Throws `wrong_task`, `model_not_found` or `invalid_request`.
 */
export function findModel<M extends { readonly info: ModelInfo }>(
  models: readonly M[],
  task: Capability,
  name: string | undefined,
): M {
  const able = models.filter(({ info }) => info.capabilities.includes(task))
  const named = models.find(
    ({ info }) => name === info.id || (name !== undefined && info.aliases.includes(name)),
  )
  if (named !== undefined) {
    if (able.includes(named)) return named
    throw new ServerError(
      'wrong_task',
      `model ${name} ${doing(named.info)}; it does not ${task}.${hint(able, task)}`,
    )
  }
  const [only] = able
  if (only === undefined) {
    const served = models.map(({ info }) => `${info.id} (${doing(info)})`).join(', ')
    throw new ServerError('wrong_task', `no served model can ${task}; served: ${served}`)
  }
  if (able.length === 1) return only
  const names = able.map(({ info }) => info.id).join(', ')
  if (name === undefined) {
    throw new ServerError('invalid_request', `model is missing, and several models can ${task}: ${names}`)
  }
  throw new ServerError('model_not_found', `model "${name}" is not served; models that can ${task}: ${names}`)
}

function doing(info: ModelInfo): string {
  return info.capabilities.map((capability) => VERBS[capability]).join(' and ')
}

function hint(able: readonly { readonly info: ModelInfo }[], task: Capability): string {
  if (able.length === 0) return ` No served model can ${task}.`
  return ` Models that can: ${able.map(({ info }) => info.id).join(', ')}.`
}
