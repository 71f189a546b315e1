/** The service: every task becomes rows of one model, and rows become its result. */
import type { MediaReader } from '../media/media.ts'
import type { CallOptions, Capability, EmbedMediaTask, Service } from '../task.ts'
import type { Operation } from './find-model.ts'
import { findModel } from './find-model.ts'
import type { CacheStats } from './result-cache.ts'
import type { LoadedModel, ServedModel, ServedModelOptions } from './served-model.ts'
import { describe, serveModel } from './served-model.ts'
import { classify } from './tasks/classify.ts'
import type { ClientIds } from './tasks/decode.ts'
import { decode } from './tasks/decode.ts'
import { embed } from './tasks/embed.ts'
import { embedMedia } from './tasks/embed-media.ts'
import { embedMulti } from './tasks/embed-multi.ts'
import { embedSparse } from './tasks/embed-sparse.ts'
import { embedTokens } from './tasks/embed-tokens.ts'
import { rerank } from './tasks/rerank.ts'
import { tokenize } from './tasks/tokenize.ts'

export type { LoadedModel } from './served-model.ts'

export interface EngineOptions extends ServedModelOptions, ClientIds {
  /** Of pictures and sounds; undefined where no model has a tower for them. */
  readonly media?: MediaReader | undefined
}

export interface Engine extends Service {
  /** Undefined: no results are kept. */
  readonly cacheStats: () => CacheStats | undefined
  /** Told to stop: what is nearly done is finished first. What comes is still taken. */
  readonly drain: () => void
  readonly close: () => Promise<void>
}

export function openEngine(models: readonly LoadedModel[], options: EngineOptions): Engine {
  const served = models.map((model) => serveModel(model, options))
  const { tokenInput, cl100k, cache, media } = options
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
    embedMedia: async (task, callOptions = {}) => {
      const found = findModel(served, needsOf(task), task.model)
      return embedMedia(found, task, callOptions, media)
    },
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

/** What a model must be able to that shall embed these items; of none what the task is by its name. */
function needsOf({ items }: EmbedMediaTask): 'embed' | readonly Capability[] {
  const modalities = new Set(items.map((item) => (typeof item === 'string' ? 'text' : item.modality)))
  const needs = MODALITIES.filter(({ modality }) => modalities.has(modality)).map(({ need }) => need)
  return needs.some((need) => need !== 'embed') ? needs : 'embed'
}

const MODALITIES = [
  { modality: 'text', need: 'embed' },
  { modality: 'image', need: 'image_embed' },
  { modality: 'audio', need: 'audio_embed' },
] as const
