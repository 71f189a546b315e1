/**
 * What adapters add, on every provider. Rows of several tasks share a batch: all tasks' low-rank products are made of every
 * token, as one narrow matrix, of which a mask keeps the columns of the token's own task. So a token of none gets exactly
 * nothing added, and no token's numbers depend on the tasks of the others.
 */
import { ServerError } from '../../errors.ts'
import type { TensorRef } from '../../model/spec.ts'
import type { LinearAdapter, TableAdapter } from '../adapters.ts'
import type { GraphBuilder } from '../builder.ts'
import type { FloatDtype, Value } from '../ir.ts'
import type { AdaptersPlan } from '../layers/encoder-plan.ts'
import type { AnyLinear } from '../tensor-table.ts'

/** A tensor as the provider computes with it. */
type MakeWeight = (tensor: TensorRef) => Value

/**
 * Adds to `y` [T, N], the product of `x` [T, K] with the weights of `linears` side by side, what their adapters make of `x`. Throws
 * `graph_invalid` where they have not one and the same lower half.
 */
export function adapt(
  b: GraphBuilder,
  dtype: FloatDtype,
  { x, y }: { readonly x: Value; readonly y: Value },
  linears: readonly AnyLinear[],
  makeWeight: MakeWeight,
): Value {
  const adapters = linears.flatMap(({ adapter }) => adapter ?? [])
  const [first] = adapters
  if (first === undefined) return y
  const place = placeOf(first.down)
  const isShared = adapters.every(({ down }) => placeOf(down) === place)
  if (adapters.length < linears.length || !isShared)
    throw new ServerError('graph_invalid', 'layers of one product have adapters of their own')
  const lowered = b.share(`${x.name} through ${place}`, () => {
    const all = b.node('Gemm', [x, makeWeight(first.down)], { transB: { int: 1 } })
    return b.node('Mul', [all, ownColumns(b, dtype, first.plan)])
  })
  return b.node('Gemm', [lowered, raising(b, adapters, makeWeight), y], { transB: { int: 1 } })
}

function placeOf({ file, byteOffset }: TensorRef): string {
  return `${file}:${byteOffset}`
}

/** The upper halves of all tasks beside each other, of the layers below each other: [N, tasks · rank]. */
function raising(b: GraphBuilder, adapters: readonly LinearAdapter[], makeWeight: MakeWeight): Value {
  return b.concat(
    adapters.map(({ ups }) => b.concat(ups.map(makeWeight), 1)),
    0,
  )
}

/** Adds to `rows` [T or 1, H], looked up at `indices` [T or 1], what the adapter makes of them: [T, H]. */
export function adaptRows(
  b: GraphBuilder,
  dtype: FloatDtype,
  { rows, indices }: { readonly rows: Value; readonly indices: Value },
  { plan, rows: rowCount, down, up }: TableAdapter,
  makeWeight: MakeWeight,
): Value {
  // A token of no task, -1, gets a row counted from the end: of the last task, and masked like any that is not its own.
  const first = b.node('Mul', [tasksOf(b, plan), b.constant(Int32Array.of(rowCount), [])])
  const lowered = b.cast(b.gather(b.tensor(down), b.node('Add', [first, indices])), dtype) // [T, rank]
  const all = b.concat(Array<Value>(plan.count).fill(lowered), 1)
  const own = b.node('Mul', [all, ownColumns(b, dtype, plan)])
  return b.node('Add', [b.node('MatMul', [own, makeWeight(up)]), rows])
}

/** The task of each token: [T], or [1] where it is the same for all. */
function tasksOf(b: GraphBuilder, { always }: AdaptersPlan): Value {
  return always === undefined ? b.input('adapters') : b.constant(Int32Array.of(always), [1])
}

/** [T or 1, tasks · rank]: the scale of adapters where the column is of the token's task, else 0. */
function ownColumns(b: GraphBuilder, dtype: FloatDtype, plan: AdaptersPlan): Value {
  const { count, rank, scale } = plan
  return b.share(`columns of adapters in ${dtype}`, () => {
    const tasks = Int32Array.from({ length: count * rank }, (_, column) => Math.floor(column / rank))
    const isOwn = b.node('Equal', [
      plan.always === undefined ? b.reshape(tasksOf(b, plan), ['T', 1]) : tasksOf(b, plan),
      b.constant(tasks, [1, count * rank]),
    ])
    const [kept, dropped] = [scale, 0].map((value) => b.constant(Float32Array.of(value), []))
    return b.cast(b.node('Where', [isOwn, kept, dropped]), dtype)
  })
}
