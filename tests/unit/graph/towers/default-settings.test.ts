/** What config.json leaves out is what transformers 5.23 has for it: tensors of these sizes fit, and nothing else would. */
import { expect, test } from 'vitest'
import { buildGraph } from '../../../../src/graph/build.ts'
import { buildTower } from '../../../../src/graph/build-tower.ts'
import type { CompiledGraph } from '../../../../src/graph/contract.ts'
import type { Attribute } from '../../../../src/graph/ir.ts'
import type { ImageProcessing, ModelSpec } from '../../../../src/model/spec.ts'
import { ref } from '../tiny-bert.ts'

type Shapes = Readonly<Record<string, readonly number[]>>

const H = 768

function linear(name: string, outputs: number, inputs: number): Shapes {
  return { [`${name}.weight`]: [outputs, inputs], [`${name}.bias`]: [outputs] }
}

function norm(name: string, width = H): Shapes {
  return { [`${name}.weight`]: [width], [`${name}.bias`]: [width] }
}

function twelve(layer: (index: number) => Shapes): Shapes {
  return Object.assign({}, ...Array.from({ length: 12 }, (_, index) => layer(index)))
}

function clipLayer(name: string, width: number): Shapes {
  return {
    ...norm(`${name}.layer_norm1`, width),
    ...norm(`${name}.layer_norm2`, width),
    ...Object.assign(
      {},
      ...['q', 'k', 'v', 'out'].map((x) => linear(`${name}.self_attn.${x}_proj`, width, width)),
    ),
    ...linear(`${name}.mlp.fc1`, 4 * width, width),
    ...linear(`${name}.mlp.fc2`, width, 4 * width),
  }
}

function bertAttention(name: string): Shapes {
  return {
    ...Object.assign(
      {},
      ...['query', 'key', 'value'].map((x) => linear(`${name}.attention.attention.${x}`, H, H)),
    ),
    ...linear(`${name}.attention.output.dense`, H, H),
  }
}

function patches(patchSize: number, places: number): Shapes {
  return {
    'embeddings.cls_token': [1, 1, H],
    'embeddings.position_embeddings': [1, 1 + places, H],
    'embeddings.patch_embeddings.projection.weight': [H, 3, patchSize, patchSize],
    'embeddings.patch_embeddings.projection.bias': [H],
    ...norm('layernorm'),
  }
}

function dinoLayer(name: string): Shapes {
  return {
    ...bertAttention(name),
    ...norm(`${name}.norm1`),
    ...norm(`${name}.norm2`),
    ...linear(`${name}.mlp.fc1`, 4 * H, H),
    ...linear(`${name}.mlp.fc2`, H, 4 * H),
    [`${name}.layer_scale1.lambda1`]: [H],
    [`${name}.layer_scale2.lambda1`]: [H],
  }
}

const TOWERS = [
  {
    modelType: 'clip_vision_model',
    patchSize: 32,
    leadingTokens: 1,
    places: 49,
    activation: 'QuickGelu',
    epsilon: 1e-5,
    tensors: {
      'embeddings.class_embedding': [H],
      'embeddings.patch_embedding.weight': [H, 3, 32, 32],
      'embeddings.position_embedding.weight': [50, H],
      ...norm('pre_layrnorm'),
      ...norm('post_layernorm'),
      ...twelve((index) => clipLayer(`encoder.layers.${index}`, H)),
    },
  },
  {
    modelType: 'vit',
    patchSize: 16,
    leadingTokens: 1,
    places: 196,
    activation: 'Gelu',
    epsilon: 1e-12,
    tensors: {
      ...patches(16, 196),
      ...twelve((index) => {
        const name = `encoder.layer.${index}`
        return {
          ...bertAttention(name),
          ...norm(`${name}.layernorm_before`),
          ...norm(`${name}.layernorm_after`),
          ...linear(`${name}.intermediate.dense`, 4 * H, H),
          ...linear(`${name}.output.dense`, H, 4 * H),
        }
      }),
    },
  },
  {
    modelType: 'dinov2',
    patchSize: 14,
    leadingTokens: 1,
    places: 256,
    activation: 'Gelu',
    epsilon: 1e-6,
    tensors: { ...patches(14, 256), ...twelve((index) => dinoLayer(`encoder.layer.${index}`)) },
  },
  {
    modelType: 'dinov2_with_registers',
    patchSize: 16,
    leadingTokens: 5,
    places: 196,
    activation: 'Gelu',
    epsilon: 1e-6,
    tensors: {
      ...patches(16, 196),
      'embeddings.register_tokens': [1, 4, H],
      ...twelve((index) => dinoLayer(`encoder.layer.${index}`)),
    },
  },
] as const

function specOf(modelType: string, shapes: Shapes): ModelSpec {
  return {
    name: 'base',
    modelType,
    config: {},
    tensors: Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, ref(shape)])),
    head: { kind: 'embedding', steps: [] },
    tokenizer: undefined,
    prompts: {},
    defaultPromptName: undefined,
    truncateDimensions: undefined,
  }
}

test.each(TOWERS)(
  'of $modelType',
  ({ modelType, patchSize, leadingTokens, places, tensors, ...expected }) => {
    const processing: ImageProcessing = {
      resize: undefined,
      resample: 'bicubic',
      crop: { height: 224, width: 224 },
      scale: undefined,
      mean: undefined,
      std: undefined,
      patchSize,
      leadingTokens,
    }
    const image = { modelType, config: {}, steps: [], processing }
    const compiled = buildTower({ ...specOf(modelType, tensors), image }, 'image', 'cpu-f32')
    expect(compiled).toMatchObject({ maxTokens: leadingTokens + places, vectorWidth: H, unusedTensors: [] })
    expectKernels(compiled, { ...expected, heads: 12 })
  },
)

test('of clip_text_model', () => {
  const shapes = {
    'text_model.embeddings.token_embedding.weight': [49_408, 512],
    'text_model.embeddings.position_embedding.weight': [77, 512],
    ...norm('text_model.final_layer_norm', 512),
    ...twelve((index) => clipLayer(`text_model.encoder.layers.${index}`, 512)),
  }
  const pooling = { kind: 'pooling', modes: ['lasttoken'], includePrompt: true } as const
  const spec = {
    ...specOf('clip_text_model', shapes),
    head: { kind: 'embedding', steps: [pooling] },
  } as const
  const compiled = buildGraph(spec, 'cpu-f32')
  const facts = { maxTokens: 77, vocabularySize: 49_408, endId: 49_407, unusedTensors: [] }
  expect(compiled).toMatchObject(facts)
  expectKernels(compiled, { activation: 'QuickGelu', epsilon: 1e-5, heads: 8 })
})

interface Expected {
  readonly activation: string
  readonly epsilon: number
  readonly heads: number
}

function expectKernels({ graph }: CompiledGraph, { activation, epsilon, heads }: Expected): void {
  const attributesOf = (name: string): (Attribute | undefined)[] =>
    graph.nodes.map(({ attributes }) => attributes[name]).filter((attribute) => attribute !== undefined)
  const activations = graph.nodes.filter(({ op }) => op.endsWith('Gelu'))
  expect(activations.map(({ op }) => op)).toEqual(Array.from({ length: 12 }, () => activation))
  if (activation === 'QuickGelu')
    for (const { attributes } of activations) expect(attributes['alpha']).toEqual({ float: 1.702 })
  expect(new Set(attributesOf('epsilon').map((attribute) => JSON.stringify(attribute)))).toEqual(
    new Set([JSON.stringify({ float: epsilon })]),
  )
  const counts = attributesOf('num_heads')
  expect(counts.length).toBe(12)
  for (const count of counts) expect(count).toEqual({ int: heads })
}
