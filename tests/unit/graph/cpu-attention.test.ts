import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Graph, GraphNode } from '../../../src/graph/ir.ts'
import { makeFolder } from '../model/model-folder.ts'
import type { AttentionCase } from './attention-case.ts'
import { attentionCases, openAttention } from './attention-case.ts'
import { largestDifference } from './ragged.ts'

const HEAD = { kind: 'rms', over: 'head' } as const
const ALL = { kind: 'layer', bias: true, over: 'all' } as const
const NO_EXTRAS = { magnitude: undefined, headNorms: undefined, bias: 'none' } as const

/** Forms of attention that take ways of their own; what one does not say is drawn. */
const KINDS: readonly (readonly [string, Partial<AttentionCase>])[] = [
  ['grouped heads, projected together', { ...NO_EXTRAS, headWidth: 8, gap: 0 }],
  ['grouped heads that the kernel turns', { headWidth: 16, magnitude: 1.3 }],
  ['grouped heads that are turned before the kernel', { headWidth: 24, magnitude: 1.3 }],
  ['small grouped heads that are turned before the kernel', { headWidth: 8, magnitude: 1 }],
  ['heads of 10 numbers', { headWidth: 10 }],
  ['heads of 26 numbers that are turned', { headWidth: 26, magnitude: 1 }],
  ['causal heads of 26 numbers with lengths and a bias', { headWidth: 26, causal: true, bias: 'relative' }],
  ['a window both ways', { causal: false, window: 1 }],
  ['a window to the left', { causal: true, window: 3 }],
  ['a window that sees the token alone', { window: 0 }],
  ['a window wider than the rows', { window: 40 }],
  ['a window over rows in pieces', { window: 1, lengths: [17, 9, 1, 8, 12], bias: 'none' }],
  [
    'a window to the left over rows in pieces',
    { window: 2, lengths: [17, 3, 16], causal: true, bias: 'none' },
  ],
  ['a relative bias', { bias: 'relative', window: undefined }],
  ['slopes', { bias: 'alibi', window: undefined }],
  ['a relative bias and a window', { bias: 'relative', window: 3 }],
  ['norms over each head', { headNorms: HEAD }],
  ['norms over all heads', { headNorms: ALL }],
  ['ends of rows that are not seen', { unseen: 3 }],
  ['ends that are not seen, of heads of 10 numbers', { unseen: 3, headWidth: 10 }],
  ['ends that are not seen, to the left', { unseen: 2, causal: true, headWidth: 16 }],
  ['ends that a window does not reach', { unseen: 6, window: 1, lengths: [17, 9, 1, 8, 12], bias: 'none' }],
  ['ends that a window to the left does not reach', { unseen: 6, window: 2, causal: true, bias: 'none' }],
  ['int8 weights', { linear: { bias: true, int8: true } }],
]

describe.each(KINDS)('attention with %s', (_, given) => {
  test('is the textbook’s within each row', async () => {
    await expectTextbook(given, 12)
  })

  test('gives a row of a batch what it gives the row alone', async () => {
    const folder = await makeFolder()
    const property = fc.asyncProperty(attentionCases(given), async (drawn) => {
      const { run } = await openAttention(folder, drawn)
      const rows = [...drawn.lengths.keys()]
      const [together = [], ...alone] = await run(rows, ...rows.map((row) => [row]))
      expect(largestDifference(together, alone.flat())).toBeLessThanOrEqual(1e-6)
    })
    await fc.assert(property, { numRuns: 4 })
  })
})

test('attention of any kind is the textbook’s', async () => {
  await expectTextbook({}, 60)
})

test('attention of long rows is the textbook’s', async () => {
  await expectTextbook({ lengths: [130, 1, 65, 64] }, 5)
})

async function expectTextbook(given: Partial<AttentionCase>, numRuns: number): Promise<void> {
  const folder = await makeFolder()
  const property = fc.asyncProperty(attentionCases(given), async (drawn) => {
    const { run, expected } = await openAttention(folder, drawn)
    const [found = []] = await run([...drawn.lengths.keys()])
    expect(largestDifference(found, expected())).toBeLessThanOrEqual(2e-5)
  })
  await fc.assert(property, { numRuns })
}

const PLAIN: AttentionCase = {
  seed: 1,
  lengths: [2],
  hiddenSize: 4,
  keyHeads: 1,
  copies: 2,
  headWidth: 16,
  sharpness: 1,
  causal: false,
  window: undefined,
  ...NO_EXTRAS,
  linear: { bias: true, int8: false },
  gap: 0,
}

async function graphOf(given: Partial<AttentionCase>): Promise<Graph> {
  return (await openAttention(await makeFolder(), { ...PLAIN, ...given })).graph
}

function all({ nodes }: Graph, op: string): GraphNode[] {
  return nodes.filter((node) => node.op === op)
}

test('weights that are neighbours in the file are one weight, with nothing joined', async () => {
  const graph = await graphOf({})
  expect(all(graph, 'Gemm')).toHaveLength(1)
  expect(all(graph, 'Concat')).toEqual([])
  const shapes = graph.initializers.map(({ value }) => value.shape.join())
  expect(shapes).toContain('64,4')
  expect(shapes).toContain('64')
})

test('int8 codes that are neighbours are one weight, and their scales another', async () => {
  const graph = await graphOf({ linear: { bias: false, int8: true } })
  expect(all(graph, 'Gemm')).toHaveLength(1)
  expect(all(graph, 'Concat')).toEqual([])
  const made = graph.initializers.map(({ value: { dtype, shape } }) => `${dtype} ${shape.join()}`)
  expect(made).toContain('i8 64,4')
  expect(made).toContain('f32 64,1')
})

test('weights that are apart are joined for one product', async () => {
  const graph = await graphOf({ gap: 8 })
  expect(all(graph, 'Gemm')).toHaveLength(1)
  expect(all(graph, 'Concat').map(({ inputs }) => inputs.length)).toEqual([3, 3])
})

test.each([
  ['by the kernel where heads are a multiple of 16', { headWidth: 16 }, 1, 0, 1],
  ['by the kernel after norms', { headWidth: 32, headNorms: HEAD }, 1, 0, 3],
  ['before the kernel where they are not', { headWidth: 8 }, 0, 2, 3],
  ['before the kernel in heads of 24', { headWidth: 24 }, 0, 2, 3],
])('query and key are turned %s', async (_, given, byKernel, before, products) => {
  const graph = await graphOf({ ...given, magnitude: 1 })
  const [kernel] = all(graph, 'GroupQueryAttention')
  expect(kernel?.attributes['do_rotary']).toEqual(byKernel === 1 ? { int: 1 } : undefined)
  expect(all(graph, 'RotaryEmbedding')).toHaveLength(before)
  expect(all(graph, 'Gemm')).toHaveLength(products)
})

test('heads of other than a multiple of 8 numbers go to MultiHeadAttention, each key head for its query heads', async () => {
  const graph = await graphOf({ headWidth: 10, causal: true })
  expect(all(graph, 'GroupQueryAttention')).toEqual([])
  expect(all(graph, 'MultiHeadAttention')).toMatchObject([
    { attributes: { num_heads: { int: 2 }, unidirectional: { int: 1 } } },
  ])
})
