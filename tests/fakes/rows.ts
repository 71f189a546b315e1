/** Rows without a tokenizer. */
import { randomUUID } from 'node:crypto'
import { PendingRequest } from '../../src/engine/pending-request.ts'
import { RequestClock } from '../../src/engine/request-clock.ts'
import type { Row } from '../../src/engine/row.ts'
import { NO_ADAPTER } from '../../src/runtime/runner.ts'
import type { Priority } from '../../src/task.ts'
import type { TokenizedRows } from '../../src/tokenize/tokenizer.ts'

/** A request that nobody waits for. `tokens`: what it had when it came. */
export function makeRequest(noun = 'text', priority: Priority = 'normal', tokens = 0): PendingRequest {
  const clock = new RequestClock(() => 0)
  const place = { priority, items: 0, tokens }
  return new PendingRequest({ rowCount: 1, width: 1, noun, clock, place, onFailure: () => {} })
}

/** A row of a waiting request, like no other; its ids do not matter. */
export function makeRow(request: PendingRequest, index: number, length: number): Row {
  return {
    request,
    index,
    ids: new Int32Array(length),
    typeStart: length,
    unpooledTokens: 0,
    adapter: NO_ADAPTER,
    wantsTokens: false,
    key: randomUUID(),
  }
}

/** Ids as a tokenizer would hand them over; every id counts as a token of the text. */
export function joinIds(rows: readonly (readonly number[])[]): TokenizedRows {
  const bounds = new Int32Array(rows.length + 1)
  for (const [b, row] of rows.entries()) bounds[b + 1] = (bounds[b] as number) + row.length
  return {
    ids: Int32Array.from(rows.flat()),
    bounds,
    typeStarts: Int32Array.from(rows, (row) => row.length),
    unpooledTokens: new Int32Array(rows.length),
    textTokens: rows.reduce((sum, row) => sum + row.length, 0),
    truncatedRows: 0,
  }
}
