/** A model that was asked for, on every device: from its name to what the engine serves. */
import { availableParallelism, homedir } from 'node:os'
import { join } from 'node:path'
import type { Log } from './base/log.ts'
import type { Config, ModelRequest } from './config.ts'
import type { Device, Devices } from './devices/device.ts'
import { describeDevice } from './devices/device.ts'
import type { LoadedModel } from './engine/engine.ts'
import { ServerError, asServerError } from './errors.ts'
import type { TargetName } from './graph/target.ts'
import type { LocateOptions } from './locate-model.ts'
import { locateModel } from './locate-model.ts'
import { openFolder } from './model/open-folder.ts'
import type { ModelSpec } from './model/spec.ts'
import { balance } from './runtime/balance.ts'
import type { InferenceThread, LoadedRunner } from './runtime/inference-thread.ts'
import type { Int8Ask } from './runtime/int8/protocol.ts'
import { LEAST_COSINE } from './runtime/int8/protocol.ts'
import { Overflow } from './runtime/overflow.ts'
import type { ChooseReply } from './runtime/protocol.ts'
import type { Threads } from './threads.ts'
import type { Tokenizer } from './tokenize/tokenizer.ts'

export interface LoadOptions {
  readonly request: ModelRequest
  /** Under which it is served, the one shown first. */
  readonly names: readonly [string, ...string[]]
  /** What `openModel` gave. */
  readonly opening: Promise<ModelSpec>
  readonly config: Config
  readonly devices: Devices
  readonly threads: Threads
  /** Runs what puts a model on its devices, where one may have to wait for another. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>
  /** Told of a model that the next start would find, were it written. */
  readonly onUnkept: (model: UnkeptModel) => void
  /** Told each time that a model was given to a thread. */
  readonly onHandOver: () => void
  readonly log: Log
}

/** A model that no start has kept yet as it lies in memory. */
export interface UnkeptModel {
  readonly name: string
  readonly spec: ModelSpec
  readonly target: TargetName
  readonly folder: string
  /** Where its converted weights are. */
  readonly cacheFolder: string
}

/** Fetched where that is needed, and read. It takes no device, nor waits for one. */
export async function openModel(
  request: ModelRequest,
  name: string,
  options: LocateOptions,
): Promise<ModelSpec> {
  return openFolder(await locateModel(request, options), name, request.dtype)
}

/** Throws a `ServerError` that names the model, and the device where it is one of several. */
export async function loadModel(options: LoadOptions): Promise<LoadedModel> {
  const { request, names, opening, config, devices, threads, inTurn } = options
  const [name] = names
  const inference = devices.map(() => threads.takeInference())
  try {
    const spec = await opening
    const chosen = await chooseTarget(spec, inference[0] as InferenceThread, options)
    const opened = spec.tokenizer && threads.tokenizer.open(spec.tokenizer)
    const int8 = askInt8(chosen.int8Mode, spec, opened, config)
    const [runners, tokenizer] = await Promise.all([
      inTurn(async () => loadOnDevices(spec, chosen, { ...options, inference, int8: await int8 })),
      opened,
    ])
    const maxBatchTokens = Math.min(...runners.map((runner) => batchTokensOf(runner, config)))
    const { batchSize, dtype: dtypeRequested } = request
    return { spec, runner: balance(runners), tokenizer, names, batchSize, maxBatchTokens, dtypeRequested }
  } catch (error) {
    const { code, message } = asServerError(error)
    // With several models an operator must see which, and where it was looked for.
    const shown = name === request.source ? name : `${name} (${request.source})`
    const text = message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message
    throw new ServerError(code, `${shown}: ${text}`, { cause: error })
  }
}

interface Placement extends LoadOptions {
  /** One for each device. */
  readonly inference: readonly InferenceThread[]
  readonly int8: Int8Ask | undefined
}

type Runners = [LoadedRunner, ...LoadedRunner[]]

/** On all devices, in one precision: where one of them finds that it cannot hold the model's numbers, all go to the wider one. */
async function loadOnDevices(
  spec: ModelSpec,
  { target, wider }: ChooseReply,
  placement: Placement,
): Promise<Runners> {
  try {
    return await loadForTarget(spec, target, placement)
  } catch (error) {
    if (!(error instanceof Overflow) || wider === undefined) throw error
    reportReplacement(placement, wider.dtype, error.message)
    return loadForTarget(spec, wider.target, placement)
  }
}

/** Side by side; throws of each that failed, or an `Overflow` if that is all. */
async function loadForTarget(spec: ModelSpec, target: TargetName, placement: Placement): Promise<Runners> {
  const { devices, inference, config } = placement
  const [first] = inference
  // Else every device would convert the same weights.
  if (devices.length > 1) await first?.place({ spec, target, cacheFolder: cacheFolder(config) })
  const loading = devices.map((device, index) =>
    loadOn(spec, target, device, inference[index] as InferenceThread, placement),
  )
  const results = await Promise.allSettled(loading)
  const runners: LoadedRunner[] = []
  const failures: ServerError[] = []
  let overflow: Overflow | undefined
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') runners.push(result.value)
    else if (result.reason instanceof Overflow) overflow ??= result.reason
    else failures.push(withDevice(result.reason, devices[index] as Device))
  }
  const [failure] = failures
  if (failure !== undefined) throw new ServerError(failure.code, linesOf(failures), { cause: failure })
  if (overflow !== undefined) throw overflow
  for (const [index, runner] of runners.entries())
    reportLoad(runner, describeDevice(devices[index] as Device), placement)
  reportUnkept(spec, target, runners as Runners, placement)
  return runners as Runners
}

/** Sessions of one CPU fail alike. */
function linesOf(failures: readonly ServerError[]): string {
  return [...new Set(failures.map(({ message }) => message))].join('\n')
}

function loadOn(
  spec: ModelSpec,
  target: TargetName,
  device: Device,
  thread: InferenceThread,
  { config, request, devices, names: [model], int8, log, onHandOver }: Placement,
): Promise<LoadedRunner> {
  const shown = describeDevice(device)
  const isTried = device.kind === 'cuda' && config.maxBatchTokens === 'auto'
  const loading = thread.load(spec, {
    target,
    device,
    threadCount: Math.max(1, Math.floor(availableParallelism() / devices.length)),
    // Beside others it would take their cores: two models at once were 4 % slower.
    spins: config.models.length === 1,
    share: isTried
      ? { memoryBytes: device.freeBytes / config.models.length, maxRows: request.batchSize }
      : undefined,
    cacheFolder: cacheFolder(config),
    prepackedFolder: device.kind === 'cpu' && int8 === undefined ? prepackedFolder(config) : undefined,
    int8,
    onDeath: ({ message }) => log('error', { event: 'thread_died', model, device: shown, error: message }),
    onRevival: (ms) => log('warn', { event: 'thread_revived', model, device: shown, loadMs: Math.round(ms) }),
    onLoss: ({ message }) => log('error', { event: 'device_lost', model, device: shown, error: message }),
  })
  onHandOver()
  return loading
}

function reportLoad(runner: LoadedRunner, device: string, { config, names: [model], log }: Placement): void {
  const { dtype, provider, loaded } = runner
  log('info', {
    event: 'model_loaded',
    model,
    dtype,
    provider,
    device,
    loadMs: Math.round(loaded.loadMs),
    maxBatchTokens: batchTokensOf(runner, config),
    unusedTensors: loaded.unusedTensors.length,
    ...(loaded.prepacked && { prepacked: loaded.prepacked.isUsed }),
  })
  const { fidelity, unkept } = loaded
  if (fidelity !== undefined) {
    // So low a mean was forced: who reads no more than warnings is to know.
    const level = fidelity.meanCosine < LEAST_COSINE ? 'warn' : 'info'
    log(level, { event: 'int8_fidelity', model, mode: config.int8Mode, ...fidelity })
    reportTowers(Object.keys(loaded.towers), model, log)
  }
  if (unkept !== undefined) log('warn', { event: 'int8_unkept', model, reason: unkept })
  if (!loaded.longestRowFits)
    log('warn', { event: 'longest_row_unfit', model, device, maxTokens: loaded.maxTokens })
}

/** Of a model in int8, which is calibrated with texts. */
function reportTowers(towers: readonly string[], model: string, log: Log): void {
  if (towers.length === 0) return
  const reason = `int8 is calibrated with texts, not with what the model reads besides: ${towers.join(', ')}`
  log('info', { event: 'dtype_replaced', model, requested: 'int8', used: 'fp32', reason })
}

function reportUnkept(
  spec: ModelSpec,
  target: TargetName,
  [{ loaded }]: Runners,
  { config, names: [name], log, onUnkept }: Placement,
): void {
  const folder = prepackedFolder(config)
  if (folder === undefined || loaded.prepacked === undefined || loaded.prepacked.isUsed) return
  const { ignored } = loaded.prepacked
  if (ignored !== undefined) log('warn', { event: 'prepacked_ignored', model: name, reason: ignored })
  onUnkept({ name, spec, target, folder, cacheFolder: cacheFolder(config) })
}

/** What was found or is asked for, as far as the target's kernels can count. */
function batchTokensOf({ batchTokens, loaded }: LoadedRunner, { maxBatchTokens }: Config): number {
  return Math.min(maxBatchTokens === 'auto' ? batchTokens : maxBatchTokens, loaded.maxBatchTokens)
}

function withDevice(reason: unknown, device: Device): ServerError {
  const { code, message } = asServerError(reason)
  const shown = describeDevice(device)
  if (device.kind === 'cpu' || message.startsWith(shown)) return asServerError(reason)
  return new ServerError(code, `${shown}: ${message}`, { cause: reason })
}

/** One for all devices, so that a text has the same vector wherever it runs: of unlike GPUs what the least of them can do. */
async function chooseTarget(
  spec: ModelSpec,
  thread: InferenceThread,
  options: LoadOptions,
): Promise<ChooseReply> {
  const { request, devices, config } = options
  const { int8Mode } = config
  const device = devices.reduce(lesser)
  const chosen = await thread.choose({ spec, requested: request.dtype, device, int8Mode })
  const { exported } = spec
  if (exported !== undefined) {
    const { name: file, dtype } = exported
    options.log('info', { event: 'exported_chosen', model: request.source, file, dtype })
  }
  const { replaced } = chosen
  if (replaced !== undefined) reportReplacement(options, replaced.used, replaced.reason)
  return chosen
}

/** Throws `model_unsupported` where the dtype that was asked for is insisted on. */
function reportReplacement(
  { request: { source, dtype }, config, log }: LoadOptions,
  used: string,
  reason: string,
): void {
  if (config.strictDtypes && dtype !== 'auto') {
    const message = `DTYPES: ${source} asks for ${dtype}; ${reason}, and STRICT_DTYPES is set`
    throw new ServerError('model_unsupported', message)
  }
  log('warn', { event: 'dtype_replaced', model: source, requested: dtype, used, reason })
}

/** Nothing of it is read for a model that is not computed in int8. */
async function askInt8(
  mode: ChooseReply['int8Mode'],
  spec: ModelSpec,
  opened: Promise<Tokenizer> | undefined,
  { int8Force }: Config,
): Promise<Int8Ask | undefined> {
  if (mode === undefined || opened === undefined) return undefined
  const { makeInt8Ask } = await import('./calibration/int8-ask.ts')
  return makeInt8Ask(mode, { spec, tokenizer: await opened, isForced: int8Force })
}

/** Where converted weights are kept: beside the hub's cache unless told. */
function cacheFolder({ cacheDir, hfHome }: Config): string {
  return cacheDir ?? join(hfHome ?? join(homedir(), '.cache', 'huggingface'), 'runpod-worker-embeddings')
}

/**
 * Where models are kept as they lie in memory: twice the size of the weights in float32, so that they must be asked for.
 * Elsewhere than on Linux nothing says which folder it is that was opened.
 */
function prepackedFolder({ cacheDir }: Config): string | undefined {
  return cacheDir === undefined || process.platform !== 'linux' ? undefined : join(cacheDir, 'prepacked')
}

function lesser(one: Device, other: Device): Device {
  return capabilityOf(other) < capabilityOf(one) ? other : one
}

function capabilityOf(device: Device): number {
  return device.kind === 'cpu' ? 0 : device.computeCapability
}
