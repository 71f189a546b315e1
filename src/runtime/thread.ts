/** The inference thread: creating a session and running it block the thread that calls, so they have one of their own. */
import type { Answer } from '../base/thread-server.ts'
import { serveCalls } from '../base/thread-server.ts'
import { ServerError } from '../errors.ts'
import { buildGraph } from '../graph/build.ts'
import type { InputRole } from '../graph/contract.ts'
import { TARGETS } from '../graph/target.ts'
import { layOut } from './feeds.ts'
import { findNonFinite } from './non-finite.ts'
import type { InferenceCalls, LoadReply } from './protocol.ts'
import type { RaggedBatch, RunResult } from './runner.ts'
import type { Session } from './session.ts'
import { createSession } from './session.ts'

let model: { session: Session; inputs: readonly InputRole[] } | undefined

serveCalls<InferenceCalls>({
  async load({ spec, target, threadCount }): Promise<Answer<LoadReply>> {
    const start = performance.now()
    const graph = buildGraph(spec, target)
    const session = await createSession(graph, { provider: TARGETS[target].provider, threadCount })
    await session.run(layOut(WARM_UP, graph.inputs))
    model = { session, inputs: graph.inputs }
    const { maxTokens, vocabularySize, outputWidth, vectorWidth, tokenWidth, unusedTensors } = graph
    const loadMs = performance.now() - start
    return {
      reply: { maxTokens, vocabularySize, outputWidth, vectorWidth, tokenWidth, unusedTensors, loadMs },
    }
  },

  async run(batch: RaggedBatch): Promise<Answer<RunResult>> {
    if (model === undefined) throw new ServerError('internal', 'no model is loaded in this thread')
    const start = performance.now()
    const outputs = await model.session.run(layOut(batch, model.inputs), batch.wantsTokens)
    const { rows, tokens } = outputs
    const runMs = performance.now() - start
    return {
      reply: { rows, tokens, nonFiniteRows: findNonFinite(outputs, batch.bounds), runMs },
      transfer: tokens === undefined ? [rows.buffer] : [rows.buffer, tokens.buffer],
    }
  },
})

/** Two rows of one and two tokens: enough to touch every kernel once. */
const WARM_UP: RaggedBatch = {
  ids: new Int32Array(3),
  bounds: Int32Array.of(0, 1, 3),
  typeStarts: Int32Array.of(1, 2),
  unpooledTokens: new Int32Array(2),
  wantsTokens: false,
}
