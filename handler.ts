/** The worker's door: `node handler.ts` runs it, and `handler(job)` is it as a function. */
import { enableCompileCache } from 'node:module'
import { findBundle } from './src/find-bundle.ts'
import type * as Program from './src/program.ts'

shareCompileCache()

const bundle = findBundle(import.meta.dirname)
const program = (await import(bundle ?? './src/program.ts')) as typeof Program

export const { handler, close } = program

/** Compiled code is kept between runs, of worker threads too: they read where from the environment. */
function shareCompileCache(): void {
  const { directory } = enableCompileCache()
  if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= directory
}

if (import.meta.main) {
  // Whoever read the output may be gone (EPIPE), which is no failure; a full disk is one.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`the result cannot be written: ${error.message}\n`)
    process.exit(error.code === 'EPIPE' ? 0 : program.EXIT_FAILED)
  })
  process.exitCode = await program.main(process.argv.slice(2))
}
