/** A model's tower for pictures or sound: a graph of its own beside that of the texts, whose vectors are of the same space. */
import { ServerError } from '../errors.ts'
import type { EmbeddingStep, ModelSpec } from '../model/spec.ts'
import { GraphBuilder } from './builder.ts'
import { checkGraph } from './check.ts'
import { ConfigReader } from './config-reader.ts'
import type { CompiledGraph } from './contract.ts'
import { OUTPUT } from './contract.ts'
import { finishVectors } from './heads/embedding.ts'
import { withoutSteps } from './heads/step-tensors.ts'
import type { TargetName } from './target.ts'
import { TARGETS } from './target.ts'
import { TensorTable } from './tensor-table.ts'
import { AUDIO_TOWERS, IMAGE_TOWERS, findTower } from './towers/registry.ts'
import type { Tower } from './towers/tower.ts'

/**
 * Compiles a tower for a target. Targets of 8 bits compute it in float32: they are calibrated with texts. Pure: no weight is
 * read. `unusedTensors` are all that this graph has no use for, those of the other sides too. Throws as `buildGraph` does.
 */
export function buildTower(spec: ModelSpec, modality: 'image' | 'audio', target: TargetName): CompiledGraph {
  if (modality === 'image' && spec.image !== undefined)
    return compile(spec, spec.image, findTower(IMAGE_TOWERS, spec.image.modelType, spec), target)
  if (modality === 'audio' && spec.audio !== undefined)
    return compile(spec, spec.audio, findTower(AUDIO_TOWERS, spec.audio.modelType, spec), target)
  throw new ServerError('graph_invalid', `${spec.name}: the model has no tower for ${modality}`)
}

/** What both kinds of towers have. */
interface Side<P> {
  readonly config: Readonly<Record<string, unknown>>
  readonly steps: readonly EmbeddingStep[]
  readonly processing: P
}

function compile<P>(spec: ModelSpec, side: Side<P>, tower: Tower<P>, target: TargetName): CompiledGraph {
  const { name, tensors: refs } = spec
  const { config, steps, processing } = side
  expectVectorSteps(name, steps)
  const plan = tower.plan(new ConfigReader(name, config), processing)
  const tensors = new TensorTable({ name, tensors: refs, config }, tower)
  const b = new GraphBuilder()
  const { headKernels, kernels, dtype } = TARGETS[target]
  const pooled = plan.build({
    b,
    tensors,
    headKernels,
    kernels: dtype === 'int8' ? headKernels : kernels,
  })
  const { output, vectorWidth } = finishVectors({ b, kernels: headKernels }, pooled, steps)
  const unusedTensors = withoutSteps(tensors.unused(tower.body, tower.ignored), refs, steps)
  const graph = b.finish({ [OUTPUT]: output })
  checkGraph(graph)
  return {
    graph,
    inputs: b.roles,
    lengthStep: b.lengthStep,
    outputWidth: output.shape[1] as number,
    vectorWidth,
    tokenWidth: 0,
    maxTokens: plan.maxTokens,
    vocabularySize: 0,
    unusedTensors,
    isSparse: false,
  }
}

/** A tower pools by itself. */
function expectVectorSteps(name: string, steps: readonly EmbeddingStep[]): void {
  for (const step of steps) {
    if (step.kind === 'pooling' || step.kind === 'layers' || ('perToken' in step && step.perToken))
      throw new ServerError(
        'model_unsupported',
        `${name}: a ${step.kind} module of tokens stands behind a tower, which makes one vector a row`,
      )
  }
}
