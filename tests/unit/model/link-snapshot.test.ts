import type * as fs from 'node:fs/promises'
import { lstat, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { linkSnapshot, writeReference } from '../../../src/model/link-snapshot.ts'
import { commitOf } from '../../fakes/hub.ts'
import { makeFolder } from './model-folder.ts'

const disk = vi.hoisted(() => ({ hasLinks: true, renamed: [] as string[] }))
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>()
  const symlink = async (target: string, path: string) => {
    if (!disk.hasLinks) throw Object.assign(new Error('EPERM: no links, symlink'), { code: 'EPERM' })
    await real.symlink(target, path)
  }
  const rename = async (from: string, to: string) => {
    disk.renamed.push(to)
    await real.rename(from, to)
  }
  return { ...real, symlink, rename }
})

afterEach(() => {
  disk.hasLinks = true
  disk.renamed.length = 0
})

const COMMIT = commitOf('linked')
const FILES = [
  { path: 'model.safetensors', size: 7, etag: 'a'.repeat(64) },
  { path: '1_Pooling/config.json', size: 2, etag: 'b'.repeat(40) },
]

async function openModel(): Promise<string> {
  const folder = await makeFolder()
  await mkdir(join(folder, 'blobs'))
  await writeFile(join(folder, 'blobs', 'a'.repeat(64)), 'weights')
  await writeFile(join(folder, 'blobs', 'b'.repeat(40)), '{}')
  return folder
}

test('where there are no symbolic links a snapshot is of copies', async () => {
  disk.hasLinks = false
  const folder = await openModel()
  const snapshot = await linkSnapshot(folder, COMMIT, FILES)
  expect((await lstat(join(snapshot, 'model.safetensors'))).isFile()).toBe(true)
  expect(await readFile(join(snapshot, 'model.safetensors'), 'utf8')).toBe('weights')
  expect(await readFile(join(snapshot, '1_Pooling/config.json'), 'utf8')).toBe('{}')
  expect(await readdir(snapshot)).toEqual(['1_Pooling', 'model.safetensors'])
})

test('an exported model is linked behind its data', async () => {
  const folder = await openModel()
  const files = [
    { path: 'onnx/model.onnx', size: 7, etag: 'a'.repeat(64) },
    { path: 'onnx/model.onnx_data', size: 2, etag: 'b'.repeat(40) },
  ]
  await linkSnapshot(folder, COMMIT, files)
  expect(disk.renamed.map((path) => path.slice(path.indexOf(COMMIT) + 41))).toEqual([
    'onnx/model.onnx_data',
    'onnx/model.onnx',
  ])
})

test('weights are linked last, so that an interruption never leaves them alone', async () => {
  const folder = await openModel()
  await linkSnapshot(folder, COMMIT, FILES)
  expect(disk.renamed.map((path) => path.slice(path.indexOf(COMMIT) + 41))).toEqual([
    '1_Pooling/config.json',
    'model.safetensors',
  ])
})

test('links that are there are left alone, and one that leads to another content is replaced', async () => {
  const folder = await openModel()
  const snapshot = await linkSnapshot(folder, COMMIT, FILES)
  disk.renamed.length = 0
  await linkSnapshot(folder, COMMIT, FILES)
  expect(disk.renamed).toEqual([])
  await writeFile(join(folder, 'blobs', 'c'.repeat(64)), 'other weights')
  await linkSnapshot(folder, COMMIT, [{ path: 'model.safetensors', size: 13, etag: 'c'.repeat(64) }])
  expect(await readFile(join(snapshot, 'model.safetensors'), 'utf8')).toBe('other weights')
})

test('a reference is written once, and none for a commit', async () => {
  const folder = await openModel()
  await writeReference(folder, 'main', COMMIT)
  await writeReference(folder, 'main', COMMIT)
  await writeReference(folder, COMMIT, COMMIT)
  expect(disk.renamed).toEqual([join(folder, 'refs/main')])
  expect(await readdir(join(folder, 'refs'))).toEqual(['main'])
})
