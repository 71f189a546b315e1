/**
 * What `npm start` runs and `handler.ts` imports: the bundle where it is of the sources as they are, else the sources. In
 * JavaScript, for a Node that has types to strip starts 40 ms later.
 */
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { findBundle } from './find-bundle.js'

shareCompileCache()

const bundle = findBundle(join(import.meta.dirname, '..'))

/** @type {typeof import('./program.ts')} */
export const program = await import(bundle ?? './program.ts')

/** Compiled code is kept between runs, of worker threads too: they read where from the environment. */
function shareCompileCache() {
  const { directory } = enableCompileCache()
  if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= directory
}

/** Runs the program as this process's flags say, and sets its exit code. */
export async function run() {
  // Whoever read the output may be gone (EPIPE), which is no failure; a full disk is one.
  process.stdout.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    if (error.code !== 'EPIPE') process.stderr.write(`the result cannot be written: ${error.message}\n`)
    process.exit(error.code === 'EPIPE' ? 0 : program.EXIT_FAILED)
  })
  process.exitCode = await program.main(process.argv.slice(2))
}

if (import.meta.main) await run()
