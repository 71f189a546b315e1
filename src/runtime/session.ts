/** The only door to ONNX Runtime. */
import { InferenceSession, Tensor, env } from 'onnxruntime-node'
import { CPU } from '../devices/device.ts'
import type { CpuDevice, CudaDevice } from '../devices/device.ts'
import type { ErrorCode } from '../errors.ts'
import { ServerError, messageOf } from '../errors.ts'
import type { InputRole, STATES } from '../graph/contract.ts'
import { OUTPUT, TOKENS } from '../graph/contract.ts'
import { encodeGraph } from '../graph/encode.ts'
import type { ExportedModel } from '../model/exported-spec.ts'
import { findDeviceFailure } from './device-failure.ts'
import type { Feed } from './feeds.ts'
import { withoutSource } from './library-message.ts'
import { MODEL_FILE, WEIGHTS_FILE } from './prepacked/files.ts'

export interface Outputs {
  /** [B, D] */
  readonly rows: Float32Array<ArrayBuffer>
  /** [T, H], where they were asked for. */
  readonly tokens: Float32Array<ArrayBuffer> | undefined
}

export interface Session {
  /**
   * One feed for each of the graph's inputs. Throws `out_of_memory` where the device had no room for the batch; `device_lost`
   * where it takes no more work from this process; else `inference_failed`.
   */
  readonly run: (
    feeds: ReadonlyMap<InputRole | typeof STATES, Feed>,
    wantsTokens?: boolean,
  ) => Promise<Outputs>
  /** Gives back what it holds of the device's memory; it must not be used after. */
  readonly release: () => Promise<void>
}

/** Of the library whose kernels run. */
export const ORT_VERSION = env.versions.node

/**
 * Has the library make what all sessions share, its table of kernels above all, some 25 ms of a first session: for a thread
 * that waits for its model. It takes no device but the CPU.
 */
export async function prepareLibrary(): Promise<void> {
  const value = { name: 'x', dtype: 'f32', shape: [1] } as const
  const node = { op: 'Neg', inputs: ['x'], attributes: {}, outputs: [{ ...value, name: OUTPUT }] }
  const graph = { nodes: [node], initializers: [], inputs: [value], outputs: node.outputs }
  const session = await createSession(encodeGraph(graph), { device: CPU, threadCount: 1 })
  await session.release()
}

export interface SessionOptions {
  readonly device: CpuDevice | Pick<CudaDevice, 'kind' | 'index'>
  /** Threads of one operator. */
  readonly threadCount: number
  /** On the CPU: they look for work a moment longer before they sleep, which takes cores from other models; no unless told. */
  readonly spins?: boolean | undefined
  /** On the CPU: where the model lies with its weights packed for it, or where it shall be written so. */
  readonly prepacked?: PrepackedFolder | undefined
}

export interface PrepackedFolder {
  readonly folder: string
  readonly isRead: boolean
}

/**
 * `model`: a ModelProto; external data is named by absolute path without the leading slash. Throws `load_failed` where ONNX
 * Runtime cannot make a session of it; where the device is at fault, what `run` throws then.
 */
export async function createSession(
  model: Uint8Array<ArrayBuffer>,
  options: SessionOptions,
): Promise<Session> {
  const session = await create(model, sessionOptions(options))
  return {
    release: () => session.release(),
    async run(feeds, wantsTokens = false) {
      const tensors: Record<string, Tensor> = {}
      for (const [role, { data, dims }] of feeds) {
        tensors[role] =
          data instanceof Int32Array ? new Tensor('int32', data, dims) : new Tensor('float32', data, dims)
      }
      try {
        const outputs = await session.run(tensors, wantsTokens ? [OUTPUT, TOKENS] : [OUTPUT])
        return {
          rows: outputs[OUTPUT]?.data as Float32Array<ArrayBuffer>,
          tokens: outputs[TOKENS]?.data as Float32Array<ArrayBuffer> | undefined,
        }
      } catch (error) {
        throw failureOf(error, 'inference_failed', 'ONNX Runtime failed')
      }
    },
  }
}

/** An input of an exported model. */
export interface ExportedFeed {
  readonly data: Int32Array | BigInt64Array
  readonly dims: readonly number[]
}

export interface ExportedSession {
  /**
   * `feeds` by the model's own names for its inputs; resolves to the output of that name, as float32. Throws as a session of
   * ours does, and `model_invalid` where the output is of no kind that can be read.
   */
  readonly run: (feeds: ReadonlyMap<string, ExportedFeed>, output: string) => Promise<Feed>
  readonly release: () => Promise<void>
}

/** Throws `load_failed` where ONNX Runtime cannot make a session of the file. */
export async function createExportedSession(
  { file, name, content }: ExportedModel,
  options: SessionOptions,
): Promise<ExportedSession> {
  const session = await create(
    content ?? file,
    exportedOptions(options, content !== undefined),
    ` of ${name}`,
  )
  return {
    release: () => session.release(),
    async run(feeds, output) {
      const tensors: Record<string, Tensor> = {}
      for (const [input, { data, dims }] of feeds) {
        tensors[input] =
          data instanceof Int32Array ? new Tensor('int32', data, dims) : new Tensor('int64', data, dims)
      }
      let made: Tensor | undefined
      try {
        made = (await session.run(tensors, [output]))[output]
      } catch (error) {
        throw failureOf(error, 'inference_failed', `ONNX Runtime failed in ${name}`)
      }
      const { type, data, dims } = made as Tensor
      if (type === 'float32') return { data: data as Float32Array, dims }
      // The addon gives numbers of 16 bits, and takes none.
      if (type === 'float16') return { data: new Float32Array(data as ArrayLike<number>), dims }
      throw new ServerError(
        'model_invalid',
        `${name} gives ${type} as ${output}; float32 or float16 is needed`,
      )
    },
  }
}

/** Of both providers. */
const SHARED: InferenceSession.SessionOptions = {
  // Our graphs come fused: the higher levels would only undo what was measured to be faster.
  graphOptimizationLevel: 'basic',
  // Patterns are cached for each set of input shapes, and ours hardly repeat.
  enableMemPattern: false,
  executionMode: 'sequential',
  logSeverityLevel: 3,
}

const SHARED_ENTRIES = {
  // External data is named by absolute path without the leading slash.
  model_external_initializers_file_folder_path: '/',
}

/** What ONNX Runtime is asked for. */
export function sessionOptions({
  device,
  threadCount,
  spins = false,
  prepacked,
}: SessionOptions): InferenceSession.SessionOptions {
  const shared = { ...SHARED, intraOpNumThreads: threadCount }
  if (device.kind === 'cpu') {
    const session = { ...SHARED_ENTRIES, force_spinning_stop: spins ? '0' : '1', set_denormal_as_zero: '1' }
    const plain = { ...shared, executionProviders: ['cpu'], extra: { session } }
    return prepacked === undefined ? plain : { ...plain, ...prepackedOptions(prepacked, session) }
  }
  // Weights bypass the arena: it grows by doubling, and what it holds beyond the need is never given back.
  const session = {
    ...SHARED_ENTRIES,
    // Between runs the cores belong to tokenizers and JavaScript.
    force_spinning_stop: '1',
    use_device_allocator_for_initializers: '1',
  }
  // The number is all that Node can tell CUDA. What it cannot run is left to the CPU: shapes are computed there anyway.
  return { ...shared, executionProviders: [{ name: 'cuda', deviceId: device.index }], extra: { session } }
}

/** Of a model that was optimized when it was written, or that is to be written as it comes to lie in memory. */
function prepackedOptions(
  { folder, isRead }: PrepackedFolder,
  session: Readonly<Record<string, string>>,
): InferenceSession.SessionOptions {
  if (isRead) {
    const found = { ...session, model_external_initializers_file_folder_path: folder }
    return { graphOptimizationLevel: 'disabled', extra: { session: found } }
  }
  const written = {
    ...session,
    optimized_model_external_initializers_file_name: WEIGHTS_FILE,
    // What is smaller stays in the graph.
    optimized_model_external_initializers_min_size_in_bytes: '1024',
    save_external_prepacked_constant_initializers: '1',
  }
  return { optimizedModelFilePath: `${folder}/${MODEL_FILE}`, extra: { session: written } }
}

/** `namesData`: the model is given as bytes, and names the files of its weights by absolute path. */
export function exportedOptions(
  options: SessionOptions,
  namesData: boolean,
): InferenceSession.SessionOptions {
  const { extra, ...own } = sessionOptions(options)
  const { model_external_initializers_file_folder_path: root, ...session } = (
    extra as { session: Record<string, string> }
  ).session
  return {
    ...own,
    // Exporters leave to ONNX Runtime what our graphs come with.
    graphOptimizationLevel: 'all',
    extra: {
      // Without the root a file can name nothing outside its own folder.
      session: {
        ...session,
        // Else bytes that look like ONNX Runtime's own format would be read as that, which nobody looked through.
        load_model_format: 'ONNX',
        ...(namesData && { model_external_initializers_file_folder_path: root }),
      },
      // On the CPU the fused kernel is the slower one.
      ...(options.device.kind === 'cpu' && {
        optimization: { disable_specified_optimizers: 'SkipLayerNormFusion' },
      }),
    },
  }
}

/** `which`: said of it where that fails. */
async function create(
  model: Uint8Array<ArrayBuffer> | string,
  options: InferenceSession.SessionOptions,
  which = '',
): Promise<InferenceSession> {
  try {
    return typeof model === 'string'
      ? await InferenceSession.create(model, options)
      : await InferenceSession.create(model, options)
  } catch (error) {
    throw failureOf(error, 'load_failed', `ONNX Runtime made no session${which}`)
  }
}

/** The device's fault where the message says so, else `code`. */
function failureOf(error: unknown, code: ErrorCode, what: string): ServerError {
  const message = messageOf(error)
  return new ServerError(findDeviceFailure(message) ?? code, `${what}: ${withoutSource(message)}`, {
    cause: error,
  })
}
