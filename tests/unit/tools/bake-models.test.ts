/** Models put into an image while it is built, from a hub on loopback. */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { LogEvent } from '../../../src/base/log.ts'
import { loadConfig, readDotEnv } from '../../../src/config.ts'
import { startService } from '../../../src/start.ts'
import { bakeModels } from '../../../tools/bake-models.ts'
import { openHub, repositoryOf } from '../../fakes/hub.ts'
import { fixturePath, makeFolder } from '../model/model-folder.ts'

const RERANKER = fixturePath('bert-cross-encoder')

async function openBuild(names: string) {
  const repository = await repositoryOf(fixturePath('bert-mean-normalize'))
  const hub = await openHub({ 'org/embedder': repository })
  onTestFinished(() => hub.close())
  const folder = await makeFolder()
  const dotEnv = join(folder, '.env')
  const env = { MODEL_NAMES: names, HF_HOME: folder, HF_ENDPOINT: hub.endpoint }
  return { hub, repository, dotEnv, env, bake: () => bakeModels({ env, dotEnv, log: () => {} }) }
}

test('a container serves the baked models under all their names, and asks no hub', async () => {
  const { hub, env, dotEnv, bake } = await openBuild(`small,tiny=org/embedder;rerank=${RERANKER}`)
  await bake()
  expect(hub.requests.length).toBeGreaterThan(0)
  hub.requests.length = 0
  const { MODEL_NAMES: _, ...others } = env
  const config = loadConfig({ ...readDotEnv(await readFile(dotEnv, 'utf8')), ...others, PORT: '0' }, [])
  const { engine, close } = await startService({ config, log: () => {} })
  onTestFinished(close)
  expect(engine.models().map(({ id, aliases }) => [id, ...aliases])).toEqual([
    ['small', 'tiny', 'org/embedder'],
    ['rerank'],
  ])
  expect(hub.requests).toEqual([])
})

test('a branch is pinned to the commit that was fetched', async () => {
  const { repository, dotEnv, bake } = await openBuild('org/embedder@main')
  expect(await bake()).toBe(`org/embedder@${repository.commit}`)
  expect(await readFile(dotEnv, 'utf8')).toBe(`MODEL_NAMES='org/embedder@${repository.commit}'\n`)
})

test('with CACHE_DIR a container finds the models as they lie in memory', async () => {
  const { env, dotEnv } = await openBuild('org/embedder')
  const cached = { ...env, CACHE_DIR: await makeFolder() }
  await bakeModels({ env: cached, dotEnv, log: () => {} })
  const { MODEL_NAMES: _, ...others } = cached
  const config = loadConfig({ ...readDotEnv(await readFile(dotEnv, 'utf8')), ...others, PORT: '0' }, [])
  const events: LogEvent[] = []
  const { close } = await startService({ config, log: (_level, event) => void events.push(event) })
  onTestFinished(close)
  expect(events.filter(({ event }) => event === 'model_loaded')).toMatchObject([{ prepacked: true }])
})

test('without names nothing is written', async () => {
  const { dotEnv, bake } = await openBuild(' ')
  expect(await bake()).toBeUndefined()
  expect(existsSync(dotEnv)).toBe(false)
})

test('a model that cannot be loaded fails the build and leaves no .env', async () => {
  const { hub, dotEnv, bake } = await openBuild('org/embedder')
  const repository = await repositoryOf(fixturePath('bert-mean-normalize'))
  const config = Buffer.from(JSON.stringify({ model_type: 'mamba' }))
  const files = new Map([...repository.files, ['config.json', config]])
  hub.repositories.set('org/embedder', { ...repository, files })
  await expect(bake()).rejects.toThrow('mamba')
  expect(existsSync(dotEnv)).toBe(false)
})

test("somebody's .env is not overwritten, and nothing is fetched", async () => {
  const { hub, dotEnv, bake } = await openBuild('org/embedder')
  await writeFile(dotEnv, 'API_KEY=mine\n')
  await expect(bake()).rejects.toThrow(`${dotEnv} exists`)
  expect(await readFile(dotEnv, 'utf8')).toBe('API_KEY=mine\n')
  expect(hub.requests).toEqual([])
})
