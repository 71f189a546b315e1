/** Config to a running service: one inference thread a model and device, one tokenizer thread for all. */
import { basename } from 'node:path'
import type { Log } from './base/log.ts'
import type { BatchFacts } from './base/metrics.ts'
import type { Config } from './config.ts'
import { chooseDevices } from './devices/choose-devices.ts'
import type { Device, Devices } from './devices/device.ts'
import { describeDevice } from './devices/device.ts'
import { applyOrtEnvironment } from './devices/ort-environment.ts'
import type { Engine, EngineOptions, LoadedModel } from './engine/engine.ts'
import { openEngine } from './engine/engine.ts'
import { ResultCache } from './engine/result-cache.ts'
import { ServerError, asServerError } from './errors.ts'
import { keepModels } from './keep-models.ts'
import type { LoadOptions, UnkeptModel } from './load-model.ts'
import { loadModel, openModel } from './load-model.ts'
import { isPath } from './locate-model.ts'
import { openProgressBar } from './model/progress-bar.ts'
import type { ModelSpec } from './model/spec.ts'
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

export interface StartOptions {
  readonly config: Config
  readonly log: Log
  /** May have been started before the configuration was read; they belong to the service from here on. */
  readonly threads?: Threads | undefined
  /** What the models run on; what the settings ask for unless told. */
  readonly devices?: Devices | Promise<Devices> | undefined
  /** Told of every batch that ran. */
  readonly onBatch?: ((model: string, batch: BatchFacts) => void) | undefined
  /** Told of items that were answered without a place in a batch. */
  readonly onReuse?: EngineOptions['onReuse']
  /** Ends what is being fetched. */
  readonly signal?: AbortSignal | undefined
}

const MEGABYTE = 1_000_000

/** Loads every model and opens the engine. Throws a `ServerError` that tells of every model that failed; no thread is left then. */
export async function startService(options: StartOptions): Promise<RunningService> {
  const { config, log, threads = new Threads(), onBatch, onReuse } = options
  const failing = new AbortController()
  try {
    const signal = AbortSignal.any([failing.signal, ...(options.signal ? [options.signal] : [])])
    // A driver that wakes its GPUs takes seconds, in which models can be fetched and read.
    const opening = openModels({ config, log, signal })
    const devices = await (options.devices ?? chooseDevices(config))
    // Before the first session, which reads it.
    applyOrtEnvironment(devices, config)
    log('info', { event: 'devices_chosen', devices: devices.map(showDevice) })
    if (config.backend !== 'torch') log('info', { event: 'backend_ignored', requested: config.backend })
    const unkept: UnkeptModel[] = []
    const onUnkept = (model: UnkeptModel) => void unkept.push(model)
    const models = await loadModels(opening, { config, devices, threads, log, onUnkept })
    const { queueSize, maxQueueTokens, tokenInput, cacheMb } = config
    const queueTokens = maxQueueTokens === 'auto' ? undefined : maxQueueTokens
    const cache = cacheMb === 0 ? undefined : new ResultCache({ maxBytes: cacheMb * MEGABYTE })
    const cl100k: EngineOptions['cl100k'] = (ids, call) => threads.cl100k.decode(ids, call)
    const onBudget = (model: string, maxBatchTokens: number) =>
      log('warn', { event: 'batch_budget_changed', model, maxBatchTokens })
    const watchers = { onBatch, onReuse, onBudget }
    const engine = openEngine(models, { queueSize, queueTokens, tokenInput, cl100k, cache, ...watchers })
    const closing = new AbortController()
    const close = async () => {
      closing.abort()
      await engine.close()
      await threads.close()
    }
    return { engine, keepModels: () => keepModels(unkept, closing.signal, log), close }
  } catch (error) {
    failing.abort()
    await threads.close()
    throw error
  }
}

interface OpeningModel extends Pick<LoadOptions, 'request' | 'names'> {
  readonly opening: Promise<ModelSpec>
}

/** All side by side. Throws what `nameModels` throws; a model that cannot be opened is found by whoever awaits it. */
function openModels(shared: {
  readonly config: Config
  readonly log: Log
  readonly signal: AbortSignal
}): OpeningModel[] {
  const names = nameModels(shared.config)
  const bar = openProgressBar(process.stderr)
  const models = shared.config.models.map((request, index) => {
    const own = names[index] as Names
    return { request, names: own, opening: openModel(request, own[0], { ...shared, bar }) }
  })
  void Promise.allSettled(models.map(({ opening }) => opening)).then(() => bar.clear())
  return models
}

/** All of them, as far as they can be loaded at once. */
async function loadModels(
  models: readonly OpeningModel[],
  shared: Pick<LoadOptions, 'config' | 'devices' | 'threads' | 'log' | 'onUnkept'>,
): Promise<LoadedModel[]> {
  const inTurn = turnsOn(shared.devices)
  const results = await Promise.allSettled(models.map((model) => loadModel({ ...shared, ...model, inTurn })))
  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [asServerError(result.reason)] : [],
  )
  const [first] = failures
  if (first !== undefined) {
    throw new ServerError(first.code, failures.map(({ message }) => message).join('\n'), { cause: first })
  }
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}

function showDevice(device: Device): string {
  return device.kind === 'cpu' ? describeDevice(device) : `${describeDevice(device)} (${device.name})`
}

/**
 * On GPUs one model after the other: the size of a model's batches is found by filling memory, in which the weights of those
 * before it must already lie.
 */
function turnsOn([{ kind }]: Devices): LoadOptions['inTurn'] {
  if (kind === 'cpu') return (work) => work()
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
  }
}

type Names = readonly [string, ...string[]]

/** Names of each model, the one shown first: its aliases, then its own. Throws `model_invalid` where two share one. */
function nameModels({ models, bundledModel }: Config): Names[] {
  const owners = new Map<string, string>()
  return models.map(({ source, aliases }) => {
    // A path is no name for clients: without an alias the folder's own stands for it.
    const isFolderPath = bundledModel || isPath(source)
    const own = isFolderPath ? basename(source) : source
    const [first = own, ...others] = aliases
    const names: Names = [first, ...others, ...(isFolderPath || first === own ? [] : [own])]
    for (const name of names) {
      const other = owners.get(name)
      if (other !== undefined) {
        throw new ServerError(
          'model_invalid',
          `MODEL_NAMES: ${other} and ${source} would both be served as "${name}"; give one an alias: other-name=${source}`,
        )
      }
      owners.set(name, source)
    }
    return names
  })
}
