import { join } from 'node:path'
import type { Program } from '../start-program.ts'
import { startProgram } from '../start-program.ts'
import { ROOT } from './run-handler.ts'

/** The local API, ready, on a port of its own: `found` is its address. */
export function startServer(
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<Program> {
  return startProgram({
    file: join(ROOT, 'handler.ts'),
    args: ['--rp_serve_api', '--rp_api_port', '0', ...args],
    env,
    until: /"address":"(http[^"]+)".*"message":"ready"/s,
  })
}
