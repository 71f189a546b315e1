/**
 * `node tools/bake-models.ts`, for a Dockerfile: puts the models of MODEL_NAMES into the image. `.env` then names each at
 * the commit that was fetched, so that a start asks nobody for a newer one; a MODEL_NAMES of the container still wins. With
 * CACHE_DIR, models are kept there as they lie in memory too, for processors like the one that the image is built on.
 */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Log } from '../src/base/log.ts'
import { openLog } from '../src/base/log.ts'
import type { Config, ModelRequest } from '../src/config.ts'
import { loadConfig } from '../src/config.ts'
import { messageOf } from '../src/errors.ts'
import { locateModel } from '../src/locate-model.ts'
import { openProgressBar } from '../src/model/progress-bar.ts'
import { startService } from '../src/start.ts'

export interface BakeOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Path of the `.env` file to be written. */
  readonly dotEnv: string
  readonly log: Log
}

/**
 * The MODEL_NAMES that the image serves; undefined where none is asked for. Throws what is wrong with the names, and what
 * fetching and loading throw: a model that cannot be served must fail the build.
 */
export async function bakeModels({ env, dotEnv, log }: BakeOptions): Promise<string | undefined> {
  const config = loadConfig(env, [])
  if (config.bundledModel) return undefined
  if (existsSync(dotEnv)) throw new Error(`${dotEnv} exists; it would be overwritten`)
  const names = await fetchAll(config, log)
  const baked = loadConfig({ ...env, MODEL_NAMES: names, HF_HUB_OFFLINE: '1' }, [])
  const service = await startService({ config: baked, log })
  await service.keepModels()
  await service.close()
  await writeFile(dotEnv, `MODEL_NAMES='${names}'\n`, { flag: 'wx' })
  return names
}

async function fetchAll(config: Config, log: Log): Promise<string> {
  const bar = openProgressBar(process.stderr)
  const names: string[] = []
  for (const model of config.models) {
    names.push(nameAt(model, await locateModel(model, { config, log, bar })))
  }
  bar.clear()
  return names.join(';')
}

/** An entry of MODEL_NAMES. `folder` is the source itself, or the snapshot of a commit. */
function nameAt({ source, aliases }: ModelRequest, folder: string): string {
  const pinned = folder === source ? source : `${source}@${basename(folder)}`
  return aliases.length === 0 ? pinned : `${aliases.join(',')}=${pinned}`
}

if (import.meta.main) {
  try {
    const dotEnv = fileURLToPath(new URL('../.env', import.meta.url))
    const names = await bakeModels({ env: process.env, dotEnv, log: openLog('info') })
    console.log(names === undefined ? 'MODEL_NAMES is not set: nothing to bake' : `baked ${names}`)
  } catch (error) {
    console.error(messageOf(error))
    process.exitCode = 1
  }
}
