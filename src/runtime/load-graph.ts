import { describeDevice } from '../devices/device.ts'
import { ServerError } from '../errors.ts'
import { buildGraph } from '../graph/build.ts'
import type { CompiledGraph } from '../graph/contract.ts'
import { fallbackOf } from '../graph/choose-target.ts'
import { encodeGraph } from '../graph/encode.ts'
import type { Graph } from '../graph/ir.ts'
import { hasRecipes } from '../graph/recipe.ts'
import { TARGETS } from '../graph/target.ts'
import { layOut } from './feeds.ts'
import type { FoundBudget } from './find-batch-budget.ts'
import { findBatchBudget } from './find-batch-budget.ts'
import { estimateBatchTokens, weightBytes } from './model-size.ts'
import { findNonFinite } from './non-finite.ts'
import { Overflow } from './overflow.ts'
import type { LoadAsk, PlaceAsk, PlaceReply } from './protocol.ts'
import type { RaggedBatch } from './runner.ts'
import type { Session } from './session.ts'
import { createSession } from './session.ts'

export interface LoadedGraph {
  readonly graph: CompiledGraph
  readonly session: Session
  readonly budget: FoundBudget
}

/** Two rows of one and two tokens: enough to touch every kernel once. */
const WARM_UP_LENGTHS = [1, 2]
/** Tokens of a row that is looked at for numbers beyond half precision, where the model takes as many. */
const PROBE_TOKENS = 512

/**
 * Compiles a model, puts it on its device and runs it once, or until the size of its batches is found. Throws `Overflow` where
 * half precision cannot hold its weights or activations, what `buildGraph` throws, or `load_failed`; `device_lost` where the
 * device takes no work. `open`: makes sessions; another one for tests.
 */
export async function loadGraph(ask: LoadAsk, open = createSession): Promise<LoadedGraph> {
  const graph = buildGraph(ask.spec, ask.target)
  try {
    const session = await openSession(graph.graph, ask, open)
    try {
      return { graph, session, budget: await warmUp(graph, session, ask) }
    } catch (error) {
      // Of the device's memory nothing must stay taken by what is not used.
      await quietly(session.release)
      throw error
    }
  } catch (error) {
    throw explainFailure(error, ask)
  }
}

/** Converts a model's weights for all who will load it with this folder. Throws `Overflow` as a load does. */
export async function placeForAll({ spec, target, cacheFolder }: PlaceAsk): Promise<PlaceReply> {
  const { graph } = buildGraph(spec, target)
  if (!hasRecipes(graph)) return { isKept: true }
  const { keepWeights } = await import('./weights.ts')
  return { isKept: await keepWeights(graph, cacheFolder) }
}

async function openSession(
  graph: Graph,
  { device, threadCount, cacheFolder }: LoadAsk,
  open: typeof createSession,
): Promise<Session> {
  const options = { device, threadCount }
  if (!hasRecipes(graph)) return open(encodeGraph(graph), options)
  // Read only where it is needed: a start on the CPU does without.
  const { placeWeights } = await import('./weights.ts')
  const weights = await placeWeights(graph, cacheFolder)
  let session: Session
  try {
    session = await open(encodeGraph(weights.graph), options)
  } catch (error) {
    await quietly(weights.release)
    throw error
  }
  try {
    await weights.release()
  } catch (error) {
    await quietly(session.release)
    throw error
  }
  return session
}

/** What fails on the way out must not hide what failed first. */
async function quietly(release: () => Promise<void>): Promise<void> {
  try {
    await release()
  } catch {
    // The caller throws what came before.
  }
}

/** Throws `Overflow` where numbers come out that are none, and a wider target could mend that. */
async function warmUp(graph: CompiledGraph, session: Session, ask: LoadAsk): Promise<FoundBudget> {
  const { target, device, spec } = ask
  const isProbed = fallbackOf(target, device) !== undefined
  const run = async (lengths: readonly number[], wantsTokens: boolean) => {
    const batch = warmUpBatch(lengths, graph.vocabularySize, wantsTokens)
    const outputs = await session.run(layOut(batch, graph.inputs, graph), wantsTokens)
    if (isProbed && findNonFinite(outputs, batch.bounds).length > 0)
      throw new Overflow(`activations leave the range of ${TARGETS[target].dtype}`)
  }
  await run(WARM_UP_LENGTHS, false)
  const maxRowTokens = Math.min(spec.tokenizer.maxTokens ?? Infinity, graph.maxTokens)
  // The vectors of all tokens are what takes the most memory, where a model gives them.
  const hasTokens = graph.tokenWidth > 0
  if (isProbed) await run([Math.min(maxRowTokens, PROBE_TOKENS)], hasTokens)
  return budgetOf(ask, maxRowTokens, (lengths) => run(lengths, hasTokens))
}

async function budgetOf(
  { spec, target, share }: LoadAsk,
  maxRowTokens: number,
  run: (lengths: readonly number[]) => Promise<unknown>,
): Promise<FoundBudget> {
  const { dtype, batchTokens } = TARGETS[target]
  if (share === undefined) return { batchTokens, longestRowFits: true }
  const { memoryBytes, maxRows } = share
  return findBatchBudget(run, {
    start: estimateBatchTokens(spec, dtype, memoryBytes),
    ceiling: batchTokens,
    maxRowTokens,
    maxRows,
  })
}

/** Scatters ids over the vocabulary: half precision overflows over some tokens and not over others. */
const ID_STEP = 2_654_435_761

function warmUpBatch(lengths: readonly number[], vocabularySize: number, wantsTokens: boolean): RaggedBatch {
  const bounds = new Int32Array(lengths.length + 1)
  for (const [b, length] of lengths.entries()) bounds[b + 1] = (bounds[b] as number) + length
  const tokens = bounds[lengths.length] as number
  return {
    ids: Int32Array.from({ length: tokens }, (_, t) => ((t + 1) * ID_STEP) % vocabularySize),
    bounds,
    typeStarts: Int32Array.from(lengths),
    unpooledTokens: new Int32Array(lengths.length),
    wantsTokens,
  }
}

/** Of a GPU that has too little memory, how much there is and what is needed; any other failure speaks for itself. */
function explainFailure(error: unknown, { spec, target, device }: LoadAsk): unknown {
  if (!(error instanceof ServerError) || error.code !== 'out_of_memory') return error
  if (device.kind === 'cpu') return new ServerError('load_failed', error.message, { cause: error })
  const { dtype } = TARGETS[target]
  const { freeBytes, totalBytes } = device
  const message =
    `${describeDevice(device)} has too little memory: the weights take ${gigabytes(weightBytes(spec, dtype))} as ${dtype}, ` +
    `${gigabytes(freeBytes)} of ${gigabytes(totalBytes)} were free when the process started: ${error.message}`
  return new ServerError('load_failed', message, { cause: error })
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`
}
