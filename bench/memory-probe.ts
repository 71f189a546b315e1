/** Run by `startup.ts` in a process of its own: prints what loading and a bulk job take. */
import { readFileSync } from 'node:fs'
import { close, handler } from '../handler.ts'
import { mixedLengths, seededRandom, textOf } from './harness.ts'

const random = seededRandom(3)
const texts = mixedLengths(500, random).map((length) => textOf(length, random))

const start = performance.now()
await handler({ input: { input: 'Hello world' } })
const loadMs = performance.now() - start
const loadedMb = process.memoryUsage().rss / 2 ** 20
await handler({ input: { input: texts } })
const peakMb = readPeakMb()
await close()
console.log(JSON.stringify({ loadedMb, peakMb, loadMs }))

/** The high-water mark of this program alone: on Linux `maxRSS` also remembers the process that started it. */
function readPeakMb(): number {
  try {
    const kb = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return Number(kb) / 2 ** 10
  } catch {
    return process.resourceUsage().maxRSS / 2 ** 10
  }
}
