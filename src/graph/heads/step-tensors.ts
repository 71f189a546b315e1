import type { EmbeddingStep, ModelSpec, TensorRef } from '../../model/spec.ts'

/** Names of a folder's tensors without those that are weights of the steps behind a body. */
export function withoutSteps(
  names: readonly string[],
  tensors: ModelSpec['tensors'],
  steps: readonly EmbeddingStep[],
): string[] {
  const used = new Set(steps.flatMap(weightsOf).map(placeOf))
  return names.filter((name) => !used.has(placeOf(tensors[name] as TensorRef)))
}

function weightsOf(step: EmbeddingStep): readonly TensorRef[] {
  if (step.kind !== 'dense' && step.kind !== 'layer_norm') return []
  return step.bias === undefined ? [step.weight] : [step.weight, step.bias]
}

function placeOf({ file, byteOffset }: TensorRef): string {
  return `${file}:${byteOffset}`
}
