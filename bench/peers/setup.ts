/**
 * `npm run bench:peers -- infinity|sentence-transformers`: a Python environment with the peer in pinned versions, and the models
 * that it serves. What is there already is left as it is.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statfsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { messageOf } from '../../src/errors.ts'
import { CACHE } from '../flags.ts'
import { makePeerModels } from './make-models.ts'

const PEERS = ['infinity', 'sentence-transformers'] as const
/** PyTorch for Linux comes from PyPI with all that a GPU needs. */
const NEEDED_GB = 9
const HERE = fileURLToPath(new URL('.', import.meta.url))

const USAGE = `npm run bench:peers -- ${PEERS.join('|')} [flags]
  --to DIR       where the environment goes; .cache/bench/<peer> unless told
  --models DIR   where the models go; .cache/bench/models unless told
  --python PATH  makes the environment; python3 unless told, and Infinity needs 3.9 to 3.13`

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(`${messageOf(error)}\n\n${USAGE}`)
  process.exitCode = 1
}

async function main(argv: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      to: { type: 'string' },
      models: { type: 'string', default: join(CACHE, 'models') },
      python: { type: 'string', default: 'python3' },
    },
  })
  const [name] = positionals
  const peer = PEERS.find((known) => known === name)
  if (peer === undefined || positionals.length > 1)
    throw new Error(`"${positionals.join(' ')}" is none of ${PEERS.join(', ')}`)
  const folder = resolve(values.to ?? join(CACHE, peer))
  await makeEnvironment(peer, folder, values.python)
  const models = await makePeerModels(values.models)
  if (peer !== 'infinity') return
  await exportModel(folder, models.embedder, 'feature-extraction')
  await exportModel(folder, models.reranker, 'text-classification')
}

/** pip goes on with an installation that was broken off. */
async function makeEnvironment(peer: string, folder: string, python: string): Promise<void> {
  const requirements = join(HERE, `requirements-${peer}.txt`)
  if (!existsSync(join(folder, 'bin/python'))) {
    mkdirSync(dirname(folder), { recursive: true })
    const { bavail, bsize } = statfsSync(dirname(folder))
    const freeGb = (bavail * bsize) / 1e9
    if (freeGb < NEEDED_GB)
      throw new Error(
        `${dirname(folder)} has ${freeGb.toFixed(1)} GB left; ${peer} takes up to ${NEEDED_GB} GB with PyTorch`,
      )
    await run(python, ['-m', 'venv', folder])
  }
  await run(join(folder, 'bin/python'), ['-m', 'pip', 'install', '--requirement', requirements])
}

async function exportModel(folder: string, model: string, task: string): Promise<void> {
  await run(join(folder, 'bin/python'), [join(HERE, 'export-onnx.py'), model, task], { HF_HUB_OFFLINE: '1' })
}

async function run(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}`)
}
