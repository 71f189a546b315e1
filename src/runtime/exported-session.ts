/** A model that others exported, and the graph of ours behind it, as one session. */
import { ServerError } from '../errors.ts'
import type { ExportedBody, InputRole } from '../graph/contract.ts'
import { STATES } from '../graph/contract.ts'
import type { Graph } from '../graph/ir.ts'
import type { ExportedModel } from '../model/exported-spec.ts'
import type { Feed } from './feeds.ts'
import type { ExportedFeed, Session, SessionOptions } from './session.ts'
import { createExportedSession } from './session.ts'

export interface ExportedParts {
  /** Named as errors shall call it. */
  readonly model: ExportedModel
  readonly body: ExportedBody
  /** What is behind it, and its session. */
  readonly graph: Graph
  readonly session: Session
}

/** Takes the session over. Throws `load_failed` where ONNX Runtime cannot make one of the model. */
export async function openExported(
  { model, body, graph, session: head }: ExportedParts,
  options: SessionOptions,
): Promise<Session> {
  const exported = await createExportedSession(model, options)
  const own = new Set(graph.inputs.map(({ name }) => name))
  return {
    async release() {
      await exported.release()
      await head.release()
    },
    async run(feeds, wantsTokens) {
      // Whoever runs the graph lays out what is asked for: nothing else is there.
      const laid = feeds as ReadonlyMap<InputRole, Feed>
      const states = await exported.run(inputsOf(body, laid), body.output.name)
      expectShape(states, sizesOf(laid), { model, body })
      const others = [...laid].filter(([role]) => own.has(role))
      return head.run(new Map<InputRole | typeof STATES, Feed>([...others, [STATES, states]]), wantsTokens)
    },
  }
}

function inputsOf({ inputs }: ExportedBody, feeds: ReadonlyMap<InputRole, Feed>): Map<string, ExportedFeed> {
  return new Map(
    inputs.map(({ name, role, dtype }) => {
      const { data, dims } = feeds.get(role) as Feed
      const ints = data as Int32Array
      return [name, { data: dtype === 'i64' ? widen(ints) : ints, dims }]
    }),
  )
}

/** None is below 0. The halves of a number lie in the order of every processor that ONNX Runtime has a build for. */
function widen(ints: Int32Array): BigInt64Array {
  const wide = new BigInt64Array(ints.length)
  const halves = new Int32Array(wide.buffer)
  for (let i = 0; i < ints.length; i++) halves[2 * i] = ints[i] as number
  return wide
}

/** Rows of a batch, and tokens of the longest. */
function sizesOf(feeds: ReadonlyMap<InputRole, Feed>): Readonly<Record<string, number | undefined>> {
  const [B, S] = (feeds.get('padded_ids') as Feed).dims
  return { B, S }
}

/** What a file says of its output need not be what comes out. */
function expectShape(
  { dims }: Feed,
  sizes: Readonly<Record<string, number | undefined>>,
  { model, body: { output } }: Pick<ExportedParts, 'model' | 'body'>,
): void {
  const wanted = output.shape.map((dim) => (typeof dim === 'number' ? dim : sizes[dim]))
  if (dims.join() === wanted.join()) return
  throw new ServerError(
    'model_invalid',
    `${model.name} gives [${dims.join(', ')}] as ${output.name}; [${wanted.join(', ')}] is needed`,
  )
}
