import { ServerError } from '../errors.ts'
import type { Capability, ModelInfo } from '../task.ts'
import { quoteName } from './quote-name.ts'

const VERBS: Readonly<Record<Capability, string>> = {
  embed: 'embeds',
  embed_sparse: 'makes sparse vectors',
  multi_vector: 'makes multi-vectors (/v1/multi-vector)',
  rerank: 'reranks',
  classify: 'classifies',
}

const DOINGS: Readonly<Record<Operation, string>> = {
  embed: 'embed',
  embed_tokens: 'give the vectors of tokens',
  embed_sparse: 'make sparse vectors',
  multi_vector: 'make multi-vectors',
  rerank: 'rerank',
  classify: 'classify',
  tokenize: 'tokenize',
  decode: 'decode',
}

/** A task, or what any model can do for its tokenizer's sake. */
export type Operation = Capability | 'embed_tokens' | 'tokenize' | 'decode'

interface Known {
  readonly info: ModelInfo
}

/**
 * The model that shall do a task. An unknown name means the sole model of the task (clients send placeholders); a known
 * one that cannot do it is the client's mistake. Throws `wrong_task`, `model_not_found` or `invalid_request`.
 */
export function findModel<M extends Known>(
  models: readonly M[],
  task: Operation,
  name: string | undefined,
): M {
  const able = modelsThatCan(models, task)
  const named = models.find(
    ({ info }) => name === info.id || (name !== undefined && info.aliases.includes(name)),
  )
  if (named !== undefined) {
    if (able.includes(named)) return named
    throw new ServerError(
      'wrong_task',
      `model ${quoteName(name ?? named.info.id)} ${doing(named.info)}; it does not ${DOINGS[task]}.${hint(able, task)}`,
    )
  }
  const [only] = able
  if (only === undefined) {
    const served = models.map(({ info }) => `${info.id} (${doing(info)})`).join(', ')
    throw new ServerError('wrong_task', `no served model can ${DOINGS[task]}; served: ${served}`)
  }
  if (able.length === 1) return only
  const meant = isForAll(task) ? tokenizing(able, name) : specialist(able, task)
  if (meant !== undefined) return meant
  const names = able.map(({ info }) => info.id).join(', ')
  if (name === undefined) {
    throw new ServerError(
      'invalid_request',
      `model is missing, and several models can ${DOINGS[task]}: ${names}`,
    )
  }
  throw new ServerError(
    'model_not_found',
    `model ${quoteName(name)} is not served; models that can ${DOINGS[task]}: ${names}`,
  )
}

function modelsThatCan<M extends Known>(models: readonly M[], task: Operation): readonly M[] {
  if (isForAll(task)) return models
  const capabilities = task === 'embed_tokens' ? WITH_TOKENS : [task]
  return models.filter(({ info }) => capabilities.some((one) => info.capabilities.includes(one)))
}

/** What models do that have vectors of tokens to give; where several could be meant, the first of it is. */
const WITH_TOKENS: readonly Capability[] = ['embed', 'multi_vector']

function isForAll(task: Operation): task is 'tokenize' | 'decode' {
  return task === 'tokenize' || task === 'decode'
}

/**
 * The model whose tokens are meant where none is named: that which would embed, for tokens that a client sends in place
 * of text are decoded first. Else the first one where no name came: clients of a tokenizer have no field for it.
 */
function tokenizing<M extends Known>(models: readonly M[], name: string | undefined): M | undefined {
  const [embedder, another] = modelsThatCan(models, 'embed')
  if (embedder !== undefined && another === undefined) return embedder
  return name === undefined ? models[0] : undefined
}

/** The only one that was made for the task: a reranker classifies as well, but who wants labels means a classifier. */
function specialist<M extends Known>(models: readonly M[], task: Capability | 'embed_tokens'): M | undefined {
  const capability = task === 'embed_tokens' ? WITH_TOKENS[0] : task
  const [first, another] = models.filter(({ info }) => info.capabilities[0] === capability)
  return another === undefined ? first : undefined
}

function doing(info: ModelInfo): string {
  return info.capabilities.map((capability) => VERBS[capability]).join(' and ')
}

function hint(able: readonly Known[], task: Operation): string {
  if (able.length === 0) return ` No served model can ${DOINGS[task]}.`
  return ` Models that can: ${able.map(({ info }) => info.id).join(', ')}.`
}
