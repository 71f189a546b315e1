/** The load generator: a process of its own, the same for every server. Started by `start-client.ts`. */
import { openLane } from './lane.ts'
import type { LoadAsk, LoadReply } from './protocol.ts'

process.on('message', (ask: LoadAsk) => {
  load(ask).then(
    (reply) => process.send?.(reply),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit())

async function load(ask: LoadAsk): Promise<LoadReply> {
  const lanes = new Map(ask.lanes.map((lane) => [lane.name, openLane(lane, ask)]))
  const isOver = (name: string) => lanes.get(name)?.isOver() ?? true
  const before = process.cpuUsage()
  const start = performance.now()
  const replies = await Promise.all([...lanes.values()].map((lane) => lane.run(isOver)))
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  return { lanes: replies, seconds, cpuSeconds: (user + system) / 1e6 }
}
