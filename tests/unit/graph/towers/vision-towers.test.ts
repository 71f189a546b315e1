import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildGraph } from '../../../../src/graph/build.ts'
import { buildTower } from '../../../../src/graph/build-tower.ts'
import { openFolder } from '../../../../src/model/open-folder.ts'
import type { ImageProcessing, ImageTower, ModelSpec, TensorRef } from '../../../../src/model/spec.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'
import { ref } from '../tiny-bert.ts'

const folder = join(import.meta.dirname, '../../../golden/_vision')
const names = ['clip', 'vit', 'dinov2', 'dinov2-registers'] as const
const specs = Object.fromEntries(
  await Promise.all(
    names.map(async (name) => [name, await openFolder(join(folder, name, 'model'))] as const),
  ),
) as Record<(typeof names)[number], ModelSpec>

interface Changes {
  readonly tower?: Partial<ImageTower>
  readonly config?: Readonly<Record<string, unknown>>
  readonly processing?: Partial<ImageProcessing>
  readonly tensors?: Readonly<Record<string, TensorRef>>
}

function changed(name: (typeof names)[number], { tower, config, processing, tensors }: Changes): ModelSpec {
  const spec = specs[name]
  const image = spec.image as ImageTower
  return {
    ...spec,
    tensors: { ...spec.tensors, ...tensors },
    image: {
      ...image,
      ...tower,
      config: { ...image.config, ...config },
      processing: { ...image.processing, ...processing },
    },
  }
}

function build(spec: ModelSpec) {
  return buildTower(spec, 'image', 'cpu-f32')
}

test('a tower reads patches, and its rows have one number of tokens', () => {
  const { graph, inputs, ...facts } = build(specs.clip)
  expect(inputs).toContain('patches')
  expect(inputs).not.toContain('ids')
  expect(graph.inputs.find(({ name }) => name === 'patches')?.shape).toEqual(['T', 3 * 8 * 8])
  expect(facts).toMatchObject({
    maxTokens: 1 + 4 * 4,
    vocabularySize: 0,
    tokenWidth: 0,
    vectorWidth: 24,
    outputWidth: 25,
    isSparse: false,
  })
  expect(build(specs['dinov2-registers']).maxTokens).toBe(1 + 3 + 3 * 4)
})

test('the last layer is computed behind its attention for one token of a row alone', () => {
  const { nodes } = build(specs.vit).graph
  const shapes = nodes.filter(({ op }) => op === 'Gelu').map(({ outputs }) => outputs[0]?.shape)
  expect(shapes).toEqual([
    ['T', 48],
    ['B', 48],
  ])
})

test('8 bits are for texts: the tower is the one of float32', () => {
  expect(buildTower(specs.clip, 'image', 'cpu-int8-balanced')).toEqual(build(specs.clip))
})

test('neither side of a model asks for the tensors of the other', () => {
  const ofTexts = buildGraph(specs.clip, 'cpu-f32').unusedTensors
  const ofPictures = build(specs.clip).unusedTensors
  expect(ofTexts).toContain('vision_model.embeddings.class_embedding')
  expect(ofTexts).toContain('visual_projection.weight')
  expect(ofTexts).not.toContain('text_projection.weight')
  expect(ofPictures).toContain('text_model.embeddings.token_embedding.weight')
  expect(ofPictures).toContain('text_projection.weight')
  expect(ofPictures).not.toContain('visual_projection.weight')
})

test('a tensor that the architecture lacks is named', async () => {
  const tensors = { 'vision_model.encoder.layers.0.self_attn.q_norm.weight': ref([20]) }
  await expectRefusal(() => build(changed('clip', { tensors })), 'model_invalid', 'self_attn.q_norm.weight')
})

test('a tower that is unknown is refused with those that are known', async () => {
  const spec = changed('vit', { tower: { modelType: 'swin' } })
  await expectRefusal(() => build(spec), 'model_unsupported', '"swin"', 'clip_vision_model, vit, dinov2')
})

test('a model without a tower has none to build', async () => {
  await expectRefusal(() => buildTower(specs.vit, 'audio', 'cpu-f32'), 'graph_invalid', 'no tower for audio')
})

test('pictures must have the size for which there are positions', async () => {
  const processing = { crop: { height: 48, width: 32 } }
  for (const name of ['clip', 'vit'] as const)
    await expectRefusal(() => build(changed(name, { processing })), 'model_invalid', '6 × 4 patches', '4 × 4')
})

test('positions of DINOv2 fit any size', () => {
  const processing = { crop: { height: 48, width: 32 } }
  expect(build(changed('dinov2', { processing })).maxTokens).toBe(1 + 6 * 4)
})

test('pictures of different sizes are refused where positions are for one', async () => {
  const processing = { crop: undefined, resize: { kind: 'shortest_edge', edge: 32 } } as const
  await expectRefusal(
    () => build(changed('dinov2', { processing })),
    'model_unsupported',
    'neither cropped nor resized to one size',
  )
})

test('pictures smaller than a patch are refused', async () => {
  const processing = { crop: { height: 32, width: 7 } }
  await expectRefusal(
    () => build(changed('dinov2', { processing })),
    'model_invalid',
    '32 × 7 pixels hold no patch of 8',
  )
  const config = { image_size: 4 }
  await expectRefusal(() => build(changed('vit', { config })), 'model_invalid', 'less than a patch of 8')
})

test('pictures must be prepared as the tower reads them', async () => {
  for (const processing of [{ patchSize: 4 }, { leadingTokens: 0 }])
    await expectRefusal(
      () => build(changed('vit', { processing })),
      'graph_invalid',
      'patches of 8 pixels after 1 lines',
    )
})

test('only colours are seen', async () => {
  const config = { num_channels: 1 }
  for (const name of names)
    await expectRefusal(() => build(changed(name, { config })), 'model_unsupported', 'num_channels 1')
})

test('no modules of tokens stand behind a tower', async () => {
  const steps = [{ kind: 'pooling', modes: ['mean'], includePrompt: true }] as const
  await expectRefusal(() => build(changed('vit', { tower: { steps } })), 'model_unsupported', 'pooling')
})

test('a weight of a patch whose numbers lie apart is refused', async () => {
  const name = 'embeddings.patch_embeddings.projection.weight'
  const tensors = { [name]: { ...(specs.vit.tensors[name] as TensorRef), strides: [192, 1, 24, 3] } }
  await expectRefusal(() => build(changed('vit', { tensors })), 'model_unsupported', 'has strides')
})

test.each(names)('%s plans no billion of layers', async (name) => {
  const config = { num_hidden_layers: 1e9 }
  await expectRefusal(
    () => build(changed(name, { config })),
    'model_invalid',
    'is 1000000000',
    'at most 1000',
  )
})
