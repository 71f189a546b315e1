/** The models of MODEL_NAMES, from their names to their devices. Apart from `start.ts`, so that this begins before the engine is read. */
import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import type { Log } from './base/log.ts'
import type { Config } from './config.ts'
import { chooseDevices } from './devices/choose-devices.ts'
import type { Device, Devices } from './devices/device.ts'
import { describeDevice } from './devices/device.ts'
import { applyOrtEnvironment } from './devices/ort-environment.ts'
import type { LoadedModel } from './engine/engine.ts'
import { ServerError, asServerError } from './errors.ts'
import type { LoadOptions, UnkeptModel } from './load-model.ts'
import { loadModel, openModel } from './load-model.ts'
import { isPath } from './locate-model.ts'
import { openProgressBar } from './model/progress-bar.ts'
import type { ModelSpec } from './model/spec.ts'
import type { Threads } from './threads.ts'

export interface LoadModelsOptions {
  readonly config: Config
  readonly log: Log
  readonly threads: Threads
  /** What the models run on; what the settings ask for unless told. */
  readonly devices?: Devices | Promise<Devices> | undefined
  /** Ends what is being fetched. */
  readonly signal?: AbortSignal | undefined
}

export interface Loading {
  /** Settles once a model lies with its thread, or none ever will: until then this thread should not be blocked for long. */
  readonly handedOver: Promise<void>
  /** Rejects with a `ServerError` that tells of every model that failed. */
  readonly done: Promise<LoadedModels>
}

export interface LoadedModels {
  readonly models: readonly LoadedModel[]
  /** Those that the next start would find, were they written. */
  readonly unkept: readonly UnkeptModel[]
}

/** Begins; whoever closes the threads ends it. */
export function loadModels(options: LoadModelsOptions): Loading {
  const { promise: handedOver, resolve: onHandOver } = Promise.withResolvers<void>()
  const done = load(options, onHandOver).finally(onHandOver)
  // It may fail before anybody awaits it.
  done.catch(() => {})
  return { handedOver, done }
}

async function load(
  { config, log, threads, ...options }: LoadModelsOptions,
  onHandOver: () => void,
): Promise<LoadedModels> {
  const failing = new AbortController()
  try {
    const signal = AbortSignal.any([failing.signal, ...(options.signal ? [options.signal] : [])])
    // A driver that wakes its GPUs takes seconds, in which models can be fetched and read.
    const opening = openModels({ config, log, signal })
    const devices = withSessions(await (options.devices ?? chooseDevices(config)), config)
    // Before the first session, which reads it.
    applyOrtEnvironment(devices, config)
    log('info', { event: 'devices_chosen', devices: devices.map(showDevice) })
    if (config.backend !== 'torch') log('info', { event: 'backend_ignored', requested: config.backend })
    const unkept: UnkeptModel[] = []
    const onUnkept = (model: UnkeptModel) => void unkept.push(model)
    const models = await loadAll(opening, { config, devices, threads, log, onUnkept, onHandOver })
    return { models, unkept }
  } catch (error) {
    failing.abort()
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
async function loadAll(
  models: readonly OpeningModel[],
  shared: Pick<LoadOptions, 'config' | 'devices' | 'threads' | 'log' | 'onUnkept' | 'onHandOver'>,
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

/** A CPU, as often as models have sessions on it. */
function withSessions(devices: Devices, { cpuSessions }: Config): Devices {
  const [first] = devices
  if (first.kind !== 'cpu') return devices
  const others = Math.min(cpuSessions, availableParallelism()) - 1
  return [first, ...Array<Device>(others).fill(first)]
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
