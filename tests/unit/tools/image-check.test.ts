/** How `npm run image:check` judges and shows what it has counted; it counts for real in tests/e2e/image.test.ts. */
import { expect, test } from 'vitest'
import { findFaults } from '../../../tools/image/check.ts'
import type { ImageContents } from '../../../tools/image/image-contents.ts'
import { describeContents } from '../../../tools/image/image-contents.ts'

const SMALL: ImageContents = {
  image: 'cpu, amd64',
  parts: [
    { what: 'Node', bytes: 149_711_504, source: 'its file' },
    { what: 'program', bytes: 1_049_000, source: '294 files, counted' },
  ],
  totalBytes: 150_760_504,
  limitBytes: 150_760_504,
}
const LARGE: ImageContents = { ...SMALL, limitBytes: 150_760_503 }

test('an image as large as its limit is right, one byte more is a fault that names both', () => {
  expect(findFaults([SMALL], [])).toEqual([])
  expect(findFaults([SMALL, LARGE], [])).toEqual([
    'the image "cpu, amd64" would have 150760504 bytes; 150760503 are allowed',
  ])
})

test('a private file that would be copied is a fault', () => {
  expect(findFaults([SMALL], ['src/.env'])).toEqual([
    'src/.env would be copied into the image; .dockerignore must leave it out',
  ])
})

test('the table has a line for each part, the sum, and what is wrong with it', () => {
  expect(describeContents([SMALL, LARGE])).toBe(
    [
      'cpu, amd64: MB, uncompressed',
      '  Node       149.7  its file',
      '  program      1.0  294 files, counted',
      '  total      150.8  of 150.8',
      '',
      'cpu, amd64: MB, uncompressed',
      '  Node       149.7  its file',
      '  program      1.0  294 files, counted',
      '  total      150.8  OVER the limit of 150.8',
    ].join('\n'),
  )
})
