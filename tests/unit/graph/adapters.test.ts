/** Adapters beside weights against models whose weights have them merged: rows of several tasks in one batch, on every target. */
import { expect, test } from 'vitest'
import { buildGraph } from '../../../src/graph/build.ts'
import { OUTPUT } from '../../../src/graph/contract.ts'
import type { TargetName } from '../../../src/graph/target.ts'
import type { ModelSpec, TensorRef } from '../../../src/model/spec.ts'
import { layOut } from '../../../src/runtime/feeds.ts'
import type { RaggedRow } from '../../../src/runtime/runner.ts'
import { NO_ADAPTER, joinRows } from '../../../src/runtime/runner.ts'
import { prepare } from '../../interpreter/interpret.ts'
import { largestDifference, splitRows } from './ragged.ts'
import { fileTensor } from './run-graph.ts'
import { tinyBert } from './tiny-bert.ts'

const [H, I, WORDS, LONGEST, RANK, TASKS] = [16, 24, 50, 20, 2, 3]
const CONFIG = {
  hidden_size: H,
  intermediate_size: I,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  vocab_size: WORDS,
  max_position_embeddings: LONGEST,
  type_vocab_size: 2,
  layer_norm_eps: 1e-5,
}
const LORA = { lora_adaptations: ['a', 'b', 'c'], lora_rank: RANK, lora_alpha: 3 }

type Positions = 'rotary' | 'absolute'
type Kind = 'linear' | 'table' | 'plain'

/** Name, shape and kind of each tensor of the body; what is adapted is a matrix. */
function partsOf(positions: Positions): (readonly [string, readonly number[], Kind])[] {
  const norm = (name: string) => ['weight', 'bias'].map((part) => [`${name}.${part}`, [H], 'plain'] as const)
  const linear = (name: string, out: number, inputs: number) => [
    [name, [out, inputs], 'linear'] as const,
    [`${name}.bias`, [out], 'plain'] as const,
  ]
  const layers = [0, 1].flatMap((index) => {
    const layer = `encoder.layers.${index}`
    return [
      ...linear(`${layer}.mixer.Wqkv`, 3 * H, H),
      ...linear(`${layer}.mixer.out_proj`, H, H),
      ...linear(`${layer}.mlp.fc1`, I, H),
      ...linear(`${layer}.mlp.fc2`, H, I),
      ...norm(`${layer}.norm1`),
      ...norm(`${layer}.norm2`),
    ]
  })
  const table = ['embeddings.position_embeddings.weight', [LONGEST, H], 'plain'] as const
  return [
    ['embeddings.word_embeddings', [WORDS, H], 'table'],
    ['embeddings.token_type_embeddings', [2, H], 'table'],
    ...(positions === 'absolute' ? [table] : []),
    ...norm('emb_ln'),
    ...layers,
  ]
}

type Tensors = Record<string, TensorRef>

/** The model with its adapters, and for each task the model that it means. */
async function drawModels(positions: Positions) {
  let seed = 1
  const draw = (count: number, size: number) =>
    Float32Array.from({ length: count }, () => {
      seed = (seed * 48_271) % 2_147_483_647
      return size * ((2 * seed) / 2_147_483_647 - 1)
    })
  const adapted: Tensors = {}
  const merged: Tensors[] = Array.from({ length: TASKS }, () => ({}))
  for (const [name, shape, kind] of partsOf(positions)) {
    const [rows = 0, columns = 1] = shape
    const numbers = draw(rows * columns, 0.6)
    if (kind === 'plain') {
      const tensor = await fileTensor(numbers, shape)
      for (const tensors of [adapted, ...merged]) tensors[name] = tensor
      continue
    }
    const path = `${name}.parametrizations.weight`
    const [tall, wide] = [draw(TASKS * rows * RANK, 0.8), draw(TASKS * RANK * columns, 0.8)]
    const [tallShape, wideShape] = [
      [TASKS, rows, RANK],
      [TASKS, RANK, columns],
    ] as const
    const [down, up] = kind === 'table' ? [tall, wide] : [wide, tall]
    const [downShape, upShape] = kind === 'table' ? [tallShape, wideShape] : [wideShape, tallShape]
    adapted[`${path}.original`] = await fileTensor(numbers, shape)
    adapted[`${path}.0.lora_A`] = await fileTensor(down, downShape)
    adapted[`${path}.0.lora_B`] = await fileTensor(up, upShape)
    for (const [task, tensors] of merged.entries()) {
      const whole = numbers.map((number, place) => {
        const [row, column] = [Math.floor(place / columns), place % columns]
        let sum = 0
        for (let k = 0; k < RANK; k++) {
          const left = tall[(task * rows + row) * RANK + k] as number
          sum += left * (wide[(task * RANK + k) * columns + column] as number)
        }
        return number + (sum * LORA.lora_alpha) / RANK
      })
      tensors[`${name}.weight`] = await fileTensor(whole, shape)
    }
  }
  const specOf = (tensors: Tensors, more: object): ModelSpec => {
    const config = { ...CONFIG, position_embedding_type: positions, ...more }
    return { ...tinyBert(), modelType: 'xlm-roberta', config, tensors }
  }
  return { spec: specOf(adapted, LORA), merged: merged.map((tensors) => specOf(tensors, {})) }
}

function run(spec: ModelSpec, target: TargetName, rows: readonly RaggedRow[]): number[] {
  const compiled = buildGraph(spec, target)
  const feeds = layOut(joinRows(rows), compiled.inputs, compiled)
  return [...(prepare(compiled.graph, 'none')(feeds).get(OUTPUT)?.data ?? [])]
}

const ROWS: readonly RaggedRow[] = [
  [[2, 7, 9], 1],
  [[2, 30, 31, 7, 9], NO_ADAPTER],
  [[2, 7, 9], 0],
  [[49, 0], 2],
  [[2, 7, 9], NO_ADAPTER],
].map(([ids, adapter]) => ({
  ids: Int32Array.from(ids as number[]),
  typeStart: 2,
  unpooledTokens: 0,
  adapter: adapter as number,
  wantsTokens: false,
}))

const TARGETS: readonly TargetName[] = ['cpu-f32', 'cuda-f32', 'cuda-f16', 'cuda-bf16']

test.each(TARGETS.flatMap((target) => [[target, 'rotary'] as const, [target, 'absolute'] as const]))(
  'each row of a batch goes through its own adapter on %s, with %s positions',
  async (target, positions) => {
    const { spec, merged } = await drawModels(positions)
    const together = run(spec, target, ROWS)
    const apart = ROWS.flatMap((row) => {
      const own = merged[row.adapter]
      return run(own ?? spec, target, [{ ...row, adapter: NO_ADAPTER }])
    })
    expect(together).toHaveLength(ROWS.length * H)
    expect(largestDifference(together, apart)).toBeLessThan(1e-5)
    // One text, as three tasks see it: what adapters add is no small matter here.
    const [one, , other, , plain] = splitRows(together, Array<number>(ROWS.length).fill(H))
    expect(largestDifference(one ?? [], other ?? [])).toBeGreaterThan(0.1)
    expect(largestDifference(one ?? [], plain ?? [])).toBeGreaterThan(0.1)
  },
)

test('a model that is asked for no adapters, or whose weights have none, asks for no input of theirs', async () => {
  const { spec, merged } = await drawModels('rotary')
  expect(buildGraph(spec, 'cpu-f32').inputs).toContain('adapters')
  const plain = { ...(merged[0] as ModelSpec), config: { ...spec.config } }
  expect(buildGraph(plain, 'cpu-f32').inputs).not.toContain('adapters')
})

test('a row without an adapter gets the very numbers of the model without adapters', async () => {
  const { spec } = await drawModels('rotary')
  const tensors = Object.fromEntries(Object.entries(spec.tensors).filter(([name]) => !name.includes('lora_')))
  const { lora_adaptations: _, ...config } = spec.config
  const rows = ROWS.map((row) => ({ ...row, adapter: NO_ADAPTER }))
  expect(run(spec, 'cpu-f32', rows)).toEqual(run({ ...spec, tensors, config }, 'cpu-f32', rows))
})

test.each(TARGETS)('jina-clip has its default task’s adapter for every text, on %s', async (target) => {
  const { spec } = await drawModels('rotary')
  const prefix = 'text_model.transformer.roberta.'
  const tensors = Object.entries(spec.tensors).map(([name, tensor]) => [prefix + name, tensor])
  const tasks = ['retrieval.query', 'separation', 'classification']
  const clip: ModelSpec = {
    ...spec,
    modelType: 'jina_clip_text',
    tensors: Object.fromEntries(tensors) as Tensors,
    config: {
      hf_model_name_or_path: 'jinaai/jina-embeddings-v3',
      // Read as the folder of that model has it, but for what stands here.
      hf_model_config_kwargs: { ...spec.config, lora_adaptations: tasks, rotary_emb_base: 10_000 },
      default_lora_task: 'separation',
    },
  }
  expect(buildGraph(clip, target).inputs).not.toContain('adapters')
  const chosen = ROWS.map((row) => ({ ...row, adapter: tasks.indexOf('separation') }))
  expect(largestDifference(run(clip, target, ROWS), run(spec, target, chosen))).toBeLessThan(1e-6)
})
