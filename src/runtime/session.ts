/** The only door to ONNX Runtime. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { ServerError, messageOf } from '../errors.ts'
import type { CompiledGraph, InputRole } from '../graph/contract.ts'
import { OUTPUT, TOKENS } from '../graph/contract.ts'
import type { Provider } from '../graph/target.ts'
import type { Feed } from './feeds.ts'

export interface Outputs {
  /** [B, D] */
  readonly rows: Float32Array<ArrayBuffer>
  /** [T, H], where they were asked for. */
  readonly tokens: Float32Array<ArrayBuffer> | undefined
}

export interface Session {
  /** One feed for each of the graph's inputs. Throws `inference_failed`. */
  readonly run: (feeds: ReadonlyMap<InputRole, Feed>, wantsTokens?: boolean) => Promise<Outputs>
}

export interface SessionOptions {
  readonly provider: Provider
  /** Threads of one operator. */
  readonly threadCount: number
}

/** Throws `load_failed` where ONNX Runtime cannot make a session of the graph and its weights. */
export async function createSession(graph: CompiledGraph, options: SessionOptions): Promise<Session> {
  const session = await create(graph, options)
  return {
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
        throw new ServerError('inference_failed', `ONNX Runtime failed: ${messageOf(error)}`, {
          cause: error,
        })
      }
    },
  }
}

const SESSION_OPTIONS: Readonly<Record<Provider, InferenceSession.SessionOptions>> = {
  cpu: {
    executionProviders: ['cpu'],
    // Our graphs come fused: the higher levels would only undo what was measured to be faster.
    graphOptimizationLevel: 'basic',
    // Patterns are cached for each set of input shapes, and ours hardly repeat.
    enableMemPattern: false,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    extra: {
      session: {
        // External data is named by absolute path without the leading slash.
        model_external_initializers_file_folder_path: '/',
        // Between runs the cores belong to tokenizers and JavaScript.
        force_spinning_stop: '1',
        set_denormal_as_zero: '1',
      },
    },
  },
}

async function create(
  graph: CompiledGraph,
  { provider, threadCount }: SessionOptions,
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(graph.bytes, {
      ...SESSION_OPTIONS[provider],
      intraOpNumThreads: threadCount,
    })
  } catch (error) {
    throw new ServerError('load_failed', `ONNX Runtime made no session: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
