/**
 * `node tools/image/warm-up.ts [uid …]`, for the Dockerfile: fills the compile cache of the main thread and of every worker
 * thread, and proves that the image works. Node keeps a cache for each user, so it is done as each of them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const APP = join(import.meta.dirname, '../..')
const NOBODY = 'http://127.0.0.1:9'
/** A queue that answers nobody. The placeholders are the worker's to fill. */
const QUEUE = {
  MODEL_NAMES: 'models/all-MiniLM-L6-v2-int8',
  PORT: '0',
  RUNPOD_WEBHOOK_GET_JOB: `${NOBODY}/job-take/$ID`,
  RUNPOD_WEBHOOK_POST_OUTPUT: `${NOBODY}/job-done/$ID`,
  RUNPOD_WEBHOOK_PING: `${NOBODY}/ping`,
  RUNPOD_AI_API_KEY: 'none',
  RUNPOD_POD_ID: 'warm-up',
}

/** One job, then a queue worker until it is ready, each in a process of its own. Throws where one fails. */
export async function warmUp(app: string, uid?: number): Promise<void> {
  await runHandler({ app, uid, env: {} })
  await runHandler({ app, uid, env: QUEUE, until: '"message":"ready"' })
}

interface Run {
  readonly app: string
  readonly uid: number | undefined
  readonly env: Readonly<Record<string, string>>
  /** It is asked to end once it has written this. */
  readonly until?: string
}

async function runHandler({ app, uid, env, until }: Run): Promise<void> {
  const { NODE_ENV, NODE_COMPILE_CACHE, PATH } = process.env
  const child = spawn(process.execPath, ['handler.ts'], {
    cwd: app,
    env: { NODE_ENV, NODE_COMPILE_CACHE, PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  let output = ''
  let isAsked = false
  const read = (data: Buffer) => {
    output += data.toString()
    if (isAsked || until === undefined || !output.includes(until)) return
    // Once: the second signal would be taken for impatience.
    isAsked = true
    child.kill('SIGTERM')
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  const [code] = await once(child, 'close')
  const isDone = code === 0 && isAsked === (until !== undefined)
  if (!isDone) throw new Error(`node handler.ts as user ${uid ?? 'unchanged'} ended with ${code}:\n${output}`)
}

if (import.meta.main) {
  const users = process.argv.slice(2).map(Number)
  for (const uid of users.length === 0 ? [undefined] : users) await warmUp(APP, uid)
}
