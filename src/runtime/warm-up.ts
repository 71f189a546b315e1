/** The first batches of a model, which nobody asked for. */
import type { CompiledGraph, InputRole } from '../graph/contract.ts'
import { layOut } from './feeds.ts'
import type { BatchMedia, RaggedBatch } from './runner.ts'
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

/** Rows of so many tokens, all of one adapter; of a tower as many pictures or sounds. */
export function warmUpBatch(
  lengths: readonly number[],
  compiled: CompiledGraph,
  wantsTokens: boolean,
  adapter: number = NO_ADAPTER,
): RaggedBatch {
  const { vocabularySize } = compiled
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
    media: warmUpMedia(lengths, compiled),
  }
}

/** Numbers of a picture are about so large once they are normalized, and so are those of a spectrogram in units of ten decibels. */
const GREATEST_VALUE = 2

function warmUpMedia(
  lengths: readonly number[],
  { graph: { inputs } }: CompiledGraph,
): BatchMedia | undefined {
  const sizeOf = (role: InputRole) => {
    const size = inputs.find(({ name }) => name === role)?.shape[1]
    return typeof size === 'number' ? size : undefined
  }
  const [Q, F, G] = [sizeOf('patches'), sizeOf('features'), sizeOf('patch_places')]
  if (Q === undefined && F === undefined) return undefined
  return {
    // Which of both it is nobody asks who runs a graph.
    modality: Q === undefined ? 'audio' : 'image',
    values: lengths.map((length) => scattered(F ?? length * (Q ?? 0))),
    places: G === undefined ? undefined : lengths.map((length) => shared(length * G).fill(1 / G)),
  }
}

/** As ids are: over the whole range. */
function scattered(count: number): Float32Array<SharedArrayBuffer> {
  const values = shared(count)
  for (let index = 0; index < count; index++) {
    const share = (((index + 1) * ID_STEP) % 2 ** 32) / 2 ** 32
    values[index] = (2 * share - 1) * GREATEST_VALUE
  }
  return values
}

function shared(count: number): Float32Array<SharedArrayBuffer> {
  return new Float32Array(new SharedArrayBuffer(count * Float32Array.BYTES_PER_ELEMENT))
}
