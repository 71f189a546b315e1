import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildGraph } from '../../../src/graph/build.ts'
import { openFolder } from '../../../src/model/open-folder.ts'

function openFixture(path: string) {
  return openFolder(join(import.meta.dirname, '../../golden', path, 'model'))
}

test('a graph whose layers see a window only says how far, so that long rows are cut', async () => {
  const { window, inputs } = buildGraph(await openFixture('modernbert/modernbert-mean'), 'cpu-f32')
  expect(window).toBe(5)
  // Other layers see whole rows.
  expect(inputs).toEqual(expect.arrayContaining(['padded_pieces', 'padded_rows', 'steps', 'piece_steps']))
})

test('a graph whose layers see everything asks for no pieces', async () => {
  const { window, inputs } = buildGraph(await openFixture('bert/bert-mean-normalize'), 'cpu-f32')
  expect(window).toBeUndefined()
  expect(inputs.filter((role) => role.includes('piece'))).toEqual([])
})
