/** The session without the engine, packed and padded: what the engine is measured against. */
import { CPU } from '../src/devices/device.ts'
import { buildGraph } from '../src/graph/build.ts'
import type { CompiledGraph } from '../src/graph/contract.ts'
import { encodeGraph } from '../src/graph/encode.ts'
import { openFolder } from '../src/model/open-folder.ts'
import type { RaggedBatch } from '../src/runtime/runner.ts'
import { NO_ADAPTER, joinRows } from '../src/runtime/runner.ts'
import { layOut } from '../src/runtime/feeds.ts'
import { createSession } from '../src/runtime/session.ts'
import { MODEL } from './harness.ts'

export interface BareSession {
  /** Rows of ids as one packed batch. */
  readonly packed: (rows: readonly Int32Array[]) => Promise<unknown>
  /** The same graph and kernels over rows padded to the longest: what a padded server computes. */
  readonly padded: (rows: readonly Int32Array[]) => Promise<unknown>
}

export async function openBareSession(threadCount: number): Promise<BareSession> {
  const spec = await openFolder(MODEL)
  const graph = buildGraph(spec, 'cpu-f32')
  const session = await createSession(encodeGraph(graph.graph), { device: CPU, threadCount })
  return {
    packed: (rows) => session.run(layOut(pack(rows), graph.inputs)),
    padded: (rows) => session.run(padFeeds(rows, graph.inputs)),
  }
}

/** Padding goes through every layer; attention and pooling mask it, as the length of each row tells them. */
function padFeeds(rows: readonly Int32Array[], inputs: CompiledGraph['inputs']) {
  const S = Math.max(...rows.map((row) => row.length))
  const filled = rows.map((row) => {
    const padded = new Int32Array(S)
    padded.set(row)
    return padded
  })
  const feeds = layOut(pack(filled), inputs)
  const T = rows.length * S
  const means = new Float32Array(rows.length * T)
  for (const [b, row] of rows.entries()) means.fill(1 / row.length, b * T + b * S, b * T + b * S + row.length)
  feeds.set('last_positions', { data: Int32Array.from(rows, (row) => row.length - 1), dims: [rows.length] })
  feeds.set('mean_weights', { data: means, dims: [rows.length, T] })
  return feeds
}

function pack(rows: readonly Int32Array[]): RaggedBatch {
  const rest = { unpooledTokens: 0, adapter: NO_ADAPTER, wantsTokens: false }
  return joinRows(rows.map((ids) => ({ ids, typeStart: ids.length, ...rest })))
}
