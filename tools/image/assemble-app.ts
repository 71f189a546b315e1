/** The image's /app in another folder, by the steps of the Dockerfile, for where no image can be built. */
import { spawnSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { listContext } from './docker-ignore.ts'
import { build } from '../build/build.ts'
import type { Platform } from './prune-modules.ts'
import { pruneModules } from './prune-modules.ts'

/**
 * Copies what `COPY . .` copies, installs the production modules beside it, makes the bundle, and prunes the modules for the
 * platform if one is given.
 */
export async function assembleApp(root: string, app: string, platform?: Platform): Promise<void> {
  for (const { path } of listContext(root)) cpSync(join(root, path), join(app, path))
  // --prefix: npm scripts that this runs under name another folder in the environment.
  const flags = [
    '--prefix',
    app,
    '--omit=dev',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
  ]
  const { status, stderr, error } = spawnSync('npm', ['ci', ...flags], { cwd: app, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm ci ended with ${status}: ${error?.message ?? stderr.slice(-2000)}`)
  await build(app)
  if (platform !== undefined) pruneModules(join(app, 'node_modules'), platform)
}
