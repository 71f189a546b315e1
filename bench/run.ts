/** `npm run bench` runs all; `npm run bench -- latency startup` some. Marks are aims for a 2-core machine, never asserted. */
import { benchBatchSize } from './batch-size.ts'
import { benchEncode } from './encode.ts'
import { benchHeartbeat } from './heartbeat.ts'
import { benchHttp } from './http.ts'
import { printMachine } from './harness.ts'
import { benchLatency } from './latency.ts'
import { benchQueueWorker } from './queue-worker.ts'
import { benchStartup } from './startup.ts'
import { benchThroughput } from './throughput.ts'

const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  throughput: benchThroughput,
  latency: benchLatency,
  startup: benchStartup,
  encode: benchEncode,
  http: benchHttp,
  'queue-worker': benchQueueWorker,
  heartbeat: benchHeartbeat,
  'batch-size': benchBatchSize,
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !Object.hasOwn(BENCHES, name))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`)
  process.exit(2)
}
printMachine()
for (const [name, bench] of Object.entries(BENCHES)) {
  if (asked.length === 0 || asked.includes(name)) await bench()
}
