/**
 * Clients in Python, each a test. `CLIENTS_PYTHON`: interpreters, with colons between, that have the packages of
 * requirements.txt and of requirements-older.txt; every client runs in each that has it.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer } from '../../e2e/start-server.ts'
import type { ClientResult } from '../../../tools/clients-table.ts'
import type { Program } from '../../start-program.ts'
import { KEY, serve } from '../serve.ts'

const SCRIPT = join(import.meta.dirname, 'run.py')
const RESULTS = join(import.meta.dirname, 'results.json')
/** All clients of an interpreter, the start of LiteLLM's proxy among them. */
const RUN_MS = 240_000

interface Client {
  readonly client: string
  readonly package: string
  /** null: not installed. */
  readonly version: string | null
  readonly base_url: string
  readonly works: string
  /** Why it cannot be pointed at a server of ours. */
  readonly skip: string | null
}

interface Checked extends Client {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
}

const pythons = (process.env['CLIENTS_PYTHON'] ?? 'python3').split(':')
const listed = pythons.map(list)
const clients = choose(listed.flatMap((list) => ('clients' in list ? list.clients : [])))
const reasons = listed.flatMap((list) => ('reason' in list ? [list.reason] : []))
const installed = clients.filter((client) => reasonToSkip(client) === undefined)
/** Only of all clients at once do the results say anything. */
const isWhole = reasons.length === 0 && clients.length > 0 && clients.every(({ version }) => version !== null)

let servers: Program[] = []
let runs: ChildProcess[] = []
let checked: Checked[] = []

describe('clients in Python', () => {
  beforeAll(async () => {
    if (installed.length === 0) return
    servers = await Promise.all([
      serve(),
      serve({ API_KEY: '' }),
      startServer({ MODEL_NAMES: 'Org/MiniLM=models/all-MiniLM-L6-v2-int8' }),
      startServer({ MODEL_NAMES: 'Org/Reranker=tests/golden/bert/bert-cross-encoder/model' }),
    ])
    checked = (await Promise.all(pythons.map(run))).flat()
  }, RUN_MS)

  afterAll(async () => {
    for (const { pid, exitCode } of runs) if (pid !== undefined && exitCode === null) process.kill(-pid)
    await Promise.all(servers.map((server) => server.stop()))
    if (!isWhole || installed.some((client) => checksOf(client).length === 0)) return
    const results = clients.map(toResult).toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
    writeFileSync(RESULTS, `${JSON.stringify(results, null, 2)}\n`)
  })

  if (clients.length === 0) test('are not there', ({ skip }) => skip(reasons.join('; ')))

  test.for(clients)('$client $version at $base_url', (client, { skip }) => {
    const reason = reasonToSkip(client)
    if (reason !== undefined) skip(reason)
    const checks = checksOf(client)
    expect(checks.length).toBeGreaterThan(0)
    expect(checks.filter(({ ok }) => !ok).map(({ check, detail }) => `${check}: ${detail}`)).toEqual([])
  })
})

function list(python: string): { clients: Client[] } | { reason: string } {
  const { status, stdout, stderr, error } = spawnSync(python, [SCRIPT, '--list'], { encoding: 'utf8' })
  if (status === 0) return { clients: parseLines<Client>(stdout) }
  return { reason: `${python} cannot run it: ${error?.message ?? stderr.trim().split('\n').at(-1)}` }
}

/** Each version once, and those that no interpreter has. */
function choose(all: readonly Client[]): Client[] {
  const found = all.filter(({ version }) => version !== null)
  const names = new Set(found.map(({ client }) => client))
  const missing = all.filter(({ client }) => !names.has(client))
  return [...new Map([...found, ...missing].map((client) => [keyOf(client), client])).values()]
}

async function run(python: string): Promise<Checked[]> {
  const urls = ['keyed', 'open', 'embedder', 'reranker'].flatMap((name, index) => [
    `--${name}`,
    servers[index]?.found ?? '',
  ])
  // a group of its own, so that the proxy it starts ends with it
  const child = spawn(python, [SCRIPT, '--key', KEY, ...urls], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  runs = [...runs, child]
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  if (child.exitCode !== 0) throw new Error(`${python} ended with ${child.exitCode}: ${stderr.slice(-2000)}`)
  return parseLines<Checked>(stdout)
}

function parseLines<T>(output: string): T[] {
  const lines = output.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as T)
}

function reasonToSkip({ skip, version, package: name }: Client): string | undefined {
  if (skip !== null) return skip
  return version === null ? `${name}, or what it needs, is not installed in ${pythons.join(':')}` : undefined
}

function checksOf(client: Client): Checked[] {
  return checked.filter((line) => keyOf(line) === keyOf(client))
}

function toResult(client: Client): ClientResult {
  const { client: name, version, base_url: baseUrl, works } = client
  const line = { client: name, version: version ?? '', baseUrl, works }
  if (client.skip !== null) return { ...line, status: 'skipped', reason: client.skip }
  const failed = checksOf(client).filter(({ ok }) => !ok)
  return failed.length === 0
    ? { ...line, status: 'works' }
    : { ...line, status: 'fails', reason: failed.map(({ check }) => check).join('; ') }
}

function keyOf({ client, version }: { readonly client: string; readonly version: string | null }): string {
  return `${client} ${version}`
}
