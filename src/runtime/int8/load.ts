/** A model in 8 bits: calibrated and tried in float32 on its first start, made of what was kept on the next. */
import { ServerError } from '../../errors.ts'
import type { WatchedGraph } from '../../graph/build-judged.ts'
import { buildJudged, buildWatched, makesVectors } from '../../graph/build-judged.ts'
import type { CompiledGraph } from '../../graph/contract.ts'
import { encodeGraph } from '../../graph/encode.ts'
import type { Graph } from '../../graph/ir.ts'
import { TARGETS } from '../../graph/target.ts'
import type { LoadAsk } from '../protocol.ts'
import type { RaggedBatch } from '../runner.ts'
import type { Session, createSession } from '../session.ts'
import { runBatch } from '../warm-up.ts'
import { placeWeights } from '../weights.ts'
import { findGreatestCode } from './code-range.ts'
import type { Maxima } from './codes.ts'
import { int8Key } from './key.ts'
import type { PlaceOptions, PlacedCodes } from './place.ts'
import { placeCodes } from './place.ts'
import type { Fidelity, Int8Ask } from './protocol.ts'
import { findRecord, keepRecord, splitMaxima } from './record.ts'
import { batchesOf, compare, vectorsOf } from './trial.ts'

export interface OpenedInt8 {
  readonly session: Session
  readonly fidelity: Fidelity
  /** Why the next start will calibrate anew. */
  readonly unkept: string | undefined
}

type Open = typeof createSession

/**
 * Throws `model_unsupported` where the vectors are farther from float32's than `leastCosine`, `load_failed` where files cannot
 * be read or written.
 */
export async function openInt8(
  graph: CompiledGraph,
  ask: LoadAsk & { readonly int8: Int8Ask },
  open: Open,
): Promise<OpenedInt8> {
  const { spec, int8, cacheFolder: folder, threadCount } = ask
  const watched = buildWatched(spec)
  const greatestCode = await findGreatestCode(open, threadCount)
  const key = await int8Key(spec, int8, greatestCode)
  const record = await findRecord(folder, key, watched.inputs)
  const known = record ?? (await runInFloat(watched, ask, open))
  // Codes without a record that vouches for them may be damaged, or of a start that was refused.
  const options: PlaceOptions = {
    folder,
    key,
    maxima: known.maxima,
    greatestCode,
    isAnew: record === undefined,
  }
  const { session, codes } = await openPlaced(graph.graph, options, ask, open)
  try {
    const fidelity =
      'fidelity' in known
        ? known.fidelity
        : await judge({ graph, session }, known.expected, { ...options, isAnew: false }, ask, open)
    expectFidelity(fidelity, ask)
    const isKept = folder !== undefined && codes.digest !== undefined && codes.unkept === undefined
    const unkept =
      record === undefined && isKept
        ? await keepRecord(folder, key, { maxima: known.maxima, fidelity }, codes.digest)
        : codes.unkept
    return { session, fidelity, unkept }
  } catch (error) {
    await session.release().catch(() => {})
    throw error
  }
}

interface FloatFacts {
  readonly maxima: Maxima
  /** Of the texts of the trial. */
  readonly expected: readonly Float32Array[]
}

async function runInFloat(
  { graph, inputs }: WatchedGraph,
  ask: LoadAsk & { readonly int8: Int8Ask },
  open: Open,
): Promise<FloatFacts> {
  const { int8 } = ask
  const session = await openMade(graph.graph, ask, open)
  try {
    let all: Float32Array | undefined
    for (const batch of batchesOf(int8.calibration, graph)) {
      const { tokens: greatest } = await runBatch(graph, session, { ...batch, wantsTokens: true })
      const before = all
      all =
        before === undefined ? greatest : greatest?.map((value, i) => Math.max(value, before[i] as number))
    }
    if (all === undefined) throw tooStrange(graph)
    const expected = await vectorsOf({ graph, session }, batchesOf(int8.trial, graph))
    return { maxima: splitMaxima(all, inputs), expected }
  } finally {
    await session.release()
  }
}

/** By the vectors that the model is loaded for; where it makes none, by those that a graph of its own makes of its body. */
async function judge(
  served: { readonly graph: CompiledGraph; readonly session: Session },
  expected: readonly Float32Array[],
  options: PlaceOptions,
  ask: LoadAsk & { readonly int8: Int8Ask },
  open: Open,
): Promise<Fidelity> {
  const trial: readonly RaggedBatch[] = batchesOf(ask.int8.trial, served.graph)
  if (makesVectors(ask.spec)) return compare(await vectorsOf(served, trial), expected)
  const graph = buildJudged(ask.spec, TARGETS[ask.target].kernels)
  const { session } = await openPlaced(graph.graph, options, ask, open)
  try {
    return compare(await vectorsOf({ graph, session }, trial), expected)
  } finally {
    await session.release()
  }
}

async function openPlaced(
  graph: Graph,
  options: PlaceOptions,
  ask: LoadAsk,
  open: Open,
): Promise<{ readonly session: Session; readonly codes: PlacedCodes }> {
  const codes = await placeCodes(graph, options)
  try {
    return { session: await openMade(codes.graph, ask, open), codes }
  } finally {
    await codes.release()
  }
}

/** What is left in float32 may still be to be made, too. */
async function openMade(
  graph: Graph,
  { device, threadCount, spins, cacheFolder }: LoadAsk,
  open: Open,
): Promise<Session> {
  const weights = await placeWeights(graph, cacheFolder)
  try {
    return await open(encodeGraph(weights.graph), { device, threadCount, spins })
  } finally {
    await weights.release()
  }
}

function expectFidelity(
  { meanCosine, leastCosine, texts }: Fidelity,
  { int8, spec }: LoadAsk & { readonly int8: Int8Ask },
): void {
  if (meanCosine >= int8.leastCosine) return
  const [mean, least] = [meanCosine, leastCosine].map((cosine) => cosine.toFixed(4))
  throw new ServerError(
    'model_unsupported',
    `${spec.name}: in int8 (${int8.mode}) its vectors of ${texts} texts have a mean cosine of ${mean} to those in fp32 ` +
      `(least ${least}); at least ${int8.leastCosine} is asked for. INT8_MODE may name a more faithful mode, ` +
      'DTYPES=fp32 computes as the model was made, INT8_FORCE=1 loads it as it is',
  )
}

function tooStrange({ vocabularySize }: CompiledGraph): ServerError {
  return new ServerError(
    'model_unsupported',
    `int8 needs texts to calibrate with, and the tokenizer makes ids of all of them that the model, with ${vocabularySize} ids, lacks`,
  )
}
