import { expect, test } from 'vitest'
import { decodeLists } from '../../../src/tokenize/id-lists.ts'
import type { DecodeCall, IdLists } from '../../../src/tokenize/protocol.ts'

/** What crossed, and for each list its ids as text. */
async function decodeAll(ids: readonly (readonly number[])[], call: DecodeCall = {}) {
  const crossed: IdLists[] = []
  const texts = await decodeLists(ids, call, async (lists) => {
    crossed.push(lists)
    const { bounds } = lists
    return {
      texts: Array.from({ length: bounds.length - 1 }, (_, n) =>
        lists.ids.subarray(bounds[n], bounds[n + 1]).join(),
      ),
    }
  })
  return { texts, crossed }
}

function listOf(length: number): number[] {
  return Array.from({ length }, () => 7)
}

test('each list crosses with its ids as they are, empty ones too', async () => {
  const { texts } = await decodeAll([[1, 2], [], [-3.5, 2 ** 40]])
  expect(texts).toEqual(['1,2', '', '-3.5,1099511627776'])
})

test('no lists are no call', async () => {
  expect(await decodeAll([])).toEqual({ texts: [], crossed: [] })
})

test('lists that are too long together cross one after the other, and know their names', async () => {
  const { crossed } = await decodeAll([listOf(131_072), listOf(131_072), listOf(1), listOf(262_143)])
  expect(crossed.map(({ ids, names }) => [ids.length, names])).toEqual([
    [262_144, ['list 0', 'list 1']],
    [262_144, ['list 2', 'list 3']],
  ])
})

test('a list that is too long by itself is not split', async () => {
  const { crossed } = await decodeAll([listOf(1), listOf(300_000), listOf(1)])
  expect(crossed.map(({ ids }) => ids.length)).toEqual([1, 300_000, 1])
})

test('of short lists no more than 1024 cross at a time', async () => {
  const { texts, crossed } = await decodeAll(Array.from({ length: 2049 }, () => [5]))
  expect(crossed.map(({ names }) => names[0])).toEqual(['list 0', 'list 1024', 'list 2048'])
  expect(texts).toEqual(Array.from({ length: 2049 }, () => '5'))
})

test('lists cross with the names that the client knows', async () => {
  const names = Array.from({ length: 1026 }, (_, n) => `input[${n}]`)
  const { crossed } = await decodeAll(
    names.map(() => [5]),
    { names },
  )
  expect(crossed.flatMap((lists) => lists.names)).toEqual(names)
  expect(crossed[1]?.names).toEqual(['input[1024]', 'input[1025]'])
})

test('nothing more crosses for a client that is gone', async () => {
  const controller = new AbortController()
  let calls = 0
  const ended = decodeLists(
    Array.from({ length: 3000 }, () => [5]),
    { signal: controller.signal },
    async ({ names }) => {
      calls++
      controller.abort()
      return { texts: names }
    },
  )
  await expect(ended).rejects.toMatchObject({ code: 'cancelled' })
  expect(calls).toBe(1)
})
