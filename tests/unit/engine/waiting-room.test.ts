import { describe, expect, test } from 'vitest'
import type { PendingRequest } from '../../../src/engine/pending-request.ts'
import { RowGroup } from '../../../src/engine/row-group.ts'
import type { BatchLimits } from '../../../src/engine/waiting-room.ts'
import { WaitingRoom } from '../../../src/engine/waiting-room.ts'
import type { Priority } from '../../../src/task.ts'
import { makeRequest, makeRow } from '../../fakes/rows.ts'

const AMPLE: BatchLimits = { maxRows: 32, maxTokens: 512, maxPaddedTokens: 1024 }

/** A request named by its noun, with its rows waiting. */
function enter(
  room: WaitingRoom,
  name: string,
  lengths: readonly number[],
  priority?: Priority,
): PendingRequest {
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  const request = makeRequest(name, priority, tokens)
  room.add(lengths.map((length, index) => makeRow(request, index, length)))
  return request
}

/** Items of a group stand together. */
function names(batch: readonly RowGroup[]): string {
  return batch
    .map(({ items }) => items.map(({ request, index }) => `${request.noun}${index}`).join('='))
    .join(' ')
}

function take(room: WaitingRoom, limits: Partial<BatchLimits> = {}): string {
  const batch = room.takeBatch({ ...AMPLE, ...limits })
  for (const { items, ids } of batch) {
    for (const { request } of items) request.place.tokens -= ids.length
  }
  return names(batch)
}

test('an empty room gives an empty batch', () => {
  const room = new WaitingRoom()
  expect(room.takeBatch(AMPLE)).toEqual([])
  expect(room.holdsAlone).toBe(false)
})

/** A room whose next batch goes by turns; of the second of four turns unless told. */
function openAtTurn(turn = 1): WaitingRoom {
  const room = new WaitingRoom()
  const batchCount = 4 * turn - 1
  for (let batch = 0; batch < batchCount; batch++) {
    enter(room, 'before', [10])
    take(room)
  }
  return room
}

describe('where batches take long', () => {
  const SHARED = { sharedTokens: 100 }

  test('larger requests leave room in a batch that has a small one, and in those after it', () => {
    const room = new WaitingRoom()
    enter(room, 'a', Array(60).fill(50))
    enter(room, 'q', [10])
    expect(take(room, SHARED)).toBe('q0 a0')
    for (let batch = 1; batch < 16; batch++) expect(take(room, SHARED).split(' ')).toHaveLength(2)
    expect(take(room, SHARED).split(' ')).toHaveLength(10)
    enter(room, 'q', [10])
    expect(take(room, SHARED).split(' ')).toHaveLength(2)
  })

  test('they do not where no small one has come, whatever is left of them', () => {
    const room = new WaitingRoom()
    enter(room, 'a', Array(11).fill(50))
    enter(room, 'b', Array(20).fill(50))
    expect(take(room, SHARED).split(' ')).toHaveLength(10)
    // Of a one row is left.
    expect(take(room, SHARED)).toMatch(/^a10( b\d+){9}$/)
    expect(take(room, SHARED).split(' ')).toHaveLength(10)
  })

  test('small ones fill a batch, also behind a larger one whose turn it is', () => {
    const room = openAtTurn()
    enter(room, 'a', Array(60).fill(20))
    for (let index = 0; index < 30; index++) enter(room, 'q', [20])
    expect(take(room, SHARED)).toMatch(/^a0( q0){23}$/)
  })

  test('of those with hardly anything left the first to come is the first', () => {
    const room = new WaitingRoom({ sharedTokens: 240 })
    enter(room, 'a', [31])
    enter(room, 'b', [30])
    enter(room, 'c', [10])
    enter(room, 'd', [30])
    expect(take(room, { maxRows: 4 })).toBe('b0 c0 d0 a0')
  })

  test('a row that is longer still has its turn', () => {
    const room = new WaitingRoom()
    enter(room, 'q', [10])
    take(room, SHARED)
    enter(room, 'a', [300, 300])
    expect(take(room, SHARED)).toBe('a0')
    expect(take(room, SHARED)).toBe('a1')
  })
})

describe('by what is left of them', () => {
  test('the request with the fewest tokens left begins the batch, and is finished first', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 10, 10])
    enter(room, 'b', [10, 10])
    enter(room, 'c', [40])
    expect(take(room, { maxRows: 3 })).toBe('b0 b1 a0')
    expect(take(room, { maxRows: 3 })).toBe('a1 a2 c0')
  })

  test('what of a request is not here yet counts', () => {
    const room = new WaitingRoom()
    const a = enter(room, 'a', [10, 10])
    enter(room, 'b', [10, 10, 10])
    a.place.tokens += 500
    room.reorder(a)
    expect(take(room, { maxRows: 1 })).toBe('b0')
  })

  test('of two with as many the earlier is first', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 10])
    enter(room, 'b', [20])
    expect(take(room, { maxRows: 2 })).toBe('a0 a1')
  })

  test('a newcomer with fewer passes one that was begun', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 10, 10])
    expect(take(room, { maxRows: 1 })).toBe('a0')
    enter(room, 'b', [10])
    expect(take(room, { maxRows: 2 })).toBe('b0 a1')
  })

  test('the batch is anchored by a request’s oldest row, not its nearest or shortest', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [90, 10, 12, 11])
    expect(take(room, { maxRows: 1 })).toBe('a0')
    expect(take(room, { maxRows: 1 })).toBe('a1')
  })

  test('rows that left out of turn are not anchors again', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 90, 10, 50])
    expect(take(room, { maxRows: 2 })).toBe('a0 a2')
    expect(take(room, { maxRows: 1 })).toBe('a1')
    expect(take(room, { maxRows: 1 })).toBe('a3')
    expect(take(room)).toBe('')
  })

  test('every row is the nearest to the anchor that its request has', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [20, 80, 22])
    enter(room, 'b', [90, 19, 30])
    expect(take(room, { maxRows: 5 })).toBe('a0 a2 a1 b1 b2')
  })
})

describe('by turns, in every fourth batch', () => {
  test('the request that was not served for longest begins it, whatever is left of it', () => {
    const room = new WaitingRoom()
    enter(room, 'job', [10, 10, 10, 10, 10, 10])
    const queries = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    for (const query of queries) enter(room, query, [10])
    const batches = Array.from({ length: 8 }, () => take(room, { maxRows: 1 }))
    expect(batches).toEqual(['a0', 'b0', 'c0', 'job0', 'd0', 'e0', 'f0', 'g0'])
  })

  test('every request gets a turn before any gets a second', () => {
    const room = openAtTurn()
    enter(room, 'a', [10, 10, 10, 10])
    enter(room, 'b', [200])
    enter(room, 'c', [12, 12])
    expect(take(room, { maxRows: 3 })).toBe('a0 b0 c0')
  })

  test('turns go round until the batch is full, each with the row nearest to the anchor', () => {
    const room = openAtTurn()
    enter(room, 'a', [20, 80, 22])
    enter(room, 'b', [90, 19, 30])
    expect(take(room, { maxRows: 5 })).toBe('a0 b1 a2 b2 a1')
  })

  test('of those served together the one that began is the last to begin again', () => {
    const room = openAtTurn()
    enter(
      room,
      'a',
      Array.from({ length: 9 }, () => 10),
    )
    enter(
      room,
      'b',
      Array.from({ length: 9 }, () => 10),
    )
    enter(room, 'c', [10])
    expect(take(room, { maxRows: 3 })).toBe('a0 b0 c0')
    for (let batch = 0; batch < 3; batch++) {
      enter(room, 'd', [5])
      expect(take(room, { maxRows: 1 })).toBe('d0')
    }
    expect(take(room, { maxRows: 2 })).toBe('b1 a1')
  })

  test('one that was served by what is left of it has no turn soon', () => {
    const room = openAtTurn()
    enter(room, 'c', [5])
    expect(take(room)).toBe('c0')
    enter(room, 'a', [10, 10, 10])
    enter(room, 'b', [50])
    for (const row of ['a0', 'a1']) expect(take(room, { maxRows: 1 })).toBe(row)
    enter(room, 'c', [5])
    expect(take(room, { maxRows: 1 })).toBe('c0')
    expect(take(room, { maxRows: 1 })).toBe('b0')
  })

  test('a newcomer stands behind those who wait, and before those that were served', () => {
    const room = openAtTurn()
    enter(room, 'a', [10, 10])
    enter(room, 'b', [10, 10])
    expect(take(room, { maxRows: 1 })).toBe('a0')
    for (let batch = 0; batch < 3; batch++) {
      enter(room, 'd', [5])
      expect(take(room, { maxRows: 1 })).toBe('d0')
    }
    const c = enter(room, 'c', [10])
    room.add([makeRow(c, 1, 90)])
    expect(take(room, { maxRows: 3 })).toBe('b0 a1 c0')
  })

  test('rows that a waiting request adds do not change its place', () => {
    const room = openAtTurn()
    const a = enter(room, 'a', [10])
    enter(room, 'b', [10])
    room.add([makeRow(a, 1, 10)])
    expect(room.countOf(a)).toBe(2)
    expect(take(room, { maxRows: 2 })).toBe('a0 b0')
  })
})

describe('priorities', () => {
  const many = Array.from({ length: 40 }, () => 10)

  /** Batches of one row, as the first letters of their requests. */
  function takeRows(room: WaitingRoom, count: number): string {
    return Array.from({ length: count }, () => take(room, { maxRows: 1 })[0] ?? '-').join('')
  }

  test('the most urgent come first, but turns are for every priority', () => {
    const room = new WaitingRoom()
    enter(room, 'low', many, 'low')
    enter(room, 'normal', many)
    enter(room, 'high', many, 'high')
    expect(takeRows(room, 32)).toBe('hhhnhhhhhhhnhhhlhhhnhhhhhhhnhhhl')
  })

  test('a turn of a priority of which nothing waits is the most urgent one’s', () => {
    const room = new WaitingRoom()
    enter(room, 'low', many, 'low')
    enter(room, 'high', many, 'high')
    expect(takeRows(room, 16)).toBe('hhhhhhhhhhhhhhhl')
    const calm = new WaitingRoom()
    enter(calm, 'normal', many)
    enter(calm, 'low', many, 'low')
    expect(takeRows(calm, 16)).toBe('nnnnnnnnnnnnnnnl')
  })

  test('room that the most urgent leave goes to the next, nearest to the anchor in length', () => {
    const room = new WaitingRoom()
    enter(room, 'low', [10, 30], 'low')
    enter(room, 'normal', [90, 31])
    enter(room, 'high', [30, 80], 'high')
    expect(take(room, { maxRows: 5 })).toBe('high0 high1 normal1 normal0 low1')
  })

  test('room that a turn leaves goes to the most urgent', () => {
    const room = openAtTurn()
    enter(room, 'low', [10], 'low')
    enter(room, 'high', [10], 'high')
    enter(room, 'normal', [10])
    expect(take(room)).toBe('normal0 high0 low0')
  })

  test('duplicates leave together, whatever their priority', () => {
    const room = new WaitingRoom()
    const [high, low] = [makeRequest('high', 'high'), makeRequest('low', 'low')]
    room.add([{ ...makeRow(low, 0, 10), key: 'x' }])
    room.add([{ ...makeRow(high, 0, 10), key: 'x' }])
    expect(take(room)).toBe('high0=low0')
    expect(room.isEmpty).toBe(true)
  })
})

test('draining, nobody has a turn', () => {
  const room = new WaitingRoom()
  enter(room, 'job', [10, 10, 10, 10, 10, 10, 10])
  for (const query of ['a', 'b', 'c', 'd', 'e']) enter(room, query, [10])
  room.drain()
  const batches = Array.from({ length: 6 }, () => take(room, { maxRows: 1 }))
  expect(batches).toEqual(['a0', 'b0', 'c0', 'd0', 'e0', 'job0'])
})

describe('budgets', () => {
  test('a batch takes every row that fits', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10, 20, 30, 40])
    expect(take(room)).toBe('a0 a1 a2 a3')
  })

  test('tokens of a batch stay within their budget', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [40, 40, 40])
    expect(take(room, { maxTokens: 100 })).toBe('a0 a1')
    expect(take(room, { maxTokens: 100 })).toBe('a2')
  })

  test('a request whose rows do not fit is passed over', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [40])
    enter(room, 'b', [80])
    enter(room, 'c', [50, 40])
    expect(take(room, { maxTokens: 100 })).toBe('a0 c1')
    expect(take(room, { maxTokens: 100 })).toBe('c0')
    expect(take(room, { maxTokens: 100 })).toBe('b0')
  })

  test('rows times the longest of them stay within the padded budget', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [10])
    enter(room, 'b', [30])
    enter(room, 'c', [20])
    expect(take(room, { maxPaddedTokens: 40 })).toBe('a0 c0')
    expect(take(room, { maxPaddedTokens: 40 })).toBe('b0')
  })

  test('short rows beside a long one pay for its padding', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [100, 1, 1, 1])
    expect(take(room, { maxPaddedTokens: 300 })).toBe('a0 a1 a2')
  })

  test('a single row over every budget still leaves, by itself', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [5000])
    enter(room, 'b', [6000])
    expect(take(room)).toBe('a0')
    expect(take(room)).toBe('b0')
  })

  test.each([
    ['by what is left of them', () => new WaitingRoom()],
    ['in turns', () => openAtTurn()],
  ])('a batch is searched on past 31 requests without a row that fits, not past 32, %s', (_, open) => {
    const takeBehind = (misses: number) => {
      const room = open()
      enter(room, 'a', [10])
      for (let index = 0; index < misses; index++) enter(room, 'long', [100])
      // More is left of it than of those, and of it there is a row that fits.
      enter(room, 'b', [10, 100])
      return take(room, { maxTokens: 90 })
    }
    expect(takeBehind(31)).toBe('a0 b0')
    expect(takeBehind(32)).toBe('a0')
  })

  test('a batch that is nearly full is sent rather than filled with crumbs', () => {
    const room = new WaitingRoom()
    enter(room, 'a', [95, 1])
    expect(take(room, { maxTokens: 100 })).toBe('a0')
  })
})

describe('leaving', () => {
  test('remove forgets the rows of one request and says how many', () => {
    const room = new WaitingRoom()
    const a = enter(room, 'a', [10, 10, 10])
    enter(room, 'b', [20, 20])
    expect(take(room, { maxRows: 1 })).toBe('a0')
    expect(room.countOf(a)).toBe(2)
    expect(room.remove(a)).toEqual({ rows: 2, tokens: 20 })
    expect(room.countOf(a)).toBe(0)
    expect(take(room)).toBe('b0 b1')
    expect(room.remove(a)).toEqual({ rows: 0, tokens: 0 })
    expect(take(room)).toBe('')
  })

  test('what was to run alone is forgotten once nobody waits for it', () => {
    const room = new WaitingRoom()
    const [a, b] = [makeRequest('a'), makeRequest('b')]
    const own = new RowGroup(makeRow(a, 7, 10))
    const shared = new RowGroup(makeRow(a, 8, 10), [makeRow(b, 9, 10)])
    room.addAlone(own)
    room.addAlone(shared)
    expect(room.removeDone()).toEqual([])
    a.fail('cancelled')
    expect(room.removeDone()).toEqual([own])
    expect(room.tokens).toBe(10)
    b.fail('cancelled')
    expect(room.removeDone()).toEqual([shared])
    expect(room.holdsAlone).toBe(false)
    expect(take(room)).toBe('')
  })

  test('rows that run alone leave first, one a batch, in the order they came', () => {
    const room = new WaitingRoom()
    const a = enter(room, 'a', [10, 10])
    room.addAlone(new RowGroup(makeRow(a, 8, 10)))
    room.addAlone(new RowGroup(makeRow(a, 9, 10)))
    expect(room.holdsAlone).toBe(true)
    expect([take(room), take(room), take(room)]).toEqual(['a8', 'a9', 'a0 a1'])
    expect(room.holdsAlone).toBe(false)
  })
})

describe('rows that look alike', () => {
  /** Rows of ten tokens, each looking as its letter says. */
  function enterLike(room: WaitingRoom, name: string, looks: string): PendingRequest {
    const request = makeRequest(name)
    request.place.tokens = 10 * looks.length
    room.add(Array.from(looks, (key, index) => ({ ...makeRow(request, index, 10), key })))
    return request
  }

  test('leave together, wherever they stand, and take up one place', () => {
    const room = new WaitingRoom()
    const a = enterLike(room, 'a', 'xyxz')
    const b = enterLike(room, 'b', 'zx')
    expect(take(room, { maxRows: 2 })).toBe('b0=a3 b1=a0=a2')
    expect([room.countOf(a), room.countOf(b), room.tokens]).toEqual([1, 0, 10])
    expect(take(room)).toBe('a1')
    expect(take(room)).toBe('')
  })

  test('fill a batch with others once they are taken', () => {
    const room = new WaitingRoom()
    enterLike(room, 'a', 'xxxxyyyyz')
    expect(take(room, { maxRows: 3 })).toBe('a0=a1=a2=a3 a4=a5=a6=a7 a8')
  })

  test('wait in a place of their own until then: one that is also the last of a job is taken as any other', () => {
    const room = new WaitingRoom()
    enterLike(room, 'a', 'mnopqx')
    enterLike(room, 'b', 'x')
    expect(take(room, { maxRows: 1 })).toBe('b0=a5')
    expect(take(room, { maxRows: 9 })).toBe('a0 a1 a2 a3 a4')
  })

  test('leave a request its place in line, where one of its rows left early', () => {
    const room = openAtTurn()
    enterLike(room, 'a', 'xx')
    enterLike(room, 'b', 'xy')
    enterLike(room, 'c', 'z')
    expect(take(room, { maxRows: 1 })).toBe('a0=a1=b0')
    for (let batch = 0; batch < 3; batch++) {
      enter(room, 'd', [5])
      expect(take(room, { maxRows: 1 })).toBe('d0')
    }
    expect(take(room, { maxRows: 1 })).toBe('b1')
    expect(take(room, { maxRows: 1 })).toBe('c0')
  })

  test('leave a request with less left, which comes earlier for it', () => {
    const room = new WaitingRoom()
    enterLike(room, 'a', 'x')
    enterLike(room, 'b', 'xy')
    enter(room, 'c', [15])
    expect(take(room, { maxRows: 1 })).toBe('a0=b0')
    expect(take(room, { maxRows: 1 })).toBe('b1')
  })

  test('leave a request that has no others: it comes to the end of the line when more come', () => {
    const room = new WaitingRoom()
    enterLike(room, 'a', 'x')
    const b = enterLike(room, 'b', 'x')
    enterLike(room, 'c', 'y')
    expect(take(room, { maxRows: 1 })).toBe('a0=b0')
    b.place.tokens += 10
    room.add([makeRow(b, 1, 10)])
    expect(take(room, { maxRows: 1 })).toBe('c0')
    expect(take(room, { maxRows: 1 })).toBe('b1')
  })

  test('are none that belonged to a request that was removed', () => {
    const room = new WaitingRoom()
    const a = enterLike(room, 'a', 'xxy')
    enterLike(room, 'b', 'x')
    enterLike(room, 'c', 'yx')
    expect(room.remove(a)).toEqual({ rows: 3, tokens: 30 })
    expect(take(room)).toBe('b0=c1 c0')
    expect(take(room)).toBe('')
  })

  test('that left are not anchors, nor counted when their request is removed', () => {
    const room = new WaitingRoom()
    enterLike(room, 'a', 'x')
    const b = enterLike(room, 'b', 'xyz')
    expect(take(room, { maxRows: 1 })).toBe('a0=b0')
    expect(take(room, { maxRows: 1 })).toBe('b1')
    expect(room.remove(b)).toEqual({ rows: 1, tokens: 10 })
  })
})
