/** Run by `startup.ts` in a process of its own: prints what loading and a bulk job take. */
import { close, handler } from '../handler.ts'
import { mixedLengths, seededRandom, textOf } from './harness.ts'

const random = seededRandom(3)
const texts = mixedLengths(500, random).map((length) => textOf(length, random))

const start = performance.now()
await handler({ input: { input: 'Hello world' } })
const loadMs = performance.now() - start
const loadedMb = process.memoryUsage().rss / 2 ** 20
await handler({ input: { input: texts } })
const peakMb = process.resourceUsage().maxRSS / 2 ** 10
await close()
console.log(JSON.stringify({ loadedMb, peakMb, loadMs }))
