import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import type { FloatDtype, Graph, GraphNode } from '../../../src/graph/ir.ts'
import type { TargetName } from '../../../src/graph/target.ts'
import { TARGETS } from '../../../src/graph/target.ts'
import { prepare } from '../../interpreter/interpret.ts'
import { makeFolder } from '../model/model-folder.ts'
import type { AttentionCase } from './attention-case.ts'
import { attentionCases, openAttention } from './attention-case.ts'
import { attentionOf } from './attention-inputs.ts'
import { largestDifference } from './ragged.ts'
import { ref } from './tiny-bert.ts'

const HEAD = { kind: 'rms', over: 'head' } as const
const ALL = { kind: 'layer', bias: true, over: 'all' } as const
const NOTHING = { magnitude: undefined, headNorms: undefined, bias: 'none', window: undefined } as const
const BOTH_WAYS = { causal: false, copies: 1 } as const

/** Forms of attention that take ways of their own on some target; what one does not say is drawn. */
const KINDS: readonly (readonly [string, Partial<AttentionCase>])[] = [
  ['one product of all three', { ...NOTHING, ...BOTH_WAYS }],
  ['a window both ways', { ...NOTHING, ...BOTH_WAYS, window: 1 }],
  ['a window both ways over grouped heads', { ...NOTHING, causal: false, copies: 2, window: 3 }],
  ['a relative bias', { ...BOTH_WAYS, bias: 'relative' }],
  ['slopes and a window', { causal: false, bias: 'alibi', window: 3 }],
  ['turned heads', { ...BOTH_WAYS, bias: 'none', magnitude: 1.3 }],
  ['grouped heads that the kernel turns', { ...NOTHING, copies: 3, headWidth: 16, magnitude: 1 }],
  ['grouped heads that are turned before it', { ...NOTHING, copies: 2, headWidth: 24, magnitude: 1 }],
  ['norms over each head, and turning', { ...NOTHING, headWidth: 32, headNorms: HEAD, magnitude: 1.3 }],
  ['norms over all heads', { headNorms: ALL }],
  ['causal heads with a window', { ...NOTHING, causal: true, window: 3 }],
  ['causal heads with a window of the token alone', { ...NOTHING, causal: true, window: 0 }],
  ['causal heads with a relative bias', { causal: true, bias: 'relative' }],
  ['heads of 26 numbers', { ...NOTHING, headWidth: 26 }],
  ['ends of rows that are not seen', { unseen: 3 }],
  ['ends that are not seen, to the left', { unseen: 2, causal: true }],
  ['ends that a window does not reach', { ...NOTHING, unseen: 6, window: 1 }],
  ['ends that a window to the left does not reach', { unseen: 6, window: 2, causal: true }],
  ['int8 weights', { linear: { bias: true, int8: true } }],
  ['anything', {}],
]

/** float32 shows every mistake; the halves, whose weights are rounded too, those of the ways that float32 does not take. */
const TOLERANCES: readonly (readonly [TargetName, number])[] = [
  ['cuda-f32', 2e-5],
  ['cuda-f16', 1e-2],
  ['cuda-bf16', 8e-2],
]

describe.each(TOLERANCES)('attention on %s', (target, tolerance) => {
  test.each(KINDS)('with %s is the textbook’s within each row', async (_, given) => {
    const folder = await makeFolder()
    const property = fc.asyncProperty(attentionCases(given), async (drawn) => {
      const { graph, feedsOf, expected } = await openAttention(folder, drawn, TARGETS[target])
      const made = prepare(graph)(feedsOf([...drawn.lengths.keys()])).get('output')
      expect(largestDifference([...(made?.data ?? [])], expected())).toBeLessThanOrEqual(tolerance)
    })
    await fc.assert(property, { numRuns: 10 })
  })
})

describe('kernels that ONNX Runtime has on the CPU as well', () => {
  test.each([
    ['cuda-f32', 'grouped key heads, plain', { copies: 2, bias: 'none' }, 2e-5],
    ['cuda-f32', 'causal heads, plain', { causal: true, copies: 1 }, 2e-5],
    ['cuda-f16', 'causal heads, grouped', { ...NOTHING, causal: true, headWidth: 16, magnitude: 1 }, 1e-2],
    ['cuda-f16', 'a causal window, grouped', { ...NOTHING, causal: true, headWidth: 32, window: 3 }, 1e-2],
    ['cuda-f16', 'both ways, grouped', { ...NOTHING, causal: false, headWidth: 8, copies: 2 }, 1e-2],
  ] as const)('give the textbook’s numbers on %s: %s', async (target, _, given, tolerance) => {
    const folder = await makeFolder()
    const property = fc.asyncProperty(attentionCases(given), async (drawn) => {
      const { run, expected } = await openAttention(folder, drawn, TARGETS[target])
      const [found = []] = await run([...drawn.lengths.keys()])
      expect(largestDifference(found, expected())).toBeLessThanOrEqual(tolerance)
    })
    await fc.assert(property, { numRuns: 10 })
  })
})

const PLAIN: AttentionCase = {
  seed: 1,
  lengths: [2],
  hiddenSize: 4,
  keyHeads: 2,
  copies: 1,
  headWidth: 16,
  sharpness: 1,
  causal: false,
  ...NOTHING,
  linear: { bias: true, int8: false },
  gap: 0,
}

async function graphOf(target: TargetName, given: Partial<AttentionCase>): Promise<Graph> {
  return (await openAttention(await makeFolder(), { ...PLAIN, ...given }, TARGETS[target])).graph
}

function all({ nodes }: Graph, op: string): GraphNode[] {
  return nodes.filter((node) => node.op === op)
}

describe('the kernel of attention', () => {
  const PACKED = 'PackedMultiHeadAttention'
  const GROUPED = 'GroupQueryAttention'
  const ANY = 'MultiHeadAttention'
  const CHOICES: readonly (readonly [
    string,
    Partial<AttentionCase>,
    Readonly<Record<FloatDtype, string>>,
  ])[] = [
    ['plain heads', {}, { f32: PACKED, f16: PACKED, bf16: GROUPED }],
    ['turned heads with a bias', { magnitude: 1, bias: 'alibi' }, { f32: PACKED, f16: PACKED, bf16: ANY }],
    ['a window', { window: 3 }, { f32: PACKED, f16: PACKED, bf16: ANY }],
    ['heads of 26', { headWidth: 26 }, { f32: PACKED, f16: PACKED, bf16: ANY }],
    ['grouped heads', { copies: 2 }, { f32: ANY, f16: GROUPED, bf16: GROUPED }],
    ['causal heads', { causal: true }, { f32: ANY, f16: GROUPED, bf16: GROUPED }],
    ['causal heads with a window', { causal: true, window: 3 }, { f32: ANY, f16: GROUPED, bf16: GROUPED }],
    ['causal heads of 26', { causal: true, headWidth: 26 }, { f32: ANY, f16: ANY, bf16: ANY }],
    ['causal heads with a bias', { causal: true, bias: 'alibi' }, { f32: ANY, f16: ANY, bf16: ANY }],
  ]
  test.each(CHOICES)('for %s', async (_, given, expected) => {
    for (const dtype of ['f32', 'f16', 'bf16'] as const) {
      const graph = await graphOf(`cuda-${dtype}`, given)
      const found = [PACKED, GROUPED, ANY].filter((op) => all(graph, op).length > 0)
      expect(found).toEqual([expected[dtype]])
    }
  })
})

describe('rows of a step of tokens', () => {
  const NONE = { f32: 1, f16: 1, bf16: 1 }
  const SOME = { f32: 16, f16: 8, bf16: 8 }
  const STEPS: readonly (readonly [string, Partial<AttentionCase>, Readonly<Record<FloatDtype, number>>])[] =
    [
      ['not asked for by plain heads', {}, NONE],
      ['not asked for by grouped causal heads', { causal: true, copies: 2 }, NONE],
      ['asked for by a bias', { bias: 'alibi' }, SOME],
      ['asked for by a window', { window: 3 }, SOME],
      ['asked for by a window over grouped heads', { copies: 2, window: 3 }, SOME],
      ['asked for by causal heads with a bias', { causal: true, bias: 'relative' }, SOME],
      [
        'asked for by a causal window only where the kernel has none of its own',
        { causal: true, window: 3 },
        { ...NONE, f32: 16 },
      ],
    ]
  test.each(STEPS)('are %s', async (_, given, expected) => {
    for (const dtype of ['f32', 'f16', 'bf16'] as const) {
      const drawn = { ...PLAIN, ...given }
      const { lengthStep } = await openAttention(await makeFolder(), drawn, TARGETS[`cuda-${dtype}`])
      expect(lengthStep).toBe(expected[dtype])
    }
  })

  test('are not asked for on the CPU', async () => {
    const drawn = { ...PLAIN, bias: 'alibi', window: 3 } as const
    expect(await openAttention(await makeFolder(), drawn)).toMatchObject({ lengthStep: 1 })
  })
})

test('BERT’s attention is one product and one kernel that takes its biases', async () => {
  const graph = await graphOf('cuda-f16', {})
  const ops = graph.nodes.map(({ op }) => op).filter((op) => op !== 'Reshape')
  expect(ops).toEqual(['Gather', 'Cast', 'FusedMatMul', 'PackedMultiHeadAttention', 'Cast'])
  const [attention] = all(graph, 'PackedMultiHeadAttention')
  const bias = graph.initializers.find(({ value }) => value.name === attention?.inputs[3])
  expect(bias?.value).toMatchObject({ dtype: 'f16', shape: [3 * 2 * 16] })
})

test('the weights of query, key and value take turns, a head each', async () => {
  const graph = await graphOf('cuda-f16', {})
  const recipe = graph.initializers.find(({ value }) => value.shape.join() === '96,4')?.source
  expect(recipe).toMatchObject({ dtype: 'f16', turnRows: 16, parts: [{}, {}, {}] })
})

test('GroupQueryAttention has room for the key and the value that it writes in any case', async () => {
  const graph = await graphOf('cuda-bf16', {})
  const [node] = all(graph, 'GroupQueryAttention')
  expect(node?.outputs.map(({ name }) => name === '')).toEqual([false, false, false])
})

test('RMS norms of one epsilon are left to GroupQueryAttention, others stand before it', async () => {
  const inside = await graphOf('cuda-bf16', { headNorms: HEAD })
  expect(all(inside, 'SimplifiedLayerNormalization')).toEqual([])
  expect(all(inside, 'GroupQueryAttention')).toMatchObject([
    { attributes: { qk_norm_epsilon: { float: 1e-3 } } },
  ])
  const outside = await graphOf('cuda-bf16', { headNorms: ALL })
  expect(all(outside, 'LayerNormalization')).toHaveLength(2)
  expect(all(outside, 'GroupQueryAttention')[0]?.inputs[14]).toBeUndefined()
})

test('norms of different epsilons stand before GroupQueryAttention, which has one', () => {
  const kernels = TARGETS['cuda-bf16'].kernels
  const b = new GraphBuilder()
  const x = kernels.lookup(b, { values: ref([9, 4]), scale: undefined }, b.input('ids'))
  const linear = () => ({ weight: { values: ref([16, 4]), scale: undefined }, bias: undefined })
  const headNorm = (epsilon: number) => ({
    norm: { kind: 'rms', weight: ref([8]), bias: undefined, epsilon, plusOne: false } as const,
    over: 'head' as const,
  })
  const inputs = attentionOf({
    query: linear(),
    key: linear(),
    value: linear(),
    heads: 2,
    headWidth: 8,
    queryNorm: headNorm(1e-6),
    keyNorm: headNorm(1e-5),
  })
  const graph = b.finish({ output: kernels.attention(b, x, inputs) })
  expect(all(graph, 'SimplifiedLayerNormalization')).toMatchObject([
    { attributes: { epsilon: { float: 1e-6 } } },
    { attributes: { epsilon: { float: 1e-5 } } },
  ])
})

test('what is added to scores is finite in half precision, also where a window meets the end of a row', async () => {
  const graph = await graphOf('cuda-f16', { copies: 2, window: 1, lengths: [1, 9] })
  const hidden = graph.initializers.flatMap(({ value, source }) =>
    value.dtype === 'f32' && source instanceof Uint8Array ? [...new Float32Array(source.slice().buffer)] : [],
  )
  expect(hidden).toContain(-30_000)
  expect(Number.isFinite(new Float16Array([2 * Math.min(...hidden)])[0])).toBe(true)
})
