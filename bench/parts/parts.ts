/** The benches that need no peer: in this process, or against stubs. */
import type { Group } from '../flags.ts'
import { benchBatchSize } from './batch-size.ts'
import { benchEncode } from './encode.ts'
import { benchHeartbeat } from './heartbeat.ts'
import { benchLargeAnswers } from './large-answers.ts'
import { benchLatency } from './latency.ts'
import { benchMedia } from './media.ts'
import type { Part } from './part.ts'
import { benchPictures } from './pictures.ts'
import { benchQueueWorker } from './queue-worker.ts'
import { benchThroughput } from './throughput.ts'

export const PARTS: Readonly<Partial<Record<Group, Part>>> = {
  throughput: benchThroughput,
  latency: benchLatency,
  encode: benchEncode,
  'large-answers': benchLargeAnswers,
  'queue-worker': benchQueueWorker,
  heartbeat: benchHeartbeat,
  'batch-size': benchBatchSize,
  media: benchMedia,
  pictures: benchPictures,
}
