import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FairLine } from '../../../src/media/fair-line.ts'

/** Works that end when they are told, by name. */
function openWorks(line: FairLine) {
  const running: string[] = []
  const ends = new Map<string, (error?: Error) => void>()
  const start = (name: string, signal?: AbortSignal): Promise<string> =>
    line.run(() => {
      running.push(name)
      return new Promise((resolve, reject) => {
        ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error)))
      })
    }, signal)
  const end = async (name: string, error?: Error): Promise<void> => {
    running.splice(running.indexOf(name), 1)
    ends.get(name)?.(error)
    await setImmediate()
  }
  return { running, start, end }
}

const request = () => new AbortController()

test('no more run than may, and of those who wait the request with the fewest is next, but for every fourth', async () => {
  const { running, start, end } = openWorks(new FairLine(2))
  const [a, b, c] = [request(), request(), request()]
  const started = ['a1', 'a2', 'a3', 'a4', 'a5'].map((name) => start(name, a.signal))
  started.push(start('b1', b.signal), start('b2', b.signal), start('c1', c.signal), start('alone'))
  expect(running).toEqual(['a1', 'a2'])
  const order: string[] = []
  while (running.length > 0) {
    const [first] = running as [string]
    order.push(first)
    await end(first)
  }
  expect(order).toEqual(['a1', 'a2', 'c1', 'alone', 'b1', 'a3', 'b2', 'a4', 'a5'])
  expect(await Promise.all(started)).toHaveLength(9)
})

test('of a request that ends nothing waits any more, and what runs goes on', async () => {
  const { running, start, end } = openWorks(new FairLine(1))
  const [a, b] = [request(), request()]
  const first = start('a1', a.signal)
  const waiting = ['a2', 'a3'].map((name) => start(name, a.signal))
  const other = start('b1', b.signal)
  a.abort()
  for (const work of waiting) await expect(work).rejects.toMatchObject({ code: 'cancelled' })
  expect(running).toEqual(['a1'])
  await end('a1')
  expect(await first).toBe('a1')
  expect(running).toEqual(['b1'])
  await end('b1')
  expect(await other).toBe('b1')
  const later = start('b2', b.signal)
  await end('b2')
  expect(await later).toBe('b2')
})

test('one that has ended before it must wait does not wait', async () => {
  const { running, start, end } = openWorks(new FairLine(1))
  const first = start('a')
  await expect(start('b', AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' })
  await end('a')
  expect(await first).toBe('a')
  expect(running).toEqual([])
})

test('the place of a work that fails goes to the next', async () => {
  const { running, start, end } = openWorks(new FairLine(1))
  const failing = start('a')
  failing.catch(() => {})
  const next = start('b')
  await end('a', new Error('broken'))
  await expect(failing).rejects.toThrow('broken')
  expect(running).toEqual(['b'])
  await end('b')
  expect(await next).toBe('b')
})
