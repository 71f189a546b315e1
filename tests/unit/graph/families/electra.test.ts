import { expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { electra } from '../../../../src/graph/families/electra.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'
import { TINY } from '../tiny-bert.ts'

function plan(config: Readonly<Record<string, unknown>>) {
  return electra.plan(new ConfigReader('tiny', { ...TINY, ...config }))
}

test('embeddings are projected only where they have another width than the layers', () => {
  expect(plan({ embedding_size: 12 }).embeddings).toMatchObject({
    width: 12,
    projection: { name: 'embeddings_project' },
  })
  expect(plan({ embedding_size: 16 }).embeddings.projection).toBeUndefined()
})

test('embeddings of no stated width have 128 numbers', () => {
  expect(plan({}).embeddings.width).toBe(128)
})

test('a decoder is refused as unsupported', async () => {
  await expectRefusal(() => plan({ is_decoder: true }), 'model_unsupported', 'is_decoder true')
})
