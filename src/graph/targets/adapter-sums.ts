/**
 * What adapters add, on every provider. Rows of several tasks share a batch: all tasks' low-rank products are made of every
 * token, as one narrow matrix, of which a mask keeps the columns of the token's own task. So a token of none gets exactly
 * nothing added, and no token's numbers depend on the tasks of the others.
 */
import type { TensorRef } from '../../model/spec.ts'
import type { JoinedTable, LinearAdapter, TableAdapter, TaskColumns, TurnedTables } from '../adapters.ts'
import type { GraphBuilder } from '../builder.ts'
import type { FloatDtype, Value } from '../ir.ts'
import type { AnyLinear } from '../tensor-table.ts'

/** A tensor as the provider computes with it. */
type MakeWeight = (tensor: TensorRef) => Value

/** Adds to `y` [T, N], the product of `x` [T, K] with the weights of `linears` side by side, what their adapters make of `x`. */
export function adapt(
  b: GraphBuilder,
  dtype: FloatDtype,
  { x, y }: { readonly x: Value; readonly y: Value },
  linears: readonly AnyLinear[],
  makeWeight: MakeWeight,
): Value {
  // Layers that are parts of one weight have the same lower half.
  const lowers = new Map(
    linears.flatMap(({ adapter }) => (adapter ? [[placeOf(adapter), adapter] as const] : [])),
  )
  const [first] = lowers.values()
  if (first === undefined) return y
  const lowered = b.share(`${x.name} through ${[...lowers.keys()].join()}`, () => {
    const halves = [...lowers.values()]
    const down = b.concat(halves.flatMap(({ downs }) => downs).map(makeWeight), 0)
    const all = b.node('Gemm', [x, down], { transB: { int: 1 } })
    const columns = halves.flatMap((half) => half.columns)
    return b.node('Mul', [all, ownColumns(b, dtype, columns, first.always)])
  })
  const up = b.concat(
    linears.map((linear) => raising(b, dtype, linear, [...lowers.values()], makeWeight)),
    0,
  )
  return b.node('Gemm', [lowered, up, y], { transB: { int: 1 } })
}

function placeOf({ downs }: LinearAdapter): string {
  return downs.map(({ file, byteOffset }) => `${file}:${byteOffset}`).join()
}

/** The upper halves of a layer under its own lower ones, and zeros under those of its neighbours: [out, all columns]. */
function raising(
  b: GraphBuilder,
  dtype: FloatDtype,
  { weight, adapter }: AnyLinear,
  lowers: readonly LinearAdapter[],
  makeWeight: MakeWeight,
): Value {
  const outputs = weight.values.shape[0] ?? 0
  const own = adapter && placeOf(adapter)
  const blocks = lowers.flatMap((lower) =>
    adapter !== undefined && placeOf(lower) === own
      ? adapter.ups.map(makeWeight)
      : [zeros(b, dtype, outputs, countOf(lower.columns))],
  )
  return b.concat(blocks, 1)
}

function zeros(b: GraphBuilder, dtype: FloatDtype, rows: number, columns: number): Value {
  return b.share(`zeros ${rows} ${columns} in ${dtype}`, () =>
    b.cast(b.constant(new Float32Array(rows * columns), [rows, columns]), dtype),
  )
}

/** Adds to `rows` [T or 1, H], looked up at `indices` [T or 1], what the adapter makes of them: [T, H]. */
export function adaptRows(
  b: GraphBuilder,
  dtype: FloatDtype,
  looked: { readonly rows: Value; readonly indices: Value },
  adapter: TableAdapter,
  makeWeight: MakeWeight,
): Value {
  const added =
    adapter.kind === 'joined'
      ? fromJoined(b, dtype, looked.indices, adapter, makeWeight)
      : fromTurned(b, dtype, looked.indices, adapter, makeWeight)
  return b.node('Add', [added, looked.rows])
}

function fromJoined(
  b: GraphBuilder,
  dtype: FloatDtype,
  indices: Value,
  { columns, always, rows, down, up }: JoinedTable,
  makeWeight: MakeWeight,
): Value {
  // A token of no task, -1, gets a row counted from the end: of the last task, and masked like any that is not its own.
  const first = b.node('Mul', [tasksOf(b, always), b.constant(Int32Array.of(rows), [])])
  const lowered = b.cast(b.gather(b.tensor(down), b.node('Add', [first, indices])), dtype) // [T, rank]
  const all = b.concat(Array<Value>(columns.length).fill(lowered), 1)
  const own = b.node('Mul', [all, ownColumns(b, dtype, columns, always)])
  return b.node('MatMul', [own, makeWeight(up)])
}

function fromTurned(
  b: GraphBuilder,
  dtype: FloatDtype,
  indices: Value,
  { columns, always, downs, ups }: TurnedTables,
  makeWeight: MakeWeight,
): Value {
  const lookUp = (down: TensorRef) =>
    b.cast(b.node('Gather', [b.tensor(down), indices], { axis: { int: 1 } }), dtype) // [rank, T or 1]
  const all = b.node('Transpose', [b.concat(downs.map(lookUp), 0)], { perm: { ints: [1, 0] } })
  const own = b.node('Mul', [all, ownColumns(b, dtype, columns, always)])
  return b.node('Gemm', [own, b.concat(ups.map(makeWeight), 1)], { transB: { int: 1 } })
}

/** The task of each token: [T], or [1] where it is the same for all. */
function tasksOf(b: GraphBuilder, always: number | undefined): Value {
  return always === undefined ? b.input('adapters') : b.constant(Int32Array.of(always), [1])
}

/** [T or 1, columns]: the scale of adapters where the column is of the token's task, else 0. */
function ownColumns(
  b: GraphBuilder,
  dtype: FloatDtype,
  columns: readonly TaskColumns[],
  always: number | undefined,
): Value {
  return b.share(`columns ${JSON.stringify(columns)} in ${dtype}`, () => {
    const count = countOf(columns)
    const each = <X>(valueOf: (column: TaskColumns) => X): X[] =>
      columns.flatMap((column) => Array<X>(column.count).fill(valueOf(column)))
    const tasks = tasksOf(b, always)
    const isOwn = b.node('Equal', [
      always === undefined ? b.reshape(tasks, ['T', 1]) : tasks,
      b.constant(Int32Array.from(each(({ task }) => task)), [1, count]),
    ])
    const kept = b.constant(Float32Array.from(each(({ scale }) => scale)), [1, count])
    return b.cast(b.node('Where', [isOwn, kept, b.constant(Float32Array.of(0), [])]), dtype)
  })
}

function countOf(columns: readonly TaskColumns[]): number {
  return columns.reduce((sum, { count }) => sum + count, 0)
}
