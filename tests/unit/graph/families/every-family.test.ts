import { expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { findFamily } from '../../../../src/graph/families/registry.ts'
import { openFolder } from '../../../../src/model/open-folder.ts'
import { listFixtures } from '../../../interpreter/golden-batch.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'

const LAYERS = ['num_hidden_layers', 'n_layers', 'num_layers', 'n_layer']

const specs = await Promise.all(listFixtures().map(({ folder }) => openFolder(folder)))
const modelTypes = [...new Set(specs.map(({ modelType }) => modelType))].filter((type) => type !== 'static')

test('there are families', () => {
  expect(modelTypes.length).toBeGreaterThan(20)
})

test.each(modelTypes)('%s plans no billion of layers', async (modelType) => {
  for (const spec of specs.filter((candidate) => candidate.modelType === modelType)) {
    const family = findFamily(spec)
    const keys = LAYERS.filter((key) => key in spec.config)
    const config = { ...spec.config, ...Object.fromEntries(keys.map((key) => [key, 1e9])) }
    const plan = () => family.plan(new ConfigReader(spec.name, config))
    await expectRefusal(plan, 'model_invalid', 'is 1000000000', 'at most 1000')
  }
})
