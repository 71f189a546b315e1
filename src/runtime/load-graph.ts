import { describeDevice } from '../devices/device.ts'
import { ServerError } from '../errors.ts'
import { buildGraph } from '../graph/build.ts'
import type { CompiledGraph } from '../graph/contract.ts'
import { fallbackOf } from '../graph/choose-target.ts'
import { encodeGraph } from '../graph/encode.ts'
import type { Graph } from '../graph/ir.ts'
import { hasRecipes } from '../graph/recipe.ts'
import type { TargetName } from '../graph/target.ts'
import { TARGETS } from '../graph/target.ts'
import type { FoundBudget } from './find-batch-budget.ts'
import { findBatchBudget } from './find-batch-budget.ts'
import { estimateBatchTokens, weightBytes } from './model-size.ts'
import { findNonFinite } from './non-finite.ts'
import { Overflow } from './overflow.ts'
import type { OpenedInt8 } from './int8/load.ts'
import type { Fidelity } from './int8/protocol.ts'
import type { FoundPrepacked } from './prepacked/open.ts'
import type { LoadAsk, PrepackedReply } from './protocol.ts'
import type { Outputs, Session } from './session.ts'
import { createSession } from './session.ts'
import type { RaggedBatch } from './runner.ts'
import { NO_ADAPTER } from './runner.ts'
import { WARM_UP_LENGTHS, runBatch, warmUpBatch } from './warm-up.ts'

export interface LoadedGraph {
  readonly graph: CompiledGraph
  readonly session: Session
  readonly budget: FoundBudget
  /** Undefined where none was looked for. */
  readonly prepacked?: PrepackedReply | undefined
  /** Of a model in int8. */
  readonly fidelity?: Fidelity | undefined
  /** Of a model in int8: why the next start will calibrate anew. */
  readonly unkept?: string | undefined
}

/** Tokens of a row that is looked at for numbers beyond half precision, or that an exported model must take, where the model takes as many. */
const PROBE_TOKENS = 512

/**
 * Compiles a model, puts it on its device and runs it once, or until the size of its batches is found. Throws `Overflow` where
 * half precision cannot hold its weights or activations, what `buildGraph` throws, or `load_failed`; `device_lost` where the
 * device takes no work. `open`: makes sessions; another one for tests. `sideCount`: of the model, with the towers that have taken
 * their place on the device already and share what is left.
 */
export async function loadGraph(ask: LoadAsk, open = createSession, sideCount = 1): Promise<LoadedGraph> {
  const graph = buildGraph(ask.spec, ask.target)
  try {
    const kept = await openKept(graph, ask, open)
    const int8 = await openQuantized(graph, ask, open)
    const own = kept?.session ?? int8?.session ?? (await openSession(graph.graph, ask, open))
    const session = await openBody(graph, own, ask)
    const prepacked = kept && { isUsed: kept.session !== undefined, ignored: kept.ignored }
    try {
      return {
        graph,
        session,
        budget: await warmUp(graph, session, ask, { isCold: kept?.session === undefined, sideCount }),
        prepacked,
        fidelity: int8?.fidelity,
        unkept: int8?.unkept,
      }
    } catch (error) {
      // Of the device's memory nothing must stay taken by what is not used.
      await quietly(session.release)
      throw error
    }
  } catch (error) {
    throw explainFailure(error, ask)
  }
}

/** What an earlier start kept. */
async function openKept(
  graph: CompiledGraph,
  ask: LoadAsk,
  open: typeof createSession,
): Promise<FoundPrepacked | undefined> {
  const { prepackedFolder } = ask
  // An exported model is not ours to keep, and the graph behind it is small.
  if (prepackedFolder === undefined || graph.body !== undefined) return undefined
  const { openPrepacked } = await import('./prepacked/open.ts')
  return openPrepacked(graph, { ...ask, prepackedFolder }, open)
}

/** A session in 8 bits, and how near it is to float32. */
async function openQuantized(
  graph: CompiledGraph,
  ask: LoadAsk,
  open: typeof createSession,
): Promise<OpenedInt8 | undefined> {
  const { int8 } = ask
  if (int8 === undefined) return undefined
  const { openInt8 } = await import('./int8/load.ts')
  return openInt8(graph, { ...ask, int8 }, open)
}

/** `part`: what of the model it is, where it is not its text side. */
export async function openSession(
  graph: Graph,
  { device, threadCount, spins, cacheFolder }: LoadAsk,
  open: typeof createSession,
  part?: string,
): Promise<Session> {
  const options = { device, threadCount, spins }
  if (!hasRecipes(graph)) return open(encodeGraph(graph), options)
  // Read only where it is needed: a start on the CPU does without.
  const { placeWeights } = await import('./weights.ts')
  const weights = await placeWeights(graph, cacheFolder, part)
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

/** The session with the exported model before it, if the graph has one there. */
async function openBody(
  { body, graph }: CompiledGraph,
  session: Session,
  { spec: { name, exported }, device, threadCount, spins }: LoadAsk,
): Promise<Session> {
  if (body === undefined || exported === undefined) return session
  const { openExported } = await import('./exported-session.ts')
  try {
    const model = { ...exported, name: `${name}: ${exported.name}` }
    return await openExported({ model, body, graph, session }, { device, threadCount, spins })
  } catch (error) {
    await quietly(session.release)
    throw error
  }
}

/** What fails on the way out must not hide what failed first. */
export async function quietly(release: () => Promise<void>): Promise<void> {
  try {
    await release()
  } catch {
    // The caller throws what came before.
  }
}

/**
 * Throws `Overflow` where numbers come out that are none, and a wider target could mend that. `isCold`: the session has run
 * nothing yet.
 */
async function warmUp(
  graph: CompiledGraph,
  session: Session,
  ask: LoadAsk,
  { isCold, sideCount }: { readonly isCold: boolean; readonly sideCount: number },
): Promise<FoundBudget> {
  const { target, device, spec } = ask
  const isProbed = fallbackOf(target, device) !== undefined
  const run = async (lengths: readonly number[], wantsTokens: boolean, adapter?: number) => {
    const batch = warmUpBatch(lengths, graph, wantsTokens, adapter)
    const outputs = await runBatch(graph, session, batch)
    if (isProbed) expectFinite(outputs, batch, target)
  }
  if (isCold) await run(WARM_UP_LENGTHS, false)
  const maxRowTokens = Math.min(spec.tokenizer?.maxTokens ?? Infinity, graph.maxTokens)
  // The vectors of all tokens are what takes the most memory, where a model gives them.
  const hasTokens = graph.tokenWidth > 0
  if (isProbed) {
    // A model with each of its adapters is one that may leave the range by itself.
    const adapters = Array.from({ length: graph.adapterCount ?? 0 }, (_, adapter) => adapter)
    for (const adapter of [NO_ADAPTER, ...adapters])
      await run([Math.min(maxRowTokens, PROBE_TOKENS)], hasTokens, adapter)
  }
  // Others' tables of positions may be shorter than config.json says: then a long text would fail, long after the start.
  // Of rows beyond the bound a start would take seconds and gigabytes.
  if (graph.body !== undefined) {
    const tokens = Math.min(maxRowTokens, PROBE_TOKENS)
    await run([tokens], hasTokens).catch((error: unknown) => {
      throw explainLongRow(error, tokens, ask)
    })
  }
  return budgetOf(ask, { maxRowTokens, sideCount }, (lengths) => run(lengths, hasTokens))
}

/** Throws `Overflow` where numbers came out that are none. */
export function expectFinite(outputs: Outputs, { bounds }: RaggedBatch, target: TargetName): void {
  if (findNonFinite(outputs, bounds).length > 0)
    throw new Overflow(`activations leave the range of ${TARGETS[target].dtype}`)
}

/** Of one of a model's sides, each of which has its part of the memory. */
export async function budgetOf(
  { spec, target, share }: LoadAsk,
  { maxRowTokens, sideCount }: { readonly maxRowTokens: number; readonly sideCount: number },
  run: (lengths: readonly number[]) => Promise<unknown>,
): Promise<FoundBudget> {
  const { dtype, batchTokens } = TARGETS[target]
  if (share === undefined) return { batchTokens, longestRowFits: true }
  const { memoryBytes, maxRows } = share
  return findBatchBudget(run, {
    start: Math.floor(estimateBatchTokens(spec, dtype, memoryBytes) / sideCount),
    ceiling: batchTokens,
    maxRowTokens,
    maxRows,
  })
}

/** Of an exported model that fails with a long row: what it was told to take. What the device is at fault for stays. */
function explainLongRow(error: unknown, tokens: number, { spec: { name, exported } }: LoadAsk): unknown {
  if (!(error instanceof ServerError) || error.code !== 'inference_failed') return error
  const message = `${name}: ${exported?.name} fails with a row of ${tokens} tokens, which the folder's configuration allows: ${error.message}`
  return new ServerError('model_invalid', message, { cause: error })
}

/** Of a GPU that has too little memory, how much there is and what is needed; any other failure speaks for itself. */
export function explainFailure(error: unknown, { spec, target, device }: LoadAsk): unknown {
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
