/** The waiting room of the engine, and what it is compared with. */
import type { PendingRequest } from '../../src/engine/pending-request.ts'
import { RowGroup } from '../../src/engine/row-group.ts'
import type { Row } from '../../src/engine/row.ts'
import type { BatchLimits } from '../../src/engine/waiting-room.ts'
import { WaitingRoom } from '../../src/engine/waiting-room.ts'

export type Queue = Pick<WaitingRoom, 'add' | 'takeBatch' | 'remove' | 'isEmpty'>

/**
 * `engine`: the engine's, and `draining` once it was told to stop. `fifo`: rows as they came. `oracle`: the request with the
 * fewest tokens left first, whoever starves, and its rows by length.
 */
export type Policy = 'engine' | 'draining' | 'fifo' | 'oracle'

export function openQueue(policy: Policy, limits: BatchLimits): Queue {
  if (policy === 'fifo') return new Fifo()
  if (policy === 'oracle') return new Shortest()
  const room = new WaitingRoom(limits)
  if (policy === 'draining') room.drain()
  return room
}

/** Rows in one order, taken from its head as long as they fit. */
abstract class Ordered implements Queue {
  protected rows: Row[] = []

  get isEmpty(): boolean {
    return this.rows.length === 0
  }

  add(rows: readonly Row[]): void {
    this.rows.push(...rows)
  }

  remove(request: PendingRequest): { rows: number; tokens: number } {
    const gone = this.rows.filter((row) => row.request === request)
    this.rows = this.rows.filter((row) => row.request !== request)
    return { rows: gone.length, tokens: gone.reduce((sum, { ids }) => sum + ids.length, 0) }
  }

  takeBatch({ maxRows, maxTokens, maxPaddedTokens }: BatchLimits): RowGroup[] {
    this.order()
    let count = 0
    let [tokens, longest] = [0, 0]
    for (const { ids } of this.rows) {
      tokens += ids.length
      longest = Math.max(longest, ids.length)
      const fits = count < maxRows && tokens <= maxTokens && (count + 1) * longest <= maxPaddedTokens
      if (count > 0 && !fits) break
      count++
    }
    return this.rows.splice(0, count).map((row) => new RowGroup(row))
  }

  protected abstract order(): void
}

class Fifo extends Ordered {
  protected order(): void {}
}

class Shortest extends Ordered {
  protected order(): void {
    const place = ({ request }: Row) => request.place
    this.rows.sort(
      (one, other) => place(one).tokens - place(other).tokens || one.ids.length - other.ids.length,
    )
  }
}
