import { expect, test } from 'vitest'
import type { BarStream } from '../../../src/model/progress-bar.ts'
import { openProgressBar } from '../../../src/model/progress-bar.ts'

function openTerminal(columns?: number) {
  const written: string[] = []
  const clock = { ms: 0 }
  const stream: BarStream = { isTTY: true, columns, write: (text) => written.push(text) }
  return { written, clock, bar: openProgressBar(stream, () => clock.ms) }
}

test('nothing is written where there is no terminal', () => {
  const written: string[] = []
  const bar = openProgressBar({ isTTY: false, write: (text) => written.push(text) })
  bar.update({ model: 'm', doneBytes: 1, totalBytes: 2 })
  bar.clear()
  expect(written).toEqual([])
})

test('a model is drawn with its share, its size and the time that is left', () => {
  const { written, clock, bar } = openTerminal()
  bar.update({ model: 'org/m', doneBytes: 0, totalBytes: 4e6 })
  clock.ms = 2000
  bar.update({ model: 'org/m', doneBytes: 1e6, totalBytes: 4e6 })
  expect(written).toEqual([
    '\rorg/m [........................] 0 %, 0.0 of 4.0 MB\x1b[K\r',
    '\rorg/m [######..................] 25 %, 1.0 of 4.0 MB, 6 s left\x1b[K\r',
  ])
})

test('several models are one line', () => {
  const { written, bar } = openTerminal()
  bar.update({ model: 'a', doneBytes: 1e6, totalBytes: 2e6 })
  bar.update({ model: 'b', doneBytes: 0, totalBytes: 2e6 })
  expect(written.at(-1)).toContain('2 models [######..................] 25 %, 1.0 of 4.0 MB')
})

test('what was there before does not count as speed', () => {
  const { written, clock, bar } = openTerminal()
  bar.update({ model: 'a', doneBytes: 2e6, totalBytes: 4e6 })
  clock.ms = 1000
  bar.update({ model: 'a', doneBytes: 3e6, totalBytes: 4e6 })
  expect(written.at(-1)).toContain(', 1 s left')
})

test('the line is never wider than the terminal', () => {
  const { written, bar } = openTerminal(20)
  bar.update({ model: 'org/a-long-name', doneBytes: 1, totalBytes: 2 })
  expect(written[0]).toBe('\rorg/a-long-name [##\x1b[K\r')
})

test('an empty line is left behind', () => {
  const { written, bar } = openTerminal()
  bar.clear()
  expect(written).toEqual(['\r\x1b[K\r'])
})
