/** What the documents say that the code can be asked about. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Metrics } from '../../src/base/metrics.ts'
import { gatewayRoutes } from '../../src/transports/http/gateway-routes.ts'
import { JobStore } from '../../src/transports/gateway/job-store.ts'
import { createServer } from '../../src/transports/http/server.ts'

const ROOT = join(import.meta.dirname, '../..')
const DOCUMENTS = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)]

test.each(DOCUMENTS)('links of %s lead to files, and to headings that they have', (document) => {
  const links = [...read(document).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link]) => link as string)
  const broken = links.filter((link) => {
    const [path = '', anchor] = link.split('#')
    const file = path === '' ? document : join(dirname(document), path)
    if (!existsSync(join(ROOT, file))) return true
    return anchor !== undefined && !anchorsOf(read(file)).includes(anchor)
  })
  expect(broken).toEqual([])
})

test('docs/api.md lists every metric', async () => {
  const metrics = new Metrics({ models: () => [], gate: () => ({ running: 0, waiting: 0 }) })
  const names = [...(await metrics.text()).matchAll(/^# TYPE (embeddings_\w+)/gm)].map(([, name]) => name)
  const documented = [...read('docs/api.md').matchAll(/`(embeddings_\w+)`/g)].map(([, name]) => name)
  expect(new Set(documented)).toEqual(new Set(names))
})

test("docs/api.md names RunPod's routes as they are served", async () => {
  const app = createServer()
  const store = new JobStore({
    now: () => 0,
    limits: { maxQueuedJobs: 1, maxQueuedBytes: 1, maxKeptJobs: 1, maxKeptBytes: 1 },
  })
  onTestFinished(async () => {
    store.close()
    await app.close()
  })
  const workers = { idle: 0, initializing: 0, ready: 0, running: 0, throttled: 0, unhealthy: 0 }
  gatewayRoutes(app, {
    store,
    workers: () => workers,
    webhooks: { check: () => {} },
    cancelOnDisconnect: true,
  })
  await app.ready()
  const section = read('docs/api.md').split("## Jobs: RunPod's routes")[1]?.split('\n### ')[0] ?? ''
  const rows = [...section.matchAll(/^\| `(?:(GET)` or `)?(GET|POST) (\/\S+)` \|/gm)]
  expect(rows.length).toBe(10)
  for (const [row, ...columns] of rows) {
    const [other, method, path = ''] = columns
    for (const asked of [other, method].filter((name) => name === 'GET' || name === 'POST')) {
      const { statusCode, body } = await app.inject({ method: asked, url: path.replace('<id>', 'x') })
      expect(statusCode, row).not.toBe(405)
      // a route that is served knows no job x, one that is not knows nothing of jobs
      if (statusCode === 404) expect(body, row).toContain('there is no job')
    }
  }
})

test('docs/worker.md names events as they are logged', () => {
  const logged = [...read('src/base/log.ts').matchAll(/'(\w+)'/g)].map(([, name]) => name)
  const section = read('docs/worker.md').split('## Logs')[1]?.split('\n## ')[0] ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  const named = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name),
  )
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((name) => !logged.includes(name))).toEqual([])
})

/** As GitHub makes them. */
function anchorsOf(document: string): string[] {
  return [...document.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}
