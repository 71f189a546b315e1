/** The first batches of a model, which nobody asked for. */
import type { CompiledGraph } from '../graph/contract.ts'
import { layOut } from './feeds.ts'
import type { RaggedBatch } from './runner.ts'
import { NO_ADAPTER } from './runner.ts'
import type { Outputs, Session } from './session.ts'

/** Two rows of one and two tokens: enough to touch every kernel once. */
export const WARM_UP_LENGTHS = [1, 2]

/** The smallest batch that touches every kernel. */
export function runFirst(graph: CompiledGraph, session: Session): Promise<Outputs> {
  return runBatch(graph, session, warmUpBatch(WARM_UP_LENGTHS, graph, false))
}

export function runBatch(graph: CompiledGraph, session: Session, batch: RaggedBatch): Promise<Outputs> {
  return session.run(layOut(batch, graph.inputs, graph), batch.wantsTokens)
}

/** Scatters ids over the vocabulary: half precision overflows over some tokens and not over others. */
const ID_STEP = 2_654_435_761

/** Rows of so many tokens, all of one adapter. */
export function warmUpBatch(
  lengths: readonly number[],
  { vocabularySize }: CompiledGraph,
  wantsTokens: boolean,
  adapter: number = NO_ADAPTER,
): RaggedBatch {
  const bounds = new Int32Array(lengths.length + 1)
  for (const [b, length] of lengths.entries()) bounds[b + 1] = (bounds[b] as number) + length
  const tokens = bounds[lengths.length] as number
  return {
    ids: Int32Array.from({ length: tokens }, (_, t) => ((t + 1) * ID_STEP) % vocabularySize),
    bounds,
    typeStarts: Int32Array.from(lengths),
    unpooledTokens: new Int32Array(lengths.length),
    adapters: new Int32Array(lengths.length).fill(adapter),
    wantsTokens,
  }
}
