import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'vitest'

/** A line of the table of clients, before it is known whether it holds. */
export interface Claim {
  readonly client: string
  readonly version: string
  /** As the client is told, with H for the server's own address. */
  readonly baseUrl: string
  readonly works: string
  /** A client that ran, or requests of one that did not. */
  readonly how: 'works' | 'replayed'
}

declare module 'vitest' {
  interface TaskMeta {
    claim?: Claim
  }
}

export interface ClientOptions {
  /** Where it is installed, if not under its own name. */
  readonly folder?: string
  readonly baseUrl: string
  readonly works: string
}

/** Tests of an installed client: where all of them pass, the table says that it works. */
export function describeClient(client: string, options: ClientOptions, tests: () => void): void {
  const { folder = client, baseUrl, works } = options
  const path = join(import.meta.dirname, 'node_modules', folder, 'package.json')
  // reading it fails here, by name, where it is not installed
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  describeClaim({ client, version, baseUrl, works, how: 'works' }, tests)
}

export function describeClaim(claim: Claim, tests: () => void): void {
  describe(`${claim.client} ${claim.version} at ${claim.baseUrl}`, { meta: { claim } }, tests)
}
