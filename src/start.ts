/** Config to a running service: one inference thread a model and device, one tokenizer thread for all. */
import type { BatchFacts } from './base/metrics.ts'
import type { Engine, EngineOptions } from './engine/engine.ts'
import { openEngine } from './engine/engine.ts'
import { ResultCache } from './engine/result-cache.ts'
import { keepModels } from './keep-models.ts'
import type { LoadedModels, Loading, LoadModelsOptions } from './load-models.ts'
import { loadModels } from './load-models.ts'
import { Threads } from './threads.ts'

export interface RunningService {
  readonly engine: Engine
  /**
   * Has the models written that the next start would load faster, one after the other, by a process of low priority; nothing
   * where CACHE_DIR names no folder. Resolves when that is done, or when the service closes.
   */
  readonly keepModels: () => Promise<void>
  /** Ends its threads too. */
  readonly close: () => Promise<void>
}

export interface StartOptions extends Omit<LoadModelsOptions, 'threads'> {
  /** May have been started before the configuration was read; they belong to the service from here on. */
  readonly threads?: Threads | undefined
  /** On those threads, where it has begun before the rest of the program was read. */
  readonly loading?: Loading | undefined
  /** Told of every batch that ran. */
  readonly onBatch?: ((model: string, batch: BatchFacts) => void) | undefined
  /** Told of items that were answered without a place in a batch. */
  readonly onReuse?: EngineOptions['onReuse']
}

const MEGABYTE = 1_000_000

/** Loads every model and opens the engine. Throws a `ServerError` that tells of every model that failed; no thread is left then. */
export async function startService(options: StartOptions): Promise<RunningService> {
  const { config, log, threads = new Threads(), onBatch, onReuse } = options
  const loading = options.loading ?? loadModels({ ...options, threads })
  try {
    const { models, unkept } = await loading.done
    const { queueSize, maxQueueTokens, tokenInput, cacheMb } = config
    const queueTokens = maxQueueTokens === 'auto' ? undefined : maxQueueTokens
    const cache = cacheMb === 0 ? undefined : new ResultCache({ maxBytes: cacheMb * MEGABYTE })
    const cl100k: EngineOptions['cl100k'] = (ids, call) => threads.cl100k.decode(ids, call)
    const onBudget = (model: string, maxBatchTokens: number) =>
      log('warn', { event: 'batch_budget_changed', model, maxBatchTokens })
    const watchers = { onBatch, onReuse, onBudget }
    const media = await openReader(models, config, threads)
    const engine = openEngine(models, {
      queueSize,
      queueTokens,
      tokenInput,
      cl100k,
      cache,
      media,
      ...watchers,
    })
    const closing = new AbortController()
    const close = async () => {
      closing.abort()
      await engine.close()
      await threads.close()
    }
    return { engine, keepModels: () => keepModels(unkept, closing.signal, log), close }
  } catch (error) {
    await threads.close()
    throw error
  }
}

/** Nothing of it is read where no model has a tower. */
async function openReader(
  models: LoadedModels['models'],
  { media: { urls, ...limits } }: StartOptions['config'],
  threads: Threads,
): Promise<EngineOptions['media']> {
  if (models.every(({ spec }) => spec.image === undefined && spec.audio === undefined)) return undefined
  const { openMediaReader } = await import('./media/read-media.ts')
  return openMediaReader({ thread: threads.media, policy: urls, ...limits })
}
