import { mkdir, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hubFolders } from '../../../src/model/fetch-hub.ts'
import { commitOf } from '../../fakes/hub.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Fetching } from './fetching.ts'
import { FOLDER, NAME, cacheRepository, openFetching, without } from './fetching.ts'

const STANDARD = join(homedir(), '.cache/huggingface/hub')
const RUNPOD = '/runpod-volume/huggingface-cache/hub'

test('caches are looked through in the order own, platform, standard', () => {
  expect(hubFolders('/data').map(({ path }) => path)).toEqual(['/data/hub', RUNPOD, STANDARD])
  expect(hubFolders(undefined).map(({ path }) => path)).toEqual([STANDARD, RUNPOD])
  expect(hubFolders('/data').map(({ platform }) => platform)).toEqual([false, true, false])
})

test("the platform's cache is an ordinary one for whoever sets HF_HOME to it", () => {
  expect(hubFolders('/runpod-volume/huggingface-cache')[0]).toEqual({ path: RUNPOD, platform: false })
  expect(hubFolders('/runpod-volume/huggingface-cache')).toHaveLength(2)
})

/** Two more caches beside the own one: the platform's and the standard one. */
async function openCaches(): Promise<Fetching & { platform: string; standard: string }> {
  const fetching = await openFetching()
  const platform = join(fetching.cache, '../platform')
  const standard = join(fetching.cache, '../standard')
  const folders = [
    { path: fetching.cache, platform: false },
    { path: platform, platform: true },
    { path: standard, platform: false },
  ] as const
  return {
    ...fetching,
    platform,
    standard,
    fetch: (options = {}) => fetching.fetch({ folders, ...options }),
  }
}

test("the platform's model is used without a request", async () => {
  const { hub, platform, repository, fetch } = await openCaches()
  const path = await cacheRepository(platform, repository)
  expect(await fetch()).toBe(path)
  expect(hub.requests).toEqual([])
})

test("the platform's model comes before an own one that may be outdated", async () => {
  const { hub, cache, platform, repository, fetch } = await openCaches()
  await cacheRepository(cache, { ...repository, commit: commitOf('own') })
  const path = await cacheRepository(platform, repository)
  expect(await fetch()).toBe(path)
  expect(hub.requests).toEqual([])
})

test('without references the only snapshot is meant', async () => {
  const { platform, repository, fetch } = await openCaches()
  const path = await cacheRepository(platform, repository, { refs: [] })
  expect(await fetch()).toBe(path)
})

test('without references and with two snapshots none is meant', async () => {
  const { platform, repository, fetch } = await openCaches()
  await cacheRepository(platform, repository, { refs: [] })
  await cacheRepository(platform, { ...repository, commit: commitOf('second') }, { refs: [] })
  await expectRefusal(() => fetch({ offline: true }), 'load_failed', 'HF_HUB_OFFLINE')
})

test('the only snapshot does not stand for a revision that is named', async () => {
  const { platform, repository, fetch } = await openCaches()
  await cacheRepository(platform, repository, { refs: [] })
  await expectRefusal(() => fetch({ offline: true, revision: 'v2' }), 'load_failed', 'HF_HUB_OFFLINE')
})

test('a reference to another branch hides the only snapshot', async () => {
  const { platform, repository, fetch } = await openCaches()
  await cacheRepository(platform, repository, { refs: ['v2'] })
  await expectRefusal(() => fetch({ offline: true }), 'load_failed', 'HF_HUB_OFFLINE')
  expect(await fetch({ offline: true, revision: 'v2' })).toContain(repository.commit)
})

test('a reference may end with a line break; one that is a path leads nowhere', async () => {
  const { platform, repository, fetch } = await openCaches()
  const path = await cacheRepository(platform, repository)
  await writeFile(join(platform, FOLDER, 'refs/main'), `${repository.commit}\n`)
  expect(await fetch({ offline: true })).toBe(path)
  await writeFile(join(platform, FOLDER, 'refs/main'), `../snapshots/${repository.commit}`)
  await expectRefusal(() => fetch({ offline: true }), 'load_failed', 'HF_HUB_OFFLINE')
})

test.each(['model.safetensors', 'config.json', 'tokenizer.json', '1_Pooling/config.json'])(
  "the platform's model without %s is not used",
  async (file) => {
    const { cache, platform, repository, fetch } = await openCaches()
    await cacheRepository(platform, repository, { only: without(repository, file) })
    expect(await fetch()).toBe(join(cache, FOLDER, 'snapshots', repository.commit))
  },
)

test('a snapshot whose modules.json is broken is not used', async () => {
  const { cache, platform, repository, fetch } = await openCaches()
  const path = await cacheRepository(platform, repository)
  await rm(join(path, 'modules.json'))
  await writeFile(join(path, 'modules.json'), '{')
  expect(await fetch()).toBe(join(cache, FOLDER, 'snapshots', repository.commit))
})

test('a file that is optional is missed where Python has left the listing', async () => {
  const { platform, repository, fetch } = await openCaches()
  await cacheRepository(platform, repository, { only: without(repository, 'tokenizer_config.json') })
  expect(await fetch({ offline: true })).toContain(repository.commit)
  const files = Object.fromEntries([...repository.files.keys()].map((path) => [path, { size: 1 }]))
  await mkdir(join(platform, FOLDER, 'trees'))
  const tree = join(platform, FOLDER, 'trees', `${repository.commit}.json`)
  await writeFile(tree, JSON.stringify({ format_version: 1, files }))
  await expectRefusal(() => fetch({ offline: true }), 'load_failed', 'lacks tokenizer_config.json')
  await writeFile(tree, JSON.stringify({ format_version: 2, files }))
  expect(await fetch({ offline: true })).toContain(repository.commit)
})

test('a link whose blob is gone is a missing file', async () => {
  const { platform, repository, fetch } = await openCaches()
  await cacheRepository(platform, repository)
  await rm(join(platform, FOLDER, 'blobs'), { recursive: true })
  await expectRefusal(() => fetch({ offline: true }), 'load_failed', 'lacks')
})

test('a shard that is missing makes a snapshot incomplete', async () => {
  const { cache, repository, fetch } = await openFetching({ fixture: 'bert-sharded' })
  const shard = 'model-00002-of-00003.safetensors'
  await cacheRepository(cache, repository, { only: without(repository, shard) })
  await expectRefusal(() => fetch({ offline: true }), 'load_failed', `lacks ${shard}`)
})

test('offline, whichever cache has the model serves it, without a request', async () => {
  const { hub, standard, repository, fetch } = await openCaches()
  const path = await cacheRepository(standard, repository)
  expect(await fetch({ offline: true })).toBe(path)
  expect(hub.requests).toEqual([])
})

test('offline, the first of the caches is used', async () => {
  const { cache, standard, repository, fetch } = await openCaches()
  await cacheRepository(standard, { ...repository, commit: commitOf('standard') })
  const path = await cacheRepository(cache, repository)
  expect(await fetch({ offline: true })).toBe(path)
})

test('offline and nowhere cached, the folders looked in are named', async () => {
  const { hub, cache, platform, standard, fetch } = await openCaches()
  const what = [`${NAME}: it is not in`, cache, platform, standard, 'HF_HUB_OFFLINE']
  await expectRefusal(() => fetch({ offline: true }), 'load_failed', ...what)
  expect(hub.requests).toEqual([])
})

test('a commit in any cache is used without a request', async () => {
  const { hub, standard, repository, fetch } = await openCaches()
  const path = await cacheRepository(standard, repository, { refs: [] })
  expect(await fetch({ revision: repository.commit })).toBe(path)
  expect(hub.requests).toEqual([])
})

test('what another cache has of the newest commit is not fetched again', async () => {
  const { hub, standard, repository, fetch } = await openCaches()
  const path = await cacheRepository(standard, repository, { refs: [] })
  await cacheRepository(standard, { ...repository, commit: commitOf('older') })
  expect(await fetch()).toBe(path)
  expect(hub.requests).toHaveLength(1)
})
