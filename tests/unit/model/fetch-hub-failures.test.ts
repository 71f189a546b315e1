import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commitOf } from '../../fakes/hub.ts'
import { expectRefusal } from './expect-refusal.ts'
import {
  FOLDER,
  NAME,
  cacheRepository,
  eventsOf,
  faultTimes,
  isApi,
  isCdn,
  openFetching,
} from './fetching.ts'

test.each([
  ['without a token', undefined, 'then set HF_TOKEN'],
  ['with the token of another account', 'other', 'HF_TOKEN gives no access'],
])('a gated model %s says where access is asked for', async (_, token, what) => {
  const { hub, fetch } = await openFetching({ gated: true, token: 'mine' })
  const page = `${hub.endpoint}/${NAME}`
  await expectRefusal(() => fetch({ token }), 'load_failed', `${NAME}: it is gated`, page, what)
})

test('a model whose files alone are gated is refused the same way', async () => {
  const { hub, fetch } = await openFetching()
  hub.fault = ({ path }) =>
    path.includes('/resolve/') ? { status: 403, headers: { 'x-error-code': 'GatedRepo' } } : undefined
  await expectRefusal(() => fetch({ token: 'other' }), 'load_failed', `${NAME}: it is gated`)
})

test('a model that is missing or private asks for a token, or doubts it', async () => {
  const { hub, fetch } = await openFetching()
  const gone = { name: 'org/none' }
  await expectRefusal(
    () => fetch(gone),
    'load_failed',
    'org/none: there is no such model',
    hub.endpoint,
    'set HF_TOKEN',
  )
  await expectRefusal(
    () => fetch({ ...gone, token: 't' }),
    'load_failed',
    'the account of HF_TOKEN may not read it',
  )
})

test('a token that is no longer valid is named, and not shown', async () => {
  const { fetch } = await openFetching({ token: 'mine' })
  const refused = fetch({ token: 'wrong-token' })
  await expectRefusal(() => refused, 'load_failed', 'refuses HF_TOKEN (401)')
  await expect(refused).rejects.not.toThrow('wrong-token')
})

test('a token without the permission is told from a wrong one', async () => {
  const { hub, fetch } = await openFetching()
  hub.fault = () => ({ status: 403 })
  await expectRefusal(() => fetch({ token: 't' }), 'load_failed', '(403): HF_TOKEN lacks the permission')
})

test('a revision that is missing is named', async () => {
  const { fetch } = await openFetching()
  await expectRefusal(() => fetch({ revision: 'v9' }), 'load_failed', `${NAME}: it has no revision "v9"`)
})

test.each(['../model', 'org/../model', 'a/b/c', '', 'org/', '.hidden', 'org/-x', 'a--b/c', 'org/mo del'])(
  'the name "%s" is refused before any request',
  async (name) => {
    const { hub, fetch } = await openFetching()
    await expectRefusal(() => fetch({ name }), 'model_invalid', 'no name of a model')
    expect(hub.requests).toEqual([])
  },
)

test.each(['../../etc', 'a/../b', '/main', 'a//b', '', 'a b'])(
  'the revision "%s" is refused before any request',
  async (revision) => {
    const { hub, fetch } = await openFetching()
    await expectRefusal(() => fetch({ revision }), 'model_invalid', 'is no revision')
    expect(hub.requests).toEqual([])
  },
)

test.each([429, 500, 502, 503])('a status of %i that passes is waited for', async (status) => {
  const { hub, events, fetch } = await openFetching()
  hub.fault = faultTimes(2, isApi, { status })
  await fetch()
  expect(eventsOf(events, 'fetch_retry')).toHaveLength(2)
  expect(eventsOf(events, 'fetch_retry')[0]?.reason).toContain(`answers with status ${status}`)
})

test('a status that stays is an error that names it', async () => {
  const { hub, fetch } = await openFetching()
  hub.fault = () => ({ status: 503 })
  await expectRefusal(fetch, 'load_failed', `${NAME}: `, 'answers with status 503')
  expect(hub.requests).toHaveLength(5)
})

test('the wait that a server asks for is kept to, up to a minute', async () => {
  const { hub, events, fetch } = await openFetching()
  hub.fault = faultTimes(1, isApi, { status: 429, headers: { 'retry-after': '0.05' } })
  await fetch()
  expect(eventsOf(events, 'fetch_retry')[0]?.waitMs).toBe(50)
})

test('an endpoint that is no hub is named', async () => {
  const { hub, fetch } = await openFetching()
  hub.fault = () => ({ status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' })
  await expectRefusal(fetch, 'load_failed', 'something else than JSON', 'HF_ENDPOINT')
})

test('a hub that names no commit is refused', async () => {
  const { hub, fetch } = await openFetching()
  hub.fault = () => ({ status: 200, body: '{"sha":"../../x"}' })
  await expectRefusal(fetch, 'load_failed', 'names no commit')
})

test('a hub that cannot be reached is named, with the reason', async () => {
  const { hub, fetch } = await openFetching()
  const { host } = new URL(hub.endpoint)
  await hub.close()
  await expectRefusal(fetch, 'load_failed', `${NAME}: ${host} cannot be reached`, 'ECONNREFUSED')
})

test('an outage leaves a cached model in service, after one try', async () => {
  const { hub, repository, events, fetch } = await openFetching()
  const path = await fetch()
  hub.requests.length = 0
  hub.fault = () => ({ status: 503 })
  expect(await fetch()).toBe(path)
  expect(hub.requests).toHaveLength(1)
  expect(eventsOf(events, 'hub_failed')).toEqual([
    {
      event: 'hub_failed',
      model: NAME,
      reason: expect.stringContaining('status 503') as string,
      usedCommit: repository.commit,
    },
  ])
})

test('a token that is refused leaves a cached model in service too', async () => {
  const { hub, repository, fetch } = await openFetching()
  const path = await fetch()
  hub.repositories.set(NAME, { ...repository, token: 'new' })
  expect(await fetch({ token: 'old' })).toBe(path)
})

test('a newer commit that cannot be fetched leaves the cached one in service', async () => {
  const { hub, repository, events, fetch } = await openFetching()
  const path = await fetch()
  const weights = Buffer.alloc(5000, 7)
  const files = new Map(repository.files).set('model.safetensors', weights)
  hub.repositories.set(NAME, { ...repository, commit: commitOf('newer'), files })
  hub.fault = (request) => (isCdn(request) ? { status: 500 } : undefined)
  expect(await fetch()).toBe(path)
  expect(eventsOf(events, 'hub_failed')).toHaveLength(1)
})

test('an outage with half a snapshot is an error', async () => {
  const { hub, cache, fetch } = await openFetching()
  await fetch()
  await rm(join(cache, FOLDER, 'blobs'), { recursive: true })
  hub.fault = () => ({ status: 503 })
  await expectRefusal(fetch, 'load_failed', 'status 503')
})

test('cancelling is not an outage', async () => {
  const { hub, fetch } = await openFetching()
  await fetch()
  hub.fault = () => ({ status: 503 })
  await expectRefusal(() => fetch({ signal: AbortSignal.abort() }), 'cancelled', NAME)
})

test('the first failure of several files is the one that is told', async () => {
  const { hub, fetch } = await openFetching({ fixture: 'bert-sharded' })
  hub.fault = (request) => (isCdn(request) ? { status: 418 } : undefined)
  await expectRefusal(fetch, 'load_failed', 'status 418')
})

test('a cache that is a file is an error that names it', async () => {
  const { hub, cache, repository, fetch } = await openFetching()
  const file = await cacheRepository(join(cache, '../other'), repository)
  const folder = { path: join(file, 'config.json'), platform: false }
  await expectRefusal(() => fetch({ folders: [folder] }), 'load_failed', folder.path, 'ENOTDIR')
  expect(hub.requests.filter(isCdn)).toEqual([])
})
