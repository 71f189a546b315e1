/** What adapters stand beside a weight: stored as one tensor for all tasks, or each task's in a file of its own. */
import type { LowRank, TensorRef } from '../model/spec.ts'
import type { AdaptersPlan } from './layers/encoder-plan.ts'
import { slice } from './matrix.ts'

/** Columns of products with lower halves that are of one task. */
export interface TaskColumns {
  readonly task: number
  readonly count: number
  readonly scale: number
}

interface Adapter {
  /** In the order of what stands below. */
  readonly columns: readonly TaskColumns[]
  /** Given, all tokens are of this task, whatever a row says. */
  readonly always: number | undefined
}

export interface LinearAdapter extends Adapter {
  /** Below each other [all tasks' columns, in]. */
  readonly downs: readonly TensorRef[]
  /** Beside each other [out, all tasks' columns]. */
  readonly ups: readonly TensorRef[]
}

/** A row of the table is another one for each task, too. */
export type TableAdapter = JoinedTable | TurnedTables

/** Of tasks with the same number of columns. */
export interface JoinedTable extends Adapter {
  readonly kind: 'joined'
  /** Rows of the table. */
  readonly rows: number
  /** [tasks · rows, rank] */
  readonly down: TensorRef
  /** [tasks · rank, width] */
  readonly up: TensorRef
}

export interface TurnedTables extends Adapter {
  readonly kind: 'turned'
  /** Below each other [all tasks' columns, rows]: what is looked up is a column. */
  readonly downs: readonly TensorRef[]
  /** Beside each other [width, all tasks' columns]. */
  readonly ups: readonly TensorRef[]
}

/** Finds a tensor [tasks, rows, columns] by its letter. */
export type FindPart = (letter: 'A' | 'B', rows: number, columns: number) => TensorRef

/** `outputs`: rows of the weight; `part`: those of them that are the layer's. */
export function linearAdapter(
  plan: AdaptersPlan,
  find: FindPart,
  sizes: { readonly outputs: number; readonly inputs: number },
  part: { readonly from: number; readonly count: number },
): LinearAdapter {
  const down = joinTasks(find('A', plan.rank, sizes.inputs))
  const up = joinTasks(find('B', sizes.outputs, plan.rank))
  const ups = Array.from({ length: plan.count }, (_, task) =>
    slice(up, task * sizes.outputs + part.from, part.count),
  )
  return { columns: columnsOf(plan), always: plan.always, downs: [down], ups }
}

/** Tables are stored the other way round: a row of A for each of their rows. */
export function tableAdapter(
  plan: AdaptersPlan,
  find: FindPart,
  { rows, width }: { readonly rows: number; readonly width: number },
): JoinedTable {
  return {
    kind: 'joined',
    columns: columnsOf(plan),
    always: plan.always,
    rows,
    down: joinTasks(find('A', rows, plan.rank)),
    up: joinTasks(find('B', plan.rank, width)),
  }
}

/** A task and what its adapter has for a layer. */
export type TaskPart = readonly [task: number, part: LowRank]

export function separateLinear(parts: readonly TaskPart[]): LinearAdapter {
  return {
    columns: ownColumns(parts),
    always: undefined,
    downs: parts.map(([, { down }]) => down),
    ups: parts.map(([, { up }]) => up),
  }
}

export function separateTables(parts: readonly TaskPart[]): TurnedTables {
  return { kind: 'turned', ...separateLinear(parts) }
}

function ownColumns(parts: readonly TaskPart[]): readonly TaskColumns[] {
  return parts.map(([task, { rank, scale }]) => ({ task, count: rank, scale }))
}

function columnsOf({ count, rank, scale }: AdaptersPlan): readonly TaskColumns[] {
  return Array.from({ length: count }, (_, task) => ({ task, count: rank, scale }))
}

/** [tasks, rows, columns] as [tasks · rows, columns]: the same bytes. */
function joinTasks(tensor: TensorRef): TensorRef {
  const [tasks = 0, rows = 0, columns = 0] = tensor.shape
  return { ...tensor, shape: [tasks * rows, columns] }
}
