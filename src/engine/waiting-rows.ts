/** A request's rows in the waiting room. */
import { modalityOf } from '../runtime/runner.ts'
import type { Modality } from '../task.ts'
import type { Draft } from './draft.ts'
import type { PendingRequest } from './pending-request.ts'
import type { Row } from './row.ts'
import { RowsByLength } from './rows-by-length.ts'

export interface Waiting {
  readonly request: PendingRequest
  /** In the order they came; those already taken are skipped. */
  readonly arrived: Row[]
  /** Of each modality that has come. */
  readonly byLength: Map<Modality, RowsByLength>
  readonly taken: Set<Row>
  head: number
  /** 0 once it has left. */
  size: number
  tokens: number
  /** As `ByTokensLeft` has it. */
  left: number | undefined
}

export function openWaiting(request: PendingRequest): Waiting {
  const [byLength, taken] = [new Map<Modality, RowsByLength>(), new Set<Row>()]
  return { request, arrived: [], byLength, taken, head: 0, size: 0, tokens: 0, left: undefined }
}

/** A request's waiting rows of a row's modality. */
export function rowsLike(row: Row, { byLength }: Waiting): RowsByLength {
  const modality = modalityOf(row)
  let rows = byLength.get(modality)
  if (rows === undefined) {
    rows = new RowsByLength()
    byLength.set(modality, rows)
  }
  return rows
}

export function takeOldest(waiting: Waiting): Row | undefined {
  while (waiting.head < waiting.arrived.length) {
    const row = waiting.arrived[waiting.head++] as Row
    if (waiting.taken.delete(row)) continue
    leave(waiting, row)
    // Rows of one length and modality leave in order of arrival, but for duplicates, so the oldest of all is the first of its length.
    return rowsLike(row, waiting).take(row.ids.length)
  }
  return undefined
}

export function takeNearest(waiting: Waiting, draft: Draft, room: number): Row | undefined {
  const row = waiting.byLength.get(draft.modality)?.takeNearest(draft.anchorLength, room)
  if (row === undefined) return undefined
  leave(waiting, row)
  waiting.taken.add(row)
  return row
}

export function leave(waiting: Waiting, row: Row): void {
  waiting.size--
  waiting.tokens -= row.ids.length
}
