/** Production modules without what one platform never reads; on the real modules in tests/e2e/image.test.ts. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { listFiles } from '../../../tools/image/docker-ignore.ts'
import type { Platform } from '../../../tools/image/prune-modules.ts'
import { findSuperfluous, pruneModules } from '../../../tools/image/prune-modules.ts'
import { runScript } from '../../e2e/run-handler.ts'
import { makeFolder } from '../model/model-folder.ts'

const X64: Platform = { os: 'linux', cpu: 'x64' }
const ARM64: Platform = { os: 'linux', cpu: 'arm64' }
const SCRIPT = join(import.meta.dirname, '../../../tools/image/prune-modules.ts')

const BIN = 'onnxruntime-node/bin/napi-v6'
const KEPT = [
  'js-tiktoken/dist/lite.js',
  'js-tiktoken/dist/ranks/cl100k_base.js',
  'js-tiktoken/package.json',
  `${BIN}/linux/x64/libonnxruntime.so.1`,
  'onnxruntime-node/script/install.js',
  'tokenizers/index.js',
  'tokenizers/tokenizers.linux-x64-gnu.node',
  'zod/LICENSE',
  'zod/index.js',
]
const GONE = [
  'js-tiktoken/dist/index.cjs',
  'js-tiktoken/dist/index.js',
  'js-tiktoken/dist/ranks/o200k_base.js',
  `${BIN}/darwin/arm64/libonnxruntime.1.dylib`,
  `${BIN}/linux/arm64/libonnxruntime.so.1`,
  'tokenizers/tokenizers.darwin-x64.node',
  'tokenizers/tokenizers.linux-arm64-gnu.node',
  'tokenizers/tokenizers.linux-x64-musl.node',
  'zod/index.d.cts',
  'zod/index.js.map',
  'zod/src/index.ts',
]

async function makeModules(paths: readonly string[] = [...KEPT, ...GONE]): Promise<string> {
  const folder = await makeFolder()
  for (const path of paths) {
    mkdirSync(join(folder, dirname(path)), { recursive: true })
    writeFileSync(join(folder, path), path)
  }
  return folder
}

function pathsOf(folder: string): string[] {
  return listFiles(folder).map(({ path }) => path)
}

test('what the program reads on the platform stays, and nothing else', async () => {
  const modules = await makeModules()
  pruneModules(modules, X64)
  expect(pathsOf(modules)).toEqual(KEPT.toSorted())
})

test('the other platform keeps its own native modules', async () => {
  const modules = await makeModules()
  pruneModules(modules, ARM64)
  expect(pathsOf(modules).filter((path) => /\.node$|\.so/.test(path))).toEqual([
    `${BIN}/linux/arm64/libonnxruntime.so.1`,
    'tokenizers/tokenizers.linux-arm64-gnu.node',
  ])
})

test('to find out removes nothing', async () => {
  const modules = await makeModules()
  expect(findSuperfluous(modules, X64).length).toBeGreaterThan(0)
  expect(pathsOf(modules)).toEqual([...KEPT, ...GONE].toSorted())
})

test.each([`${BIN}/linux/x64/libonnxruntime.so.1`, 'tokenizers/tokenizers.linux-x64-gnu.node'])(
  'without %s nothing is removed, and the file is named',
  async (missing) => {
    const paths = [...KEPT, ...GONE].filter((path) => path !== missing)
    const modules = await makeModules(paths)
    const named = missing.startsWith(BIN) ? `${BIN}/linux/x64` : missing
    expect(() => pruneModules(modules, X64)).toThrow(
      `${join(modules, named)} is missing: no build for linux x64`,
    )
    expect(pathsOf(modules)).toEqual(paths.toSorted())
  },
)

test('the script prunes the folder that it is given, for the platform that it is given', async () => {
  const modules = await makeModules()
  const { exitCode, stdout } = await runScript(SCRIPT, [modules, 'linux-arm64'])
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/^removed \d+ files and folders\n$/)
  expect(pathsOf(modules)).toContain(`${BIN}/linux/arm64/libonnxruntime.so.1`)
  expect(pathsOf(modules)).not.toContain(`${BIN}/linux/x64/libonnxruntime.so.1`)
})

test.each([
  { args: [], says: 'no folder given' },
  { args: ['/nowhere/node_modules'], says: '/nowhere/node_modules' },
])('the script without a folder to prune exits with 1: $says', async ({ args, says }) => {
  const { exitCode, stderr } = await runScript(SCRIPT, args)
  expect(exitCode).toBe(1)
  expect(stderr).toContain(says)
})

test('the script refuses a platform that has no image', async () => {
  const modules = await makeModules()
  const { exitCode, stderr } = await runScript(SCRIPT, [modules, 'darwin-arm64'])
  expect(exitCode).toBe(1)
  expect(stderr).toContain('there is no image for darwin-arm64: linux-x64 or linux-arm64')
})
