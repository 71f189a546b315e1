/** The service: every task becomes rows of one model, and rows become its result. */
import type { CallOptions, Service } from '../task.ts'
import type { Operation } from './find-model.ts'
import { findModel } from './find-model.ts'
import type { CacheStats } from './result-cache.ts'
import type { LoadedModel, ServedModel, ServedModelOptions } from './served-model.ts'
import { describe, serveModel } from './served-model.ts'
import { classify } from './tasks/classify.ts'
import type { ClientIds } from './tasks/decode.ts'
import { decode } from './tasks/decode.ts'
import { embed } from './tasks/embed.ts'
import { embedMulti } from './tasks/embed-multi.ts'
import { embedSparse } from './tasks/embed-sparse.ts'
import { embedTokens } from './tasks/embed-tokens.ts'
import { rerank } from './tasks/rerank.ts'
import { tokenize } from './tasks/tokenize.ts'

export type { LoadedModel } from './served-model.ts'

export interface EngineOptions extends ServedModelOptions, ClientIds {}

export interface Engine extends Service {
  /** Undefined: no results are kept. */
  readonly cacheStats: () => CacheStats | undefined
  /** Told to stop: what is nearly done is finished first. What comes is still taken. */
  readonly drain: () => void
  readonly close: () => Promise<void>
}

export function openEngine(models: readonly LoadedModel[], options: EngineOptions): Engine {
  const served = models.map((model) => serveModel(model, options))
  const { tokenInput, cl100k, cache } = options
  /** An operation, on the model that a task means. */
  const on =
    <T extends { readonly model: string | undefined }, R>(
      operation: Operation,
      run: (served: ServedModel, task: T, options: CallOptions) => Promise<R>,
    ) =>
    async (task: T, options: CallOptions = {}): Promise<R> =>
      run(findModel(served, operation, task.model), task, options)
  return {
    embed: on('embed', embed),
    embedTokens: on('embed_tokens', embedTokens),
    embedMulti: on('multi_vector', embedMulti),
    embedSparse: on('embed_sparse', embedSparse),
    rerank: on('rerank', rerank),
    classify: on('classify', classify),
    tokenize: on('tokenize', tokenize),
    decode: async (task, { signal } = {}) => {
      const findOwn = () => findModel(served, task.purpose ?? 'decode', task.model)
      return decode(task, { tokenInput, cl100k, findModel: findOwn, signal })
    },
    models: () => served.map(describe),
    cacheStats: () => cache?.stats,
    drain: () => served.forEach(({ lane }) => lane.drain()),
    close: async () => {
      await Promise.all(served.map(({ lane }) => lane.close()))
    },
  }
}
