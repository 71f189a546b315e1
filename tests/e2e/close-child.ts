/** Run by close.test.ts in a process of its own: closes while the model loads, or while batches run. */
import { close, handler } from '../../handler.ts'

const [when] = process.argv.slice(2)
const texts = Array.from({ length: 400 }, (_, i) => `text ${i} `.repeat(40))
const job = handler({ input: { input: texts } })
if (when === 'running') {
  await handler({ input: { input: 'first' } })
  // One answer is in: batches of the large job are under way.
}
await close()
process.stdout.write(JSON.stringify(await job))
