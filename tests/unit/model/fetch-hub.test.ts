import { lstat, readFile, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Progress } from '../../../src/model/fetch-hub.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { ModelSpec } from '../../../src/model/spec.ts'
import { commitOf, etagOf, repositoryOf } from '../../fakes/hub.ts'
import { expectRefusal } from './expect-refusal.ts'
import { FOLDER, NAME, eventsOf, faultTimes, isCdn, openFetching, readTree } from './fetching.ts'
import { copyFixture, fixturePath } from './model-folder.ts'

const WEIGHTS = 'model.safetensors'

test('a fetched model lies in the layout that other programs share', async () => {
  const { cache, repository, fetch } = await openFetching()
  const path = await fetch()
  const { commit, files } = repository
  expect(path).toBe(join(cache, FOLDER, 'snapshots', commit))
  expect(await readFile(join(cache, FOLDER, 'refs/main'), 'utf8')).toBe(commit)
  for (const file of [WEIGHTS, '1_Pooling/config.json']) {
    const bytes = files.get(file) as Uint8Array
    const up = file.includes('/') ? '../../..' : '../..'
    expect(await readlink(join(path, file))).toBe(`${up}/blobs/${etagOf(file, bytes)}`)
    expect(await readFile(join(path, file))).toEqual(bytes)
  }
  expect((await readdir(join(cache, FOLDER, 'blobs'))).filter((name) => name.includes('.'))).toEqual([])
})

const OLDER = await readdir(join(fixturePath('repositories/x'), '../..'))
const FIXTURES = [
  ...(await readdir(join(fixturePath('x'), '../..'))),
  ...OLDER.map((name) => `repositories/${name}`),
]

test.each(FIXTURES)('the model of %s opens as if its whole folder had been fetched', async (fixture) => {
  const { fetch } = await openFetching({ fixture })
  const fetched = await openFolder(await fetch(), 'model')
  expect(withoutPaths(fetched)).toEqual(withoutPaths(await openFolder(fixturePath(fixture), 'model')))
})

function withoutPaths(spec: ModelSpec): unknown {
  return JSON.parse(JSON.stringify(spec, (key, value: unknown) => (key === 'file' ? undefined : value)))
}

test('files that are not read are not fetched', async () => {
  const { repository, fetch } = await openFetching()
  const others = [
    'onnx/model.onnx',
    'openvino/openvino_model.bin',
    'pytorch_model.bin',
    'tf_model.h5',
    'flax_model.msgpack',
    'model-q8.gguf',
    'other.safetensors',
    'README.md',
    'onnx/config.json',
  ]
  const files = repository.files as Map<string, Uint8Array>
  for (const path of others) files.set(path, Buffer.from(path))
  const fetched = Object.keys(await readTree(await fetch()))
  expect(fetched).toContain(WEIGHTS)
  expect(fetched.filter((path) => others.includes(path))).toEqual([])
})

test('a model with weights in another format only is refused before anything large is fetched', async () => {
  const { hub, repository, fetch } = await openFetching()
  const files = repository.files as Map<string, Uint8Array>
  files.set('tf_model.h5', files.get(WEIGHTS) as Uint8Array)
  files.delete(WEIGHTS)
  await expectRefusal(fetch, 'model_unsupported', `${NAME}: the weights are in tf_model.h5 only`)
  expect(hub.requests.filter(isCdn)).toEqual([])
})

test('an adapter is refused before anything large is fetched, even beside whole weights', async () => {
  const { hub, repository, fetch } = await openFetching()
  const files = repository.files as Map<string, Uint8Array>
  files.set('adapter_config.json', Buffer.from('{"base_model_name_or_path": "org/base"}'))
  await expectRefusal(fetch, 'model_unsupported', NAME, 'adapter_config.json', 'adapter to "org/base"')
  expect(hub.requests.filter(isCdn)).toEqual([])
})

test('a repository with an adapter alone is refused by the name of its base, though it has no config.json', async () => {
  const { repository, fetch } = await openFetching()
  const files = repository.files as Map<string, Uint8Array>
  for (const path of ['config.json', WEIGHTS, 'modules.json', 'tokenizer.json']) files.delete(path)
  files.set('adapter_config.json', Buffer.from('{"base_model_name_or_path": "org/base"}'))
  files.set('adapter_model.safetensors', Buffer.from('x'))
  await expectRefusal(fetch, 'model_unsupported', NAME, 'adapter to "org/base"', 'merged')
})

test('adapters of tasks are fetched with their settings, and nothing else of their folders', async () => {
  const { repository, fetch } = await openFetching({ fixture: 'jina_flash/jina-v3-folders' })
  const files = repository.files as Map<string, Uint8Array>
  files.set('separation/README.md', Buffer.from('x'))
  const fetched = Object.keys(await readTree(await fetch()))
  const folders = ['retrieval_query', 'retrieval_passage', 'separation', 'classification', 'text_matching']
  for (const folder of folders)
    for (const file of ['adapter_config.json', 'adapter_model.safetensors'])
      expect(fetched).toContain(`${folder}/${file}`)
  expect(fetched).not.toContain('separation/README.md')
})

test('of an older repository the checkpoint and the vocabulary are fetched', async () => {
  const { repository, fetch } = await openFetching({ fixture: 'repositories/torch-checkpoint' })
  const files = repository.files as Map<string, Uint8Array>
  files.set('tf_model.h5', Buffer.from('x'))
  const fetched = Object.keys(await readTree(await fetch()))
  expect(fetched).toEqual(
    expect.arrayContaining(['pytorch_model.bin', 'vocab.txt', '2_Dense/pytorch_model.bin']),
  )
  expect(fetched).not.toContain('tf_model.h5')
})

test.each(['config.json', 'tokenizer.json', '1_Pooling/config.json'])(
  'a model without %s is refused before anything large is fetched',
  async (path) => {
    const { hub, repository, fetch } = await openFetching()
    ;(repository.files as Map<string, Uint8Array>).delete(path)
    await expectRefusal(fetch, 'model_invalid', `${NAME}: ${path} is missing`)
    expect(hub.requests.filter(isCdn)).toEqual([])
  },
)

test('a second start asks for the commit only', async () => {
  const { hub, repository, events, fetch } = await openFetching()
  const path = await fetch()
  hub.requests.length = 0
  expect(await fetch()).toBe(path)
  expect(hub.requests.map((request) => request.path)).toEqual([
    expect.stringContaining('/api/models/org/model/revision/main?'),
  ])
  expect(eventsOf(events, 'model_cached')).toEqual([
    { event: 'model_cached', model: NAME, commit: repository.commit, folder: path },
  ])
})

test('a branch that has moved on is fetched again, but for what is the same', async () => {
  const { hub, cache, repository, fetch } = await openFetching()
  const old = await fetch()
  const moved = {
    ...repository,
    commit: commitOf('moved'),
    files: new Map(repository.files).set('config.json', Buffer.from('{"model_type":"bert"}')),
  }
  hub.repositories.set(NAME, moved)
  hub.requests.length = 0
  const path = await fetch()
  expect(path).toBe(join(cache, FOLDER, 'snapshots', moved.commit))
  expect(await readFile(join(cache, FOLDER, 'refs/main'), 'utf8')).toBe(moved.commit)
  expect(await readFile(join(path, 'config.json'), 'utf8')).toBe('{"model_type":"bert"}')
  expect(await readFile(join(old, 'config.json'))).toEqual(repository.files.get('config.json'))
  expect(hub.requests.filter(({ path }) => path.includes('/resolve/'))).toHaveLength(1)
})

test('a branch with a slash in its name, and a tag, keep their references apart', async () => {
  const { cache, repository, fetch } = await openFetching({ branches: ['refs/pr/1', 'v1.0'] })
  await fetch({ revision: 'refs/pr/1' })
  await fetch({ revision: 'v1.0' })
  for (const revision of ['refs/pr/1', 'v1.0']) {
    expect(await readFile(join(cache, FOLDER, 'refs', revision), 'utf8')).toBe(repository.commit)
  }
})

test('a commit is fetched without a reference, and asks for nothing once it is there', async () => {
  const { hub, cache, repository, fetch } = await openFetching()
  const path = await fetch({ revision: repository.commit })
  await expect(lstat(join(cache, FOLDER, 'refs'))).rejects.toThrow('ENOENT')
  hub.requests.length = 0
  expect(await fetch({ revision: repository.commit })).toBe(path)
  expect(hub.requests).toEqual([])
})

test('a snapshot that lacks a file is completed', async () => {
  const { hub, fetch } = await openFetching()
  const path = await fetch()
  await rm(await readlinkOf(path, 'tokenizer_config.json'))
  hub.requests.length = 0
  expect(await fetch()).toBe(path)
  expect((await stat(join(path, 'tokenizer_config.json'))).size).toBeGreaterThan(0)
  expect(hub.requests.filter(({ path }) => path.includes('/resolve/'))).toHaveLength(1)
})

async function readlinkOf(folder: string, file: string): Promise<string> {
  return join(folder, await readlink(join(folder, file)))
}

test('a blob that has been cut short is fetched anew', async () => {
  const { repository, fetch } = await openFetching()
  const path = await fetch()
  await writeFile(await readlinkOf(path, WEIGHTS), 'short')
  // the link to it is what a start looks at: without it the blob is asked
  await rm(join(path, WEIGHTS))
  await fetch()
  expect(await readFile(join(path, WEIGHTS))).toEqual(repository.files.get(WEIGHTS))
})

test('a listing of several pages is read to its end', async () => {
  const { hub, fetch } = await openFetching()
  hub.pageSize = 2
  await openFolder(await fetch(), 'model')
  expect(hub.requests.filter(({ path }) => path.includes('/tree/')).length).toBeGreaterThan(3)
})

test('files with the same content share a blob', async () => {
  const { hub, repository, events, fetch } = await openFetching({ fixture: 'bert-dense-chain' })
  const files = repository.files as Map<string, Uint8Array>
  const dense = [...files.keys()].filter((path) => /Dense\/model\.safetensors/.test(path))
  expect(dense.length).toBeGreaterThan(1)
  for (const path of dense) files.set(path, files.get(dense[0] as string) as Uint8Array)
  const path = await fetch()
  for (const file of dense) expect(await readFile(join(path, file))).toEqual(files.get(file))
  expect(hub.requests.filter(isCdn).length).toBe(2)
  expect(eventsOf(events, 'fetch_waiting')).toEqual([])
})

test('the token goes to the hub, and to no other host', async () => {
  const { hub, fetch } = await openFetching({ token: 'secret' })
  await fetch({ token: 'secret' })
  const by = (host: string) => hub.requests.filter((request) => request.host === host)
  expect(by('cdn').length).toBeGreaterThan(0)
  expect(by('cdn').map(({ authorization }) => authorization)).toEqual(by('cdn').map(() => undefined))
  expect(by('hub').map(({ authorization }) => authorization)).toEqual(by('hub').map(() => 'Bearer secret'))
})

test('a listing whose next page is elsewhere does not get the token', async () => {
  const { hub, repository, fetch } = await openFetching()
  const other = await openFetching()
  const next = `${other.hub.endpoint}/api/models/${NAME}/tree/${repository.commit}`
  hub.fault = faultTimes(1, ({ path }) => path.includes('/tree/'), {
    status: 200,
    headers: { link: `<${next}>; rel="next"`, 'content-type': 'application/json' },
    body: '[]',
  })
  await fetch({ token: 'secret' })
  expect(other.hub.requests.map(({ authorization }) => authorization)).toEqual([undefined])
})

test('an endpoint may end with a slash', async () => {
  const { hub, fetch } = await openFetching()
  await fetch({ endpoint: `${hub.endpoint}/` })
  expect(hub.requests.every(({ path }) => !path.startsWith('//'))).toBe(true)
})

test('a model without an organisation is fetched', async () => {
  const { hub, cache, repository, fetch } = await openFetching()
  hub.repositories.set('bare', repository)
  expect(await fetch({ name: 'bare' })).toBe(join(cache, 'models--bare/snapshots', repository.commit))
})

test('a mirror that names no files in its answer about a revision does as well', async () => {
  const { hub, repository, fetch } = await openFetching()
  hub.fault = ({ path }) =>
    path.includes('/revision/')
      ? { status: 200, body: JSON.stringify({ sha: repository.commit }) }
      : undefined
  const path = await fetch()
  hub.requests.length = 0
  expect(await fetch()).toBe(path)
  expect(hub.requests).toHaveLength(1)
})

test.each([
  '../outside/config.json',
  '/etc/config.json',
  'a/../../config.json',
  'a\\..\\config.json',
  'C:/config.json',
  'a//config.json',
])('a listing with the file %s is refused', async (path) => {
  const { cache, repository, fetch } = await openFetching()
  ;(repository.files as Map<string, Uint8Array>).set(path, Buffer.from('{}'))
  await expectRefusal(fetch, 'model_invalid', NAME, JSON.stringify(path), 'outside its folder')
  await expect(readdir(cache)).rejects.toThrow('ENOENT')
})

test('a listing with a hash that is a path is refused', async () => {
  const { hub, fetch } = await openFetching()
  const entry = { type: 'file', path: 'config.json', size: 2, oid: '../../../../etc/passwd' }
  hub.fault = ({ path }) =>
    path.includes('/tree/') ? { status: 200, body: JSON.stringify([entry]) } : undefined
  await expectRefusal(fetch, 'load_failed', NAME, 'config.json without a hash')
})

test('modules.json cannot name a folder outside', async () => {
  const modules = [{ idx: 0, name: '0', path: '../x', type: 'sentence_transformers.models.Transformer' }]
  const folder = await copyFixture('bert-mean-normalize', { 'modules.json': modules })
  const { hub, fetch } = await openFetching()
  hub.repositories.set(NAME, await repositoryOf(folder))
  await expectRefusal(fetch, 'model_invalid', `${NAME}: ../x/config.json is missing`)
})

test('a Transformer in a folder of its own is fetched from there', async () => {
  const folder = await copyFixture('bert-no-modules')
  const plain = await repositoryOf(folder)
  const files = new Map([...plain.files].map(([path, bytes]) => [`0_Transformer/${path}`, bytes]))
  files.set(
    'modules.json',
    Buffer.from(
      JSON.stringify([{ path: '0_Transformer', type: 'sentence_transformers.models.Transformer' }]),
    ),
  )
  const { hub, fetch } = await openFetching()
  hub.repositories.set(NAME, { commit: commitOf('own'), files })
  expect((await openFolder(await fetch(), 'model')).modelType).toBe('bert')
})

test('a folder whose name means something in an address is fetched', async () => {
  const name = '1 Pooling#?%41é'
  const { repository, fetch } = await openFetching()
  const files = repository.files as Map<string, Uint8Array>
  const modules = Buffer.from(files.get('modules.json') as Uint8Array).toString()
  files.set('modules.json', Buffer.from(modules.replace('1_Pooling', name)))
  files.set(`${name}/config.json`, files.get('1_Pooling/config.json') as Uint8Array)
  expect((await openFolder(await fetch(), 'model')).head.kind).toBe('embedding')
})

test('a weight index that names a shard which is not there is refused before any shard is fetched', async () => {
  const { hub, repository, fetch } = await openFetching({ fixture: 'bert-sharded' })
  const shard = 'model-00002-of-00003.safetensors'
  ;(repository.files as Map<string, Uint8Array>).delete(shard)
  await expectRefusal(fetch, 'model_invalid', `${NAME}: ${shard} is missing`)
  expect(hub.requests.filter(isCdn)).toEqual([])
})

test('a modules.json that is broken is refused by its name', async () => {
  const { repository, fetch } = await openFetching()
  ;(repository.files as Map<string, Uint8Array>).set('modules.json', Buffer.from('{'))
  await expectRefusal(fetch, 'model_invalid', `${NAME}/modules.json is not JSON`)
})

test('a cancelled fetch ends with what it has kept for the next', async () => {
  const { hub, repository, fetch } = await openFetching()
  const controller = new AbortController()
  let nowMs = 0
  const weights = repository.files.get(WEIGHTS)?.length ?? 0
  hub.fault = ({ host }) => (host === 'cdn' ? { stallAfterBytes: 10_000 } : undefined)
  const stalling = {
    signal: controller.signal,
    now: () => (nowMs += 1000),
    onProgress: ({ doneBytes, totalBytes }: Progress) => {
      if (doneBytes === totalBytes - weights + 10_000) controller.abort()
    },
  }
  await expectRefusal(() => fetch(stalling), 'cancelled', NAME)
  hub.fault = () => undefined
  hub.requests.length = 0
  expect(await readFile(join(await fetch(), WEIGHTS))).toEqual(repository.files.get(WEIGHTS))
  expect(hub.requests.filter(isCdn).map(({ range }) => range)).toEqual(['bytes=10000-'])
})

test('progress is told in bytes, from what is to be fetched to all of it', async () => {
  const seen: { model: string; doneBytes: number; totalBytes: number }[] = []
  const { events, fetch } = await openFetching()
  await fetch({ onProgress: (progress) => seen.push(progress) })
  const [begun] = eventsOf(events, 'model_fetching')
  const totalBytes = begun?.totalBytes ?? 0
  expect(begun).toMatchObject({ model: NAME, files: expect.any(Number) as number })
  expect(totalBytes).toBeGreaterThan(10_000)
  expect(seen[0]).toEqual({ model: NAME, doneBytes: 0, totalBytes })
  expect(seen.at(-1)).toEqual({ model: NAME, doneBytes: totalBytes, totalBytes })
  expect(eventsOf(events, 'model_fetched')).toMatchObject([{ model: NAME, bytes: totalBytes }])
})
