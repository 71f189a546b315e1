/** Vectors of tokens, by which texts are compared one by one. */
import type { Head, MultiVectorHead, PoolingStep } from '../../model/spec.ts'
import type { Value } from '../ir.ts'
import type { EmbeddingShop } from './embedding.ts'
import { buildEmbedding } from './embedding.ts'
import type { HeadOutputs } from './head-outputs.ts'

/** A graph has something for each row: here it is the vector of the first token, which costs nothing and nobody reads. */
const FIRST: PoolingStep = { kind: 'pooling', modes: ['cls'], includePrompt: true }

/** Hidden states [T, H] to vectors [T, D]. Throws `model_invalid` where two steps do not fit. */
export function buildMultiVector(
  shop: EmbeddingShop,
  states: Value,
  { steps }: MultiVectorHead,
): HeadOutputs {
  return buildEmbedding(shop, states, [...steps, FIRST])
}

/** What queries are filled up with, where no token sees it. */
export function unseenIdOf(head: Head): number | undefined {
  const expansion = head.kind === 'multi_vector' ? head.rules.query.expansion : undefined
  return expansion?.attended === false ? expansion.id : undefined
}
