/** The only door to ONNX Runtime. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { CpuDevice, CudaDevice } from '../devices/device.ts'
import type { ErrorCode } from '../errors.ts'
import { ServerError, messageOf } from '../errors.ts'
import type { InputRole } from '../graph/contract.ts'
import { OUTPUT, TOKENS } from '../graph/contract.ts'
import { findDeviceFailure } from './device-failure.ts'
import type { Feed } from './feeds.ts'

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
  readonly run: (feeds: ReadonlyMap<InputRole, Feed>, wantsTokens?: boolean) => Promise<Outputs>
  /** Gives back what it holds of the device's memory; it must not be used after. */
  readonly release: () => Promise<void>
}

export interface SessionOptions {
  readonly device: CpuDevice | Pick<CudaDevice, 'kind' | 'index'>
  /** Threads of one operator. */
  readonly threadCount: number
}

/**
 * `model`: a ModelProto; external data is named by absolute path without the leading slash. Throws `load_failed` where ONNX
 * Runtime cannot make a session of it; where the device is at fault, what `run` throws then.
 */
export async function createSession(
  model: Uint8Array<ArrayBuffer>,
  options: SessionOptions,
): Promise<Session> {
  const session = await create(model, options)
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
  // Between runs the cores belong to tokenizers and JavaScript.
  force_spinning_stop: '1',
}

/** What ONNX Runtime is asked for. */
export function sessionOptions({ device, threadCount }: SessionOptions): InferenceSession.SessionOptions {
  const shared = { ...SHARED, intraOpNumThreads: threadCount }
  if (device.kind === 'cpu') {
    const session = { ...SHARED_ENTRIES, set_denormal_as_zero: '1' }
    return { ...shared, executionProviders: ['cpu'], extra: { session } }
  }
  // Weights bypass the arena: it grows by doubling, and what it holds beyond the need is never given back.
  const session = { ...SHARED_ENTRIES, use_device_allocator_for_initializers: '1' }
  // The number is all that Node can tell CUDA. What it cannot run is left to the CPU: shapes are computed there anyway.
  return { ...shared, executionProviders: [{ name: 'cuda', deviceId: device.index }], extra: { session } }
}

async function create(model: Uint8Array<ArrayBuffer>, options: SessionOptions): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(model, sessionOptions(options))
  } catch (error) {
    throw failureOf(error, 'load_failed', 'ONNX Runtime made no session')
  }
}

/** The device's fault where the message says so, else `code`. */
function failureOf(error: unknown, code: ErrorCode, what: string): ServerError {
  const message = messageOf(error)
  return new ServerError(findDeviceFailure(message) ?? code, `${what}: ${message}`, { cause: error })
}
