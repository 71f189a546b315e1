/** The /app of the CPU image, put together as a build would: what its commands need must be there, and nothing more. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { assembleApp } from '../../tools/image/assemble-app.ts'
import { findFaults } from '../../tools/image/check.ts'
import { listFiles } from '../../tools/image/docker-ignore.ts'
import type { ImageContents } from '../../tools/image/image-contents.ts'
import { IMAGES, imageContents } from '../../tools/image/image-contents.ts'
import type { Platform } from '../../tools/image/prune-modules.ts'
import { pruneModules } from '../../tools/image/prune-modules.ts'
import { ROOT, runScript } from './run-handler.ts'

const HERE: Platform = { os: 'linux', cpu: process.arch === 'arm64' ? 'arm64' : 'x64' }

// The modules that are kept are those of Linux.
describe.skipIf(process.platform !== 'linux')('the CPU image', () => {
  let app: string
  let contents: readonly ImageContents[]

  beforeAll(async () => {
    app = mkdtempSync(join(tmpdir(), 'image-'))
    await assembleApp(ROOT, app)
    contents = IMAGES.map((image) => imageContents({ image, root: ROOT, app }))
    pruneModules(join(app, 'node_modules'), HERE)
  }, 180_000)

  afterAll(() => rmSync(app, { recursive: true }))

  function run(script: string, args: readonly string[] = [], env: Record<string, string> = {}) {
    return runScript(join(app, script), args, { cwd: app, env: { MODEL_NAMES: '', ...env } })
  }

  test('its program runs the job that the build warms up with', async () => {
    const { exitCode, stdout } = await run('handler.ts')
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ output: { object: 'list' } })
  })

  test('it reads tokens of cl100k_base, whose ranks are all that is left of them', async () => {
    const job = (input: unknown) => ['--test_input', JSON.stringify({ input: { input } })]
    const [tokens, text] = await Promise.all([
      run('handler.ts', job([[9906, 1917]])),
      run('handler.ts', job('Hello world')),
    ])
    const vectorOf = (stdout: string) => JSON.parse(stdout).output.data[0].embedding as number[]
    expect(vectorOf(tokens.stdout)).toEqual(vectorOf(text.stdout))
  })

  test('its warm-up fills the compile cache', async () => {
    const cache = join(app, '.cache/node')
    const { exitCode, stderr } = await run('tools/image/warm-up.ts', [], { NODE_COMPILE_CACHE: cache })
    expect(stderr).toBe('')
    expect(exitCode).toBe(0)
    const files = listFiles(cache)
    expect(new Set(files.map(({ path }) => path.split('/')[0])).size).toBe(1)
    // Without the bundle they would be hundreds.
    expect(files.length).toBeGreaterThan(20)
    expect(files.length).toBeLessThan(100)
  })

  test('the warm-up fails where the program does', async () => {
    const job = join(app, 'test_input.json')
    renameSync(job, `${job}.away`)
    const { exitCode, stderr } = await run('tools/image/warm-up.ts')
    renameSync(`${job}.away`, job)
    expect(exitCode).toBe(1)
    expect(stderr).toContain('there is no job to run')
  })

  test('a build without MODEL_NAMES bakes nothing', async () => {
    const { exitCode, stdout } = await run('tools/bake-models.ts')
    expect(exitCode).toBe(0)
    expect(stdout).toContain('nothing to bake')
  })

  test('the gateway of docker-compose.yml takes the flags that it is given there', async () => {
    const command = /command: \[node, (tools\/gateway\/main\.ts), (.*)\]/.exec(
      readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'),
    )
    const flags = (command?.[2] ?? '').split(', ').map((flag) => flag.replaceAll("'", ''))
    const { exitCode, stdout, stderr } = await run(command?.[1] ?? '', [...flags, '--help'])
    expect(stderr).toBe('')
    expect(exitCode).toBe(0)
    expect(stdout).toContain('--worker-key')
  })

  test('it has the native modules of one platform, and none that only others need', () => {
    const native = listFiles(join(app, 'node_modules')).filter(({ path }) =>
      /\.(?:node|so|so\.\d+|dll|dylib)$/.test(path),
    )
    const folder = `onnxruntime-node/bin/napi-v6/linux/${HERE.cpu}`
    const sharp = `@img/sharp-linux-${HERE.cpu}/lib/sharp-linux-${HERE.cpu}-`
    expect(native.map(({ path }) => path)).toEqual([
      expect.stringContaining(sharp),
      `${folder}/libonnxruntime.so.1`,
      `${folder}/onnxruntime_binding.node`,
      `tokenizers/tokenizers.linux-${HERE.cpu}-gnu.node`,
    ])
    for (const name of ['onnxruntime-web', '@img/sharp-wasm32', 'vitest', 'node']) {
      expect(existsSync(join(app, 'node_modules', name)), name).toBe(false)
    }
  })

  test('its modules are as large as they were counted before they were pruned', () => {
    const counted = contents.find(({ image }) => image === (HERE.cpu === 'x64' ? 'cpu, amd64' : 'cpu, arm64'))
    const files = listFiles(join(app, 'node_modules'))
    expect(counted?.parts.find(({ what }) => what.startsWith('production modules'))).toMatchObject({
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      source: `${files.length} files, counted`,
    })
  })

  test('every image keeps to its limit', () => {
    expect(contents.map(({ image }) => image)).toEqual(['cuda, amd64', 'cpu, amd64', 'cpu, arm64'])
    expect(findFaults(contents, [])).toEqual([])
  })
})
