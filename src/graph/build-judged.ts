/** The graphs by which a model in 8 bits is calibrated and judged. */
import { ServerError } from '../errors.ts'
import type { ModelSpec } from '../model/spec.ts'
import { compile } from './build.ts'
import type { CompiledGraph } from './contract.ts'
import type { Kernels } from './kernels.ts'
import { TARGETS } from './target.ts'
import type { Watched } from './targets/cpu-watch.ts'
import { watchingKernels } from './targets/cpu-watch.ts'

export interface WatchedGraph {
  /**
   * In float32. OUTPUT: by what the model is judged; TOKENS: the greatest magnitude of every column that a linear layer
   * reads, over all tokens of the batch: [1, ΣK].
   */
  readonly graph: CompiledGraph
  /** K of each layer's input by `inputKey`, in order. A key stands once, though its weights may serve several times. */
  readonly inputs: readonly { readonly key: string; readonly width: number }[]
}

/** Throws as `buildGraph` does. */
export function buildWatched(spec: ModelSpec): WatchedGraph {
  const watched: Watched[] = []
  const kernels = watchingKernels((input) => watched.push(input))
  const headKernels = TARGETS['cpu-f32'].headKernels
  const graph = compile(judgedSpec(spec), { kernels, headKernels }, (b) => {
    if (watched.length > 0)
      return b.concat(
        watched.map(({ greatest }) => greatest),
        1,
      )
    const message = `${spec.name}: none of its linear layers can be computed in int8; DTYPES=fp32 computes as the model was made`
    throw new ServerError('model_unsupported', message)
  })
  const inputs = watched.map(({ key, greatest }) => ({ key, width: greatest.shape[1] as number }))
  return { graph, inputs }
}

/** OUTPUT alone, of a model in 8 bits that makes no vectors. Throws as `buildGraph` does. */
export function buildJudged(spec: ModelSpec, kernels: Kernels): CompiledGraph {
  return compile(judgedSpec(spec), { kernels, headKernels: TARGETS['cpu-f32'].headKernels })
}

/** Whether a model makes one vector of each text: else it is judged by the average of its hidden states. */
export function makesVectors({ head }: ModelSpec): boolean {
  return head.kind === 'embedding' || head.kind === 'sparse'
}

function judgedSpec(spec: ModelSpec): ModelSpec {
  if (makesVectors(spec)) return spec
  const pooling = { kind: 'pooling', modes: ['mean'], includePrompt: true } as const
  return { ...spec, head: { kind: 'embedding', steps: [pooling] } }
}
