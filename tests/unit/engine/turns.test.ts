import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Turns } from '../../../src/engine/turns.ts'

test('of those who wait, each has its turn in a round of the event loop of its own, in the order of asking', async () => {
  const turns = new Turns()
  let round = 0
  const seen: string[] = []
  const take = async (name: string) => {
    for (let turn = 0; turn < 2; turn++) {
      await turns.next()
      seen.push(`${name} in ${round}`)
    }
  }
  const all = Promise.all([take('a'), take('b')])
  while (seen.length < 4) {
    await setImmediate()
    round++
  }
  await all
  expect(seen.map((entry) => entry[0])).toEqual(['a', 'b', 'a', 'b'])
  expect(new Set(seen.map((entry) => entry.slice(1)))).toHaveProperty('size', 4)
})
