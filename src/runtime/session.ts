/** The only door to ONNX Runtime. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { ServerError } from '../errors.ts'
import type { CompiledGraph } from '../graph/contract.ts'
import { OUTPUT } from '../graph/contract.ts'
import { layOut } from './feeds.ts'
import type { RaggedBatch } from './runner.ts'

export interface Session {
  /** [B, width] */
  readonly run: (batch: RaggedBatch) => Promise<Float32Array<ArrayBuffer>>
}

/** Throws `model_invalid` where ONNX Runtime cannot make a session of the graph and its weights. */
export async function createSession(graph: CompiledGraph, threadCount: number): Promise<Session> {
  const session = await create(graph, threadCount)
  return {
    async run(batch) {
      const feeds: Record<string, Tensor> = {}
      for (const [role, { data, dims }] of layOut(batch, graph.inputs)) {
        feeds[role] =
          data instanceof Int32Array ? new Tensor('int32', data, dims) : new Tensor('float32', data, dims)
      }
      try {
        const outputs = await session.run(feeds)
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
