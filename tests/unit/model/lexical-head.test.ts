import { join } from 'node:path'
import { copyFile, cp, readdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import { expectRefusal } from './expect-refusal.ts'
import { copyFixture, makeFolder } from './model-folder.ts'

const GOLDEN = fileURLToPath(new URL('../../golden/sparse/bge-m3-words/model/', import.meta.url))

test('sparse_linear.pt weighs words, and leaves out what are none', async () => {
  const { head } = await openFolder(GOLDEN)
  expect(head).toMatchObject({
    kind: 'embedding',
    lexical: { weight: { shape: [1, 32], dtype: 'F16' }, bias: { shape: [1] }, skippedIds: [0, 1, 2, 3] },
  })
})

test('another family has no such head, whatever lies in its folder', async () => {
  const folder = await copyFixture('bert-cls')
  await copyFile(join(GOLDEN, 'sparse_linear.pt'), join(folder, 'sparse_linear.pt'))
  expect((await openFolder(folder)).head).not.toHaveProperty('lexical')
})

test('a model with routes has no such head, for its texts have pipelines of their own', async () => {
  const type = 'sentence_transformers.models'
  const folder = await copyFixture('sparse/bge-m3-words', {
    'modules.json': [{ path: '', type: `${type}.Router` }],
    'router_config.json': {
      types: { body: `${type}.Transformer`, mean: `${type}.Pooling`, cls: `${type}.Pooling` },
      structure: { query: ['body', 'mean'], document: ['body', 'cls'] },
    },
    'mean/config.json': { pooling_mode: 'mean' },
    'cls/config.json': { pooling_mode: 'cls' },
  })
  const top = await readdir(folder)
  for (const name of top.filter((file) => file !== 'modules.json' && file !== 'router_config.json'))
    await cp(join(folder, name), join(folder, 'body', name), { recursive: true })
  const { head } = await openFolder(folder)
  expect(head).toHaveProperty('routes')
  expect(head).not.toHaveProperty('lexical')
})

test('a file of another width, or that is none, is refused', async () => {
  const { config } = await openFolder(GOLDEN)
  const { readLexicalHead } = await import('../../../src/model/lexical-head.ts')
  const wider = { ...config, model_type: 'xlm-roberta', hidden_size: 64 }
  await expectRefusal(
    () => readLexicalHead(GOLDEN, wider, 'some-model'),
    'model_invalid',
    'some-model',
    '[1, 64]',
  )
  const broken = await makeFolder()
  await writeFile(join(broken, 'sparse_linear.pt'), 'no archive')
  await expect(readLexicalHead(broken, wider, 'some-model')).rejects.toMatchObject({
    code: expect.stringMatching(/^model_/),
  })
})
