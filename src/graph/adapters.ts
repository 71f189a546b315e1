/** What adapters stand beside a weight, stored as one tensor for all tasks. */
import type { TensorRef } from '../model/spec.ts'
import type { AdaptersPlan } from './layers/encoder-plan.ts'
import { slice } from './matrix.ts'

export interface LinearAdapter {
  readonly plan: AdaptersPlan
  /** [tasks · rank, in] */
  readonly down: TensorRef
  /** Of each task [out, rank]. */
  readonly ups: readonly TensorRef[]
}

/** A row of the table is another one for each task, too. */
export interface TableAdapter {
  readonly plan: AdaptersPlan
  /** Rows of the table. */
  readonly rows: number
  /** [tasks · rows, rank] */
  readonly down: TensorRef
  /** [tasks · rank, width] */
  readonly up: TensorRef
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
  return { plan, down, ups }
}

/** Tables are stored the other way round: a row of A for each of their rows. */
export function tableAdapter(
  plan: AdaptersPlan,
  find: FindPart,
  { rows, width }: { readonly rows: number; readonly width: number },
): TableAdapter {
  return {
    plan,
    rows,
    down: joinTasks(find('A', rows, plan.rank)),
    up: joinTasks(find('B', plan.rank, width)),
  }
}

/** [tasks, rows, columns] as [tasks · rows, columns]: the same bytes. */
function joinTasks(tensor: TensorRef): TensorRef {
  const [tasks = 0, rows = 0, columns = 0] = tensor.shape
  return { ...tensor, shape: [tasks * rows, columns] }
}
