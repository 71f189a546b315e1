/** The real tokenizer thread, but where it was started with THREAD_DIES it ends over its first call after `open`. */
import { parentPort } from 'node:worker_threads'
import '../../src/tokenize/thread.ts'

if (process.env['THREAD_DIES'] !== undefined) {
  parentPort?.on('message', ({ kind }: { kind: string }) => {
    if (kind !== 'open') process.exit(7)
  })
}
