import { expect, test } from 'vitest'
import { drawPlot, scaleOf } from '../../../bench/report/plot.ts'

const AXES = { x: { label: 'requests a second' }, y: { label: 'milliseconds', log: true } }

test('ticks are round values around all that is drawn', () => {
  expect(scaleOf([3, 97], {}, 0, 100).ticks).toEqual([0, 20, 40, 60, 80, 100])
  expect(scaleOf([211, 224], { fromZero: true }, 0, 100).ticks).toEqual([0, 50, 100, 150, 200, 250])
  expect(scaleOf([3, 97], { log: true }, 0, 100).ticks).toEqual([2, 5, 10, 20, 50, 100])
})

test('values lie between the ends, on a logarithmic axis by their logarithm', () => {
  const linear = scaleOf([0, 100], {}, 10, 110)
  expect([0, 50, 100].map(linear.at)).toEqual([10, 60, 110])
  const log = scaleOf([1, 100], { log: true }, 10, 110)
  expect(log.ticks).toEqual([1, 2, 5, 10, 20, 50, 100])
  expect([1, 10, 100].map((value) => Math.round(log.at(value)))).toEqual([10, 60, 110])
})

test('one value alone has an axis with two ends', () => {
  for (const options of [{}, { log: true }, { fromZero: true }]) {
    const { at, ticks } = scaleOf([5], options, 0, 100)
    expect(ticks.length).toBeGreaterThan(1)
    expect(at(5)).toBeGreaterThanOrEqual(0)
    expect(at(5)).toBeLessThanOrEqual(100)
  }
})

test('a series is one line with its name in the legend, and labels beside its points', () => {
  const svg = drawPlot({
    ...AXES,
    title: 'a < b & c',
    series: [
      { name: 'ours', points: [1, 2, 3].map((value) => ({ x: value, y: value, label: `at ${value}` })) },
      { name: 'theirs', points: [{ x: 2, y: 9 }] },
    ],
  })
  expect(svg.match(/<polyline points="(?:[\d.]+,[\d.]+ ?){3}"/g)).toHaveLength(1)
  expect(svg.match(/<circle /g)).toHaveLength(4)
  for (const shown of ['>ours<', '>theirs<', '>at 3<', '>a &lt; b &amp; c<']) expect(svg).toContain(shown)
  expect(svg).not.toMatch(/NaN|Infinity|undefined/)
})

test('a plot without points is no plot', () => {
  expect(drawPlot({ ...AXES, title: 'nothing', series: [{ name: 'ours', points: [] }] })).toBe('')
})
