/** What `.dockerignore` lets through, by BuildKit's rules. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { isCopied, listContext, readIgnoreRules } from '../../../tools/image/docker-ignore.ts'
import { findPrivate } from '../../../tools/image/image-contents.ts'
import { makeFolder } from '../model/model-folder.ts'

const ROOT = join(import.meta.dirname, '../../..')

function copied(paths: readonly string[], ...lines: string[]): string[] {
  const rules = readIgnoreRules(lines.join('\n'))
  return paths.filter((path) => isCopied(path, rules))
}

test('the last rule that matches a path or a folder above it decides', () => {
  const paths = ['a.ts', 'src/a.ts', 'src/deep/a.log', 'docs/a.md']
  expect(copied(paths, '*', '!src', '**/*.log')).toEqual(['src/a.ts'])
  expect(copied(paths, '**/*.log', '*', '!src')).toEqual(['src/a.ts', 'src/deep/a.log'])
  expect(copied(paths, 'src/deep')).toEqual(['a.ts', 'src/a.ts', 'docs/a.md'])
})

test('a star stays within one name, two stars cross folders, and none at all is a folder too', () => {
  const paths = ['.env', 'src/.env', 'src/a/.env.local', 'src/a.env']
  expect(copied(paths, '.*')).toEqual(['src/.env', 'src/a/.env.local', 'src/a.env'])
  expect(copied(paths, '**/.*')).toEqual(['src/a.env'])
  expect(copied(paths, 'src/*')).toEqual(['.env'])
  expect(copied(['src/a.ts', 'src/deep/a.ts'], 'src/*.ts')).toEqual(['src/deep/a.ts'])
  expect(copied(paths, 'src/?.env')).toEqual(['.env', 'src/.env', 'src/a/.env.local'])
})

test('comments, blank lines and slashes at the ends of a rule mean nothing', () => {
  expect(copied(['a', 'b/c', '#d'], '# a', '', '  /b/  ')).toEqual(['a', '#d'])
})

test('a folder that is left out is looked into where a rule keeps what is in it', async () => {
  const root = await makeFolder()
  mkdirSync(join(root, 'a/b/c'), { recursive: true })
  for (const path of ['.dockerignore', 'a/x', 'a/b/x', 'a/b/c/x']) writeFileSync(join(root, path), '')
  const list = (...lines: string[]) => {
    writeFileSync(join(root, '.dockerignore'), lines.join('\n'))
    return listContext(root).map(({ path }) => path)
  }
  expect(list('*', '!a/b/c')).toEqual(['a/b/c/x'])
  expect(list('*', '!**/c')).toEqual(['a/b/c/x'])
  expect(list('*', '!a', 'a/b')).toEqual(['a/x'])
})

test('a rule that would be read wrongly is refused', () => {
  expect(() => readIgnoreRules('src/[ab].ts')).toThrow('src/[ab].ts has a [')
})

test('what lies in a checkout beside the program is not copied, whatever folder it is in', async () => {
  const root = await makeFolder()
  const rules = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
  const copies = ['.npmrc', 'handler.ts', 'package.json', 'src/a.ts', 'tools/image/warm-up.ts']
  const others = [
    '.env',
    '.git/config',
    'src/.env.production',
    'src/.DS_Store',
    'src/npm-debug.log',
    'models/mine/model.safetensors',
    'tests/a.test.ts',
    'bench/results/a.json',
    'node_modules/a/index.js',
    'tools/node_modules/a/index.js',
    'README.md',
    'id_rsa',
  ]
  for (const path of [...copies, ...others]) {
    mkdirSync(join(root, dirname(path)), { recursive: true })
    writeFileSync(join(root, path), path)
  }
  writeFileSync(join(root, '.dockerignore'), rules)
  expect(listContext(root)).toEqual(copies.map((path) => ({ path, bytes: path.length })))
})

test('what this checkout would give has nothing private in it, and only files that are in the repository', () => {
  const files = listContext(ROOT)
  expect(findPrivate(files)).toEqual([])
  expect(files.map(({ path }) => path)).toContain('models/all-MiniLM-L6-v2-int8/model.safetensors')
  const ignored = execFileSync(
    'git',
    [
      'ls-files',
      '--others',
      '--ignored',
      '--exclude-standard',
      '-z',
      '--',
      ':(exclude,glob)**/node_modules/**',
    ],
    {
      cwd: ROOT,
      encoding: 'utf8',
    },
  ).split('\0')
  expect(files.filter(({ path }) => ignored.includes(path))).toEqual([])
})

test('private files are recognised by folder and by name', () => {
  const paths = [
    'src/.env',
    'src/a.pem',
    'tests/a.ts',
    'src/tests.ts',
    'src/bench/a',
    'src/.envoy/a',
    'src/log.ts',
    'a.log',
  ]
  expect(findPrivate(paths.map((path) => ({ path, bytes: 1 })))).toEqual([
    'src/.env',
    'src/a.pem',
    'tests/a.ts',
    'src/bench/a',
    'src/.envoy/a',
    'a.log',
  ])
})
