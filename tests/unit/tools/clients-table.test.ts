import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ClientResult } from '../../../tools/clients-table.ts'
import { clientsTable, readResults, withTable } from '../../../tools/clients-table.ts'

const ROOT = join(import.meta.dirname, '../../..')

test("the README's table is made of what the clients' tests have shown", () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const results = readResults()
  expect(results.length).toBeGreaterThan(30)
  expect(withTable(readme, clientsTable(results))).toBe(readme)
})

test('no client fails', () => {
  expect(readResults().filter(({ status }) => status === 'fails')).toEqual([])
})

const WORKS: ClientResult = {
  client: 'a',
  version: '1.0.0',
  baseUrl: 'H/v1',
  works: 'embeddings',
  status: 'works',
}

test('versions of a client share a row', () => {
  const rows = clientsTable([WORKS, { ...WORKS, version: '2.0.0' }]).split('\n')
  expect(rows.slice(2)).toEqual(['| a | 1.0.0, 2.0.0 | H/v1 | embeddings | works |'])
})

test('clients of one name that differ in no column share a row', () => {
  const rows = clientsTable([
    { ...WORKS, client: 'kit one' },
    { ...WORKS, client: 'kit two' },
    { ...WORKS, client: 'kit three', works: 'rerank' },
  ]).split('\n')
  expect(rows.slice(2)).toEqual([
    '| kit one, two | 1.0.0 | H/v1 | embeddings | works |',
    '| kit three | 1.0.0 | H/v1 | rerank | works |',
  ])
})

test('replayed requests are left out where the client itself ran', () => {
  const replayed = { ...WORKS, client: 'kit', status: 'replayed' } as const
  const rows = clientsTable([replayed, { ...WORKS, client: 'kit one' }, { ...replayed, client: 'b' }]).split(
    '\n',
  )
  expect(rows.slice(2)).toEqual([
    '| b | 1.0.0 | H/v1 | embeddings | replayed |',
    '| kit one | 1.0.0 | H/v1 | embeddings | works |',
  ])
})

test('what is skipped or fails says why', () => {
  const skipped = { ...WORKS, status: 'skipped', reason: 'not installed' } as const
  expect(clientsTable([skipped])).toContain('| skipped: not installed |')
})

test('a document without the marks is refused', () => {
  expect(() => withTable('# A title', 'table')).toThrow('clients:start')
})
