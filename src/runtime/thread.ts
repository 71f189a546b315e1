/** The inference thread: creating a session and running it block the thread that calls, so they have one of their own. */
import type { Answer } from '../base/thread-server.ts'
import { serveCalls } from '../base/thread-server.ts'
import { ServerError } from '../errors.ts'
import { chooseTarget, fallbackOf } from '../graph/choose-target.ts'
import type { Target } from '../graph/target.ts'
import { TARGETS } from '../graph/target.ts'
import { layOut } from './feeds.ts'
import type { LoadedSides } from './load-sides.ts'
import { loadSides, placeForAll, releaseSides } from './load-sides.ts'
import { findNonFinite } from './non-finite.ts'
import { Overflow } from './overflow.ts'
import type { ChooseAsk, ChooseReply, InferenceCalls, LoadAsk, LoadReply, OverflowReply } from './protocol.ts'
import type { RaggedBatch, RunResult } from './runner.ts'
import { prepareLibrary } from './session.ts'
import { toSparse } from './sparse-rows.ts'

// While the main thread reads the model's folder. What is wrong with the library, the model's own session says.
await prepareLibrary().catch(() => {})

let model: LoadedSides | undefined

serveCalls<InferenceCalls>({
  choose: (ask) => ({ reply: choose(ask) }),

  async place(ask) {
    return { reply: await orOverflow(placeForAll(ask)) }
  },

  async load(ask) {
    return { reply: await orOverflow(load(ask)) }
  },

  async run(batch: RaggedBatch): Promise<Answer<RunResult>> {
    if (model === undefined) throw new ServerError('internal', 'no model is loaded in this thread')
    const modality = batch.media?.modality ?? 'text'
    const side = model[modality]
    if (side === undefined) throw new ServerError('internal', `no side of the model is for ${modality}`)
    const { session, graph } = side
    const start = performance.now()
    const wantsTokens = batch.wantsTokens && !graph.isSparse
    const outputs = await session.run(layOut(batch, graph.inputs, graph), wantsTokens)
    const runMs = performance.now() - start
    const nonFiniteRows = findNonFinite(outputs, batch.bounds)
    if (graph.isSparse) {
      const { pairs, bounds, counts } = toSparse(outputs.rows, batch.bounds.length - 1)
      return {
        reply: { rows: counts, tokens: pairs, tokenBounds: bounds, nonFiniteRows, runMs },
        transfer: [counts.buffer, pairs.buffer, bounds.buffer],
      }
    }
    const { rows, tokens } = outputs
    return {
      reply: { rows, tokens, nonFiniteRows, runMs },
      transfer: tokens === undefined ? [rows.buffer] : [rows.buffer, tokens.buffer],
    }
  },
})

function choose({ spec, requested, device, int8Mode }: ChooseAsk): ChooseReply {
  const chosen = chooseTarget(spec, requested, device, int8Mode)
  const wider = fallbackOf(chosen.target, device)
  const target: Target = TARGETS[chosen.target]
  return {
    ...chosen,
    int8Mode: target.int8Mode,
    wider: wider && { target: wider, dtype: TARGETS[wider].dtype },
  }
}

async function load(ask: LoadAsk): Promise<LoadReply> {
  const start = performance.now()
  // Loaded again, for another target: the device need not have room for both.
  const previous = model
  model = undefined
  if (previous !== undefined) await releaseSides(previous)
  model = await loadSides(ask)
  const { first, text, image, audio, budget, unusedTensors } = model
  const { prepacked, fidelity, unkept } = text ?? {}
  const { graph } = first
  const { maxTokens, vocabularySize, vectorWidth, tokenWidth } = graph
  const outputWidth = graph.isSparse ? 1 : graph.outputWidth
  const limits = { maxTokens, vocabularySize, outputWidth, vectorWidth, tokenWidth }
  const { provider, dtype, depth, maxBatchTokens, sharedTokens }: Target = TARGETS[ask.target]
  const facts = {
    provider,
    dtype: ask.spec.exported?.dtype ?? dtype,
    depth,
    maxBatchTokens,
    ...(sharedTokens !== undefined && { sharedTokens }),
  }
  return {
    ...limits,
    ...budget,
    ...facts,
    towers: {
      ...(image && { image: { maxTokens: image.graph.maxTokens } }),
      ...(audio && { audio: { maxTokens: audio.graph.maxTokens } }),
    },
    unusedTensors,
    prepacked,
    fidelity,
    unkept,
    loadMs: performance.now() - start,
  }
}

/** An overflow is no failure: who asked goes on with a wider target. */
async function orOverflow<T>(work: Promise<T>): Promise<T | OverflowReply> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Overflow) return { overflow: error.message }
    throw error
  }
}
