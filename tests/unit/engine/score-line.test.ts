import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { MaxSim } from '../../../src/engine/max-sim.ts'
import { ScoreLine } from '../../../src/engine/score-line.ts'
import { Turns } from '../../../src/engine/turns.ts'

const QUERY = new MaxSim(Float32Array.of(1, 0), 2, 'sum')

/** 32 turns' worth and more, on any machine. */
const WIDE = new MaxSim(new Float32Array(512 * 128).fill(1), 128, 'sum')
const LONG = new Float32Array(2000 * 128).fill(1)

function open(maxNumbers = 100, signal?: AbortSignal, turns = new Turns()) {
  const scores: number[] = []
  const line = new ScoreLine({ maxNumbers, turns, signal })
  const add = (value: number, query = QUERY, vectors = Float32Array.of(value, 9)) =>
    line.add({
      query,
      vectors,
      numbers: vectors.length,
      onScore: (score) => {
        scores.push(score)
      },
    })
  return { line, scores, add }
}

test('documents are scored in the order in which they came, after those who brought them went on', async () => {
  const { line, scores, add } = open()
  for (const value of [3, 1, 2]) add(value)
  expect(scores).toEqual([])
  await line.end()
  expect(scores).toEqual([3, 1, 2])
  add(5)
  await line.end()
  expect(scores).toEqual([3, 1, 2, 5])
})

test('nothing to score is the end already', async () => {
  const { line } = open()
  await line.end()
  await line.room()
})

test('there is room until more numbers are on their way than may be, and again once enough are scored', async () => {
  const { line, scores, add } = open(4)
  line.announce(4)
  await line.room()
  line.announce(2)
  let hasRoom = false
  const room = line.room().then(() => {
    hasRoom = true
  })
  await setImmediate()
  expect(hasRoom).toBe(false)
  add(1)
  await room
  expect(scores).toEqual([1])
})

test('others have their turns while a long document is scored', async () => {
  const { line, scores, add } = open()
  add(0, WIDE, LONG)
  let turns = 0
  const work = line.end()
  while (scores.length === 0) {
    await setImmediate()
    turns++
  }
  await work
  expect(turns).toBeGreaterThan(10)
  expect(scores).toEqual([512 * 128])
})

test('who gives up is not scored for any longer, and hears so', async () => {
  const controller = new AbortController()
  const { line, scores, add } = open(4, controller.signal)
  line.announce(8)
  add(0, WIDE, LONG)
  const room = line.room()
  controller.abort()
  await expect(room).rejects.toMatchObject({ code: 'cancelled' })
  await expect(line.end()).rejects.toMatchObject({ code: 'cancelled' })
  expect(scores).toEqual([])
})

test('whoever scores beside others takes turns with them, not each a turn in the same round', async () => {
  // Every look at the clock finds a turn over.
  let nowMs = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 10))
  onTestFinished(() => clock.mockRestore())
  let round = 0
  const rounds: number[] = []
  class Watched extends MaxSim {
    override *score(): Generator<undefined, number> {
      for (let part = 0; part < 3; part++) {
        rounds.push(round)
        yield
      }
      return 1
    }
  }
  const watched = new Watched(Float32Array.of(1, 0), 2, 'sum')
  const turns = new Turns()
  const lines = [open(100, undefined, turns), open(100, undefined, turns)]
  for (const { add } of lines) add(0, watched)
  const ended = Promise.all(lines.map(({ line }) => line.end()))
  for (; rounds.length < 6; round++) await setImmediate()
  await ended
  expect(new Set(rounds).size).toBe(6)
})

test('once closed, nothing is scored any more, nor asked for', async () => {
  const { line, scores, add } = open(4)
  line.announce(8)
  add(0, WIDE, LONG)
  add(1)
  const room = line.room()
  await setImmediate()
  line.close()
  await expect(room).rejects.toMatchObject({ code: 'cancelled' })
  await expect(line.room()).rejects.toMatchObject({ code: 'cancelled' })
  add(2)
  await line.end()
  expect(scores).toEqual([])
})

test('closed while it waits for the device, who waits for room hears so', async () => {
  const { line } = open(4)
  line.announce(8)
  const room = line.room()
  line.close()
  await expect(room).rejects.toMatchObject({ code: 'cancelled' })
})
