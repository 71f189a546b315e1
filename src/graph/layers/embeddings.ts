import type { Value } from '../ir.ts'
import type { EncoderPlan } from './encoder-plan.ts'
import type { Workshop } from './encoder.ts'

/** Token ids to the first hidden states [T, H]. */
export function buildEmbeddings(shop: Workshop, plan: EncoderPlan): Value {
  const { b, kernels, tensors } = shop
  const { types, positions, norm, projection, outputNorm, scale, width = plan.hiddenSize } = plan.embeddings
  let x = lookUpWords(shop, plan, width)
  if (scale !== undefined)
    x = b.node('Mul', [x, b.cast(b.constant(Float32Array.of(scale), []), kernels.dtype)])
  if (types !== undefined) {
    // A table of one row has the same for every token, whatever the tokenizer's template says.
    const rows = types.rows === 1 ? b.constant(Int32Array.of(0), [1]) : b.input('types')
    x = b.node('Add', [x, kernels.lookup(b, tensors.adaptedTable(types.name, types.rows, width), rows)])
  }
  if (positions !== undefined) {
    const table = tensors.table(positions.name, positions.rows, width, { skip: positions.skip })
    const role = positions.padId === undefined ? 'positions' : 'counted_positions'
    x = b.node('Add', [x, kernels.lookup(b, table, b.input(role))])
  }
  if (norm !== undefined) x = kernels.norm(b, x, tensors.norm(norm, width))
  if (projection !== undefined)
    x = kernels.linear(b, x, tensors.linear(projection, plan.hiddenSize, width), 'identity')
  return outputNorm === undefined ? x : kernels.norm(b, x, tensors.norm(outputNorm, plan.hiddenSize))
}

function lookUpWords({ b, kernels, tensors }: Workshop, plan: EncoderPlan, width: number): Value {
  const { words, otherWords, sharedRows, weights } = plan.embeddings
  const isElsewhere = otherWords !== undefined && !tensors.has(`${words}.weight`)
  const rowCount = sharedRows?.rows ?? plan.vocabularySize
  const table = tensors.adaptedTable(isElsewhere ? otherWords : words, rowCount, width)
  const ids = b.input('ids')
  const rows = sharedRows ? b.gather(b.constant(sharedRows.rowOf, [plan.vocabularySize]), ids) : ids
  const x = kernels.lookup(b, table, rows)
  if (weights === undefined) return x
  const factors = b.gather(b.constant(weights, [plan.vocabularySize, 1]), ids)
  return b.node('Mul', [x, b.cast(factors, kernels.dtype)])
}
