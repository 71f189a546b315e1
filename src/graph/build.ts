import type { ModelSpec } from '../model/spec.ts'
import { GraphBuilder } from './builder.ts'
import { checkGraph } from './check.ts'
import { ConfigReader } from './config-reader.ts'
import type { CompiledGraph } from './contract.ts'
import { OUTPUT, TOKENS } from './contract.ts'
import { encodeGraph } from './encode.ts'
import { findFamily } from './families/registry.ts'
import { buildClassifier } from './heads/classifier.ts'
import { buildEmbedding } from './heads/embedding.ts'
import { buildEncoder } from './layers/encoder.ts'
import type { TargetName } from './target.ts'
import { TARGETS } from './target.ts'
import { TensorTable } from './tensor-table.ts'

/**
 * Compiles a model for a target. Pure: no weight is read. Throws `model_unsupported` (family or setting unknown),
 * `model_invalid` (tensor missing, unknown, or of the wrong shape) or `graph_invalid` (our own mistake).
 */
export function buildGraph(spec: ModelSpec, target: TargetName): CompiledGraph {
  const family = findFamily(spec.name, spec.modelType)
  const plan = family.plan(new ConfigReader(spec.name, spec.config))
  const tensors = new TensorTable(spec, family.prefixes, family.probe)
  const { kernels } = TARGETS[target]
  const b = new GraphBuilder()

  const states = buildEncoder(b, plan, tensors, kernels)
  const { head } = spec
  const { output, vectorWidth, tokens } =
    head.kind === 'embedding'
      ? buildEmbedding(b, states, head.steps)
      : buildClassifier(b, states, {
          plan: family.classifier,
          tensors,
          kernels,
          labelCount: head.labels.length,
          activation: head.activation,
        })
  const unusedTensors = tensors.unused(family.body, family.ignored)
  const graph = b.finish({ [OUTPUT]: output, ...(tokens && { [TOKENS]: tokens }) })
  checkGraph(graph)
  return {
    bytes: encodeGraph(graph),
    inputs: b.roles,
    outputWidth: output.shape[1] as number,
    vectorWidth,
    tokenWidth: (tokens?.shape[1] as number | undefined) ?? 0,
    maxTokens: plan.maxTokens,
    vocabularySize: plan.vocabularySize,
    unusedTensors,
  }
}
