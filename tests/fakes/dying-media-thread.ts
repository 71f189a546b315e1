/** The real media thread, but it ends over its first call where it was started with THREAD_DIES. */
import { parentPort } from 'node:worker_threads'
import '../../src/media/thread.ts'

if (process.env['THREAD_DIES'] !== undefined) parentPort?.on('message', () => process.exit(7))
