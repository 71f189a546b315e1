import { expect, test } from 'vitest'
import { hideFolders } from '../../../src/base/hide-folders.ts'

test.each([
  ['/srv/models/bge is not a folder', 'bge is not a folder'],
  [
    "ENOENT: no such file or directory, open '/srv/a/x.json'",
    "ENOENT: no such file or directory, open 'x.json'",
  ],
  ['a: 1 of /x/y/z, b: 2 (/x/y/w)', 'a: 1 of z, b: 2 (w)'],
  ['/srv/models/ is empty, as is /srv', 'models is empty, as is srv'],
])('of %j the names are left', (text, left) => {
  expect(hideFolders(text)).toBe(left)
})

test.each([
  'BAAI/bge-m3 is unknown',
  'https://hub.example/a/b/c',
  'm/1_Pooling/config.json',
  'a / b',
  'fp16/bf16',
  './a/b',
])('%j has no path to hide', (text) => {
  expect(hideFolders(text)).toBe(text)
})
