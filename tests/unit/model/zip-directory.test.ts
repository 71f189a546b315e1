import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/errors.ts'
import type { ZipEntry } from '../../../src/model/zip-directory.ts'
import { readZipDirectory } from '../../../src/model/zip-directory.ts'
import { expectRefusal } from './expect-refusal.ts'
import { makeFolder } from './model-folder.ts'
import type { RawEntry } from './zip-bytes.ts'
import { zip } from './zip-bytes.ts'

async function read(bytes: Uint8Array): Promise<ReadonlyMap<string, ZipEntry>> {
  const path = join(await makeFolder(), 'a.zip')
  await writeFile(path, bytes)
  const handle = await open(path)
  try {
    return await readZipDirectory({ handle, size: bytes.length, name: 'a.zip' })
  } finally {
    await handle.close()
  }
}

async function expectRefused(bytes: Uint8Array, code: ErrorCode, ...parts: readonly string[]): Promise<void> {
  await expectRefusal(() => read(bytes), code, 'a.zip', ...parts)
}

function entry(name: string, content: string, changes: Partial<RawEntry> = {}): RawEntry {
  return { name, bytes: Buffer.from(content), ...changes }
}

const TWO = [entry('a', 'one'), entry('folder/b', 'twenty', { padding: 5 })]

test.each([{}, { wide: true }, { comment: 'x'.repeat(65_535) }])(
  'every entry is found where its own bytes lie (%#)',
  async (options) => {
    const bytes = zip(TWO, options)
    const entries = await read(bytes)
    const contents = [...entries].map(([name, { byteOffset, byteLength }]) => [
      name,
      bytes.toString('utf8', byteOffset, byteOffset + byteLength),
    ])
    expect(contents).toEqual([
      ['a', 'one'],
      ['folder/b', 'twenty'],
    ])
  },
)

test('an archive without entries is read', async () => {
  expect(await read(zip([]))).toEqual(new Map())
})

test('an archive that is cut off is refused', async () => {
  const bytes = zip(TWO)
  for (const length of [0, 21, bytes.length - 1]) {
    await expectRefused(bytes.subarray(0, length), 'model_invalid', 'no zip directory at its end')
  }
})

test('a directory that was cut out of the middle is refused', async () => {
  const bytes = zip(TWO)
  await expectRefused(Buffer.concat([bytes.subarray(0, 10), bytes.subarray(60)]), 'model_invalid')
})

test.each([
  ['compressed', { method: 8 }],
  ['encrypted', { flags: 1 }],
] as const)('an entry that is %s is refused by its name', async (problem, changes) => {
  await expectRefused(zip([entry('a', 'one', changes)]), 'model_unsupported', `entry a is ${problem}`)
})

test.each([
  ['claims a size past the end', [entry('a', 'one', { claims: { size: 1_000_000 } })], 'ends at byte'],
  ['claims two sizes', [entry('a', 'one', { claims: { storedSize: 2 } })], 'has 3 bytes and takes 2'],
  ['lies past the end', [entry('a', 'one', { claims: { offset: 1_000_000 } })], 'ends at byte'],
  ['lies where no entry is', [entry('a', 'one', { claims: { offset: 1 } })], 'is not at byte 1'],
  [
    'reaches into the directory',
    [entry('a', 'one', { claims: { size: 40 } })],
    'a and its directory overlap',
  ],
  [
    'lies inside another',
    [entry('a', 'one'), entry('b', 'two', { claims: { offset: 0 } })],
    'a and b overlap',
  ],
  ['stands there twice', [entry('a', 'one'), entry('a', 'two')], 'entry a stands in it twice'],
])('an entry that %s is refused', async (_, entries, message) => {
  await expectRefused(zip(entries), 'model_invalid', message)
  await expectRefused(zip(entries, { wide: true }), 'model_invalid', message)
})

test.each([
  ['past the end', { offset: 1_000_000 }, 'its directory ends at byte'],
  ['of a giant size', { size: 4_000_000_000 }, 'at most 100000000'],
  ['that begins elsewhere', { offset: 0 }, 'broken at byte 0'],
  ['that ends too soon', { size: 40 }, 'broken at byte 0'],
])('a directory %s is refused', async (_, directory, message) => {
  await expectRefused(zip(TWO, { directory }), 'model_invalid', message)
  await expectRefused(zip(TWO, { directory, wide: true }), 'model_invalid', message)
})

test('numbers beyond those of JavaScript are refused', async () => {
  const bytes = zip(TWO, { wide: true })
  bytes.fill(0xff, bytes.length - 22 - 12, bytes.length - 22 - 4)
  await expectRefused(bytes, 'model_invalid', 'it names byte 18446744073709551615')
})

test('a 64-bit directory that is not where it should be is refused', async () => {
  const bytes = zip(TWO, { wide: true })
  bytes.writeBigUInt64LE(0n, bytes.length - 22 - 12)
  await expectRefused(bytes, 'model_invalid', '64-bit directory')
})

test('an entry without its 64-bit numbers is refused by its name', async () => {
  const bytes = zip([entry('a', 'one')])
  const at = bytes.indexOf('PK\x01\x02', 0, 'latin1')
  bytes.writeUInt32LE(0xffff_ffff, at + 42)
  await expectRefused(bytes, 'model_invalid', 'entry a lacks its 64-bit sizes')
})
