/** What `npm run build` makes must be the program that the sources are, on all of its threads. */
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, normalize } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findBundle } from '../../src/find-bundle.js'
import { build } from '../../tools/build/build.ts'
import { ROOT, runScript } from './run-handler.ts'

let app: string
beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), 'bundle-'))
  for (const path of ['handler.ts', 'package.json', 'src'])
    cpSync(join(ROOT, path), join(app, path), { recursive: true })
  for (const path of ['node_modules', 'models']) symlinkSync(join(ROOT, path), join(app, path))
  await build(app)
  emptySources()
}, 60_000)

afterAll(() => rmSync(app, { recursive: true }))

/** As large as they were and as old: whatever is still read of them is missed. */
function emptySources(): void {
  for (const path of listSources()) {
    const file = join(app, path)
    const { size, atime, mtime } = statSync(file)
    writeFileSync(file, ' '.repeat(size))
    utimesSync(file, atime, mtime)
  }
}

function listSources(): string[] {
  const paths = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  return paths.filter((path) => path.endsWith('.ts')).map((path) => `src/${path}`)
}

test('a job that all threads work on comes to what it comes to from the sources', async () => {
  expect(findBundle(app)).toBe(join(app, 'dist/program.js'))
  // Integers are ids of cl100k_base, which have a thread of their own.
  const job = ['--test_input', JSON.stringify({ input: { input: [[9906, 1917]] } })]
  const bundled = await runScript(join(app, 'handler.ts'), job, { cwd: app })
  expect(bundled.stderr).not.toContain('Error')
  expect(bundled.exitCode).toBe(0)
  const { stdout } = await runScript(join(ROOT, 'handler.ts'), job, { cwd: ROOT })
  const vectorOf = (output: string) => JSON.parse(output).output.data[0].embedding as number[]
  expect(vectorOf(bundled.stdout)).toEqual(vectorOf(stdout))
})

test('every file that a thread or a process begins with is an entry of it', () => {
  const entries = listSources().flatMap((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8')
    const names = [...text.matchAll(/new URL\('(\.[^']+)\.ts', import\.meta\.url\)/g)]
    return names.map(([, name = '']) => normalize(join(path, '..', name)).slice('src/'.length))
  })
  expect(entries.length).toBeGreaterThan(4)
  const missing = entries.filter(
    (entry) => !existsSync(join(app, 'dist', `${entry.replaceAll('/', '-')}.js`)),
  )
  expect(missing).toEqual([])
})
