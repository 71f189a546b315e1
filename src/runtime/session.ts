/** The only door to ONNX Runtime. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { ServerError } from '../errors.ts'
import type { CompiledGraph, InputRole } from '../graph/contract.ts'
import { OUTPUT } from '../graph/contract.ts'
import type { Feed } from './feeds.ts'

export interface Session {
  /** One feed for each of the graph's inputs; [B, width]. Throws `inference_failed`. */
  readonly run: (feeds: ReadonlyMap<InputRole, Feed>) => Promise<Float32Array<ArrayBuffer>>
}

/** Throws `model_invalid` where ONNX Runtime cannot make a session of the graph and its weights. */
export async function createSession(graph: CompiledGraph, threadCount: number): Promise<Session> {
  const session = await create(graph, threadCount)
  return {
    async run(feeds) {
      const tensors: Record<string, Tensor> = {}
      for (const [role, { data, dims }] of feeds) {
        tensors[role] =
          data instanceof Int32Array ? new Tensor('int32', data, dims) : new Tensor('float32', data, dims)
      }
      try {
        const outputs = await session.run(tensors)
        return outputs[OUTPUT]?.data as Float32Array<ArrayBuffer>
      } catch (error) {
        throw new ServerError('inference_failed', `ONNX Runtime failed: ${messageOf(error)}`, {
          cause: error,
        })
      }
    },
  }
}

async function create(graph: CompiledGraph, threadCount: number): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(graph.bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threadCount,
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
    })
  } catch (error) {
    throw new ServerError('model_invalid', `ONNX Runtime refused the compiled graph: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
