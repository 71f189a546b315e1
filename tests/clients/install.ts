import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const HERE = import.meta.dirname
/** Written last, so that an install that was broken off is done again. */
const STAMP = join(HERE, 'node_modules/.lock-hash')

/** The clients as the lock has them; nothing to do where they are there already. */
export default function install(): void {
  const hash = createHash('sha256')
    .update(readFileSync(join(HERE, 'package-lock.json')))
    .digest('hex')
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash) return
  const { status } = spawnSync('npm', ['ci', '--prefix', HERE], { cwd: HERE, stdio: 'inherit' })
  if (status !== 0) throw new Error(`npm ci in ${HERE} ended with ${status}`)
  writeFileSync(STAMP, hash)
}
