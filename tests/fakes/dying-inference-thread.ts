/** The real inference thread, but two words of the bundled model end it: one by exit, the other by an exception. */
import { parentPort } from 'node:worker_threads'
import '../../src/runtime/thread.ts'
import type { RaggedBatch } from '../../src/runtime/runner.ts'

const VOCABULARY_OF_DEATH = { volcano: 12_779, glacier: 10_046 }

parentPort?.on('message', ({ kind, ask }: { kind: string; ask: Partial<RaggedBatch> }) => {
  if (kind !== 'run') return
  // The thread's own listener has begun to answer; ONNX Runtime is not yet at work.
  if (ask.ids?.includes(VOCABULARY_OF_DEATH.volcano) === true) process.exit(7)
  if (ask.ids?.includes(VOCABULARY_OF_DEATH.glacier) === true) throw new Error('frozen')
})
