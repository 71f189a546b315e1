/** The plots of a run, by the end of their file names. */
import type { SceneRow } from '../scenes/run-rounds.ts'
import type { Series } from './plot.ts'
import { drawPlot } from './plot.ts'
import type { Results } from './results.ts'

export function plotsOf(results: Results): Record<string, string> {
  const { contestants, rows, memory } = results
  const servers = contestants.filter(({ isServer }) => isServer)
  const title = (id: string) => contestants.find((contestant) => contestant.id === id)?.title ?? id
  const plots = {
    connections: drawPlot({
      title: 'Short queries: throughput against latency, by connections',
      x: { label: 'requests a second' },
      y: { label: 'p50, milliseconds', log: true },
      series: servers.map(({ id }) => ({ name: title(id), points: connectionPoints(rows, id) })),
    }),
    memory: drawPlot({
      title: 'Resident memory under mixed load',
      x: { label: 'minutes', fromZero: true },
      y: { label: 'MB', fromZero: true },
      series: memory.map(({ title: name, samples }): Series => {
        return { name, points: samples.map(([x, y]) => ({ x, y })) }
      }),
    }),
  }
  return Object.fromEntries(Object.entries(plots).filter(([, svg]) => svg !== ''))
}

const ONE = 'query'
const MANY = 'connections-'

function connectionPoints(rows: readonly SceneRow[], id: string) {
  return rows
    .filter(
      ({ contestant, scene, failed }) =>
        contestant === id && failed === 0 && (scene === ONE || scene.startsWith(MANY)),
    )
    .map(({ scene, figures }) => ({
      connections: scene === ONE ? 1 : Number(scene.slice(MANY.length)),
      x: figures.requestsPerSecond,
      y: figures.p50Ms,
    }))
    .toSorted((a, b) => a.connections - b.connections)
    .map(({ connections, x, y }) => ({ x, y, label: String(connections) }))
}
