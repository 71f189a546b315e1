import { ServerError } from '../errors.ts'
import type { Capability, ModelInfo } from '../task.ts'
import { quoteName } from './quote-name.ts'

const VERBS: Readonly<Record<Capability, string>> = {
  embed: 'embeds',
  image_embed: 'embeds images',
  audio_embed: 'embeds audio',
  embed_sparse: 'makes sparse vectors',
  multi_vector: 'makes multi-vectors (/v1/multi-vector)',
  rerank: 'reranks',
  classify: 'classifies',
}

const DOINGS: Readonly<Record<Operation, string>> = {
  embed: 'embed',
  image_embed: 'embed images',
  audio_embed: 'embed audio',
  embed_tokens: 'give the vectors of tokens',
  embed_sparse: 'make sparse vectors',
  multi_vector: 'make multi-vectors',
  rerank: 'rerank',
  classify: 'classify',
  tokenize: 'tokenize',
  decode: 'decode',
}

/** A task, or what any model that reads texts can do for its tokenizer's sake. */
export type Operation = Capability | 'embed_tokens' | 'tokenize' | 'decode'

interface Known {
  readonly info: ModelInfo
}

/**
 * The model that shall do a task. An unknown name means the sole model of the task (clients send placeholders); a known
 * one that cannot do it is the client's mistake. `asked`: what it must be able to, all of it. Throws `wrong_task`,
 * `model_not_found` or `invalid_request`.
 */
export function findModel<M extends Known>(
  models: readonly M[],
  asked: Operation | readonly Capability[],
  name: string | undefined,
): M {
  const tasks: readonly Operation[] = typeof asked === 'string' ? [asked] : asked
  const able = tasks.reduce(modelsThatCan, models)
  const named = models.find(
    ({ info }) => name === info.id || (name !== undefined && info.aliases.includes(name)),
  )
  if (named !== undefined) {
    if (able.includes(named)) return named
    const lacking = tasks.filter((task) => !modelsThatCan([named], task).includes(named))
    throw new ServerError(
      'wrong_task',
      `model ${quoteName(name ?? named.info.id)} ${doing(named.info)}; it does not ${toDo(lacking, [named])}.${hint(able, toDo(tasks, models))}`,
    )
  }
  const [only] = able
  if (only === undefined) {
    const served = models.map(({ info }) => `${info.id} (${doing(info)})`).join(', ')
    throw new ServerError('wrong_task', `no served model can ${toDo(tasks, models)}; served: ${served}`)
  }
  if (able.length === 1) return only
  const meant = typeof asked === 'string' ? meantBy(asked, able, name) : undefined
  if (meant !== undefined) return meant
  const names = able.map(({ info }) => info.id).join(', ')
  if (name === undefined) {
    throw new ServerError(
      'invalid_request',
      `model is missing, and several models can ${toDo(tasks, models)}: ${names}`,
    )
  }
  throw new ServerError(
    'model_not_found',
    `model ${quoteName(name)} is not served; models that can ${toDo(tasks, models)}: ${names}`,
  )
}

function modelsThatCan<M extends Known>(models: readonly M[], task: Operation): readonly M[] {
  if (isForAll(task)) return models.filter(({ info }) => readsText(info))
  const capabilities = task === 'embed_tokens' ? WITH_TOKENS : [task]
  return models.filter(({ info }) => capabilities.some((one) => info.capabilities.includes(one)))
}

/** What models do that have vectors of tokens to give; where several could be meant, the first of it is. */
const WITH_TOKENS: readonly Capability[] = ['embed', 'multi_vector']

function readsText({ capabilities }: ModelInfo): boolean {
  return capabilities.some((capability) => !isOfMedia(capability))
}

function isOfMedia(capability: Capability): boolean {
  return capability === 'image_embed' || capability === 'audio_embed'
}

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

/** Of several that can do it, where that is clear. */
function meantBy<M extends Known>(
  task: Operation,
  able: readonly M[],
  name: string | undefined,
): M | undefined {
  return isForAll(task) ? tokenizing(able, name) : specialist(able, task)
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

/** Beside models of pictures and sounds it is told what is embedded. */
function toDo(tasks: readonly Operation[], models: readonly Known[]): string {
  const isMixed = tasks.length > 1 || models.some(({ info }) => info.capabilities.some(isOfMedia))
  return tasks.map((task) => (task === 'embed' && isMixed ? 'embed texts' : DOINGS[task])).join(' and ')
}

function hint(able: readonly Known[], what: string): string {
  if (able.length === 0) return ` No served model can ${what}.`
  return ` Models that can: ${able.map(({ info }) => info.id).join(', ')}.`
}
