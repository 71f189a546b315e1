import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MODEL } from '../harness.ts'
import type { ServerRecipe } from './contestant.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** As `npm run serve`, on the CPU; all else as it is unless set. The model is the bundled one, from which peers' folders are made. */
export const OURS: ServerRecipe = {
  id: 'ours',
  title: 'this program',
  api: 'openai',
  versions: {
    node: process.version,
    'onnxruntime-node': versionOf('onnxruntime-node'),
    tokenizers: versionOf('tokenizers'),
  },
  names: { embed: 'embedder', rerank: 'reranker' },
  patienceMs: 60_000,
  command: (port, { reranker }) => ({
    program: process.execPath,
    args: [`${ROOT}src/door.js`, '--rp_serve_api', '--rp_api_port', String(port)],
    env: {
      MODEL_NAMES: [`embedder=${MODEL}`, ...(reranker === undefined ? [] : [`reranker=${reranker}`])].join(
        ';',
      ),
      EXECUTION_PROVIDER: 'cpu',
    },
  }),
}

export function versionOf(name: string): string {
  const path = `${ROOT}node_modules/${name}/package.json`
  if (!existsSync(path)) return 'unknown'
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}
