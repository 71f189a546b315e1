/** The worker: `node handler.ts` runs it, and `handler(job)` is it as a function. */
import { program, run } from './src/door.js'

export const { handler, close } = program

if (import.meta.main) await run()
