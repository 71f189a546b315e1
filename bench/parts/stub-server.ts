/** Run by large-answers.ts: the direct routes over an engine that answers large vectors at once. Prints its address. */
import { Gate } from '../../src/transports/gate.ts'
import { directRoutes } from '../../src/transports/http/direct-routes.ts'
import { probes } from '../../src/transports/http/probes.ts'
import { createServer, listen } from '../../src/transports/http/server.ts'
import { Lifecycle } from '../../src/transports/lifecycle.ts'
import { seededRandom } from '../harness.ts'
import { stubService } from '../stub-service.ts'

const DIMENSIONS = 384
const MAX_TEXTS = 2048
const random = seededRandom(3)
// Made beforehand: the bench measures how answers are written, not how this is filled.
const VECTORS = Float32Array.from({ length: MAX_TEXTS * DIMENSIONS }, () => random() - 0.5)
const lifecycle = new Lifecycle()
lifecycle.ready(stubService(VECTORS, DIMENSIONS))
const gate = new Gate({ concurrency: 300, maxWaiting: 1000, maxWaitingBytes: 1e9 })
const app = createServer()
probes(app, lifecycle)
directRoutes(app, { lifecycle, gate })
console.log(await listen(app, '127.0.0.1', 0))
