/** Run by queue-worker.ts: the worker of this project with an engine that costs nothing, pointed where the environment says. */
import { loadConfig } from '../../src/config.ts'
import { openDeliver } from '../../src/transports/runpod/deliver.ts'
import { openHeartbeat } from '../../src/transports/runpod/heartbeat.ts'
import { openPlatform } from '../../src/transports/runpod/platform.ts'
import { QueueWorker } from '../../src/transports/runpod/worker.ts'

const { platform, maxConcurrency } = loadConfig({ ...process.env, MODEL_NAMES: 'none' }, [])
const log = () => {}
const embedding = Array.from({ length: 384 }, (_, index) => Math.fround(Math.sin(index)))
const output = {
  object: 'list',
  model: 'stub',
  data: [{ object: 'embedding', embedding, index: 0 }],
  usage: { prompt_tokens: 2, total_tokens: 2 },
}
const worker = new QueueWorker({
  source: openPlatform({ ...platform, version: 'bench', log }),
  heartbeat: await openHeartbeat({ ...platform, version: 'bench', log }),
  run: async () => ({ output }),
  deliver: openDeliver({}),
  isFull: () => false,
  maxConcurrency,
  refreshWorker: false,
  log,
})
console.log('ready')
await worker.run()
