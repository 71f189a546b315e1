/** Graphs of models whose tokens are compared. */
import { describe, expect, test } from 'vitest'
import { buildGraph } from '../../../src/graph/build.ts'
import type { Graph } from '../../../src/graph/ir.ts'
import { TARGETS } from '../../../src/graph/target.ts'
import type { TargetName } from '../../../src/graph/target.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { ModelSpec, MultiVectorHead } from '../../../src/model/spec.ts'
import { fixturePath } from '../model/model-folder.ts'

const open = (name: string) => openFolder(fixturePath(`multi_vector/${name}`))
const targets = Object.keys(TARGETS) as TargetName[]

function has({ nodes }: Graph, op: string): boolean {
  return nodes.some((node) => node.op === op)
}

describe.each(targets)('on %s', (target) => {
  test('tokens have vectors, and a row that of its first token', async () => {
    const { outputWidth, vectorWidth, tokenWidth } = buildGraph(await open('multi-vector-bert'), target)
    expect([outputWidth, vectorWidth, tokenWidth]).toEqual([12, 12, 12])
  })

  test('what is not seen is told by its id, and asked for only where there is such a thing', async () => {
    const hiding = buildGraph(await open('multi-vector-bert'), target)
    expect(hiding.unseenId).toBe(4)
    expect(hiding.inputs).toContain('last_seen_positions')
    expect(hiding.inputs).not.toContain('unseen_distances')
    const attended = buildGraph(await open('multi-vector-attended'), target)
    expect(attended.unseenId).toBeUndefined()
    expect(attended.inputs).not.toContain('last_seen_positions')
  })

  test('windows ask how far what is not seen stands', async () => {
    const { inputs } = buildGraph(await open('multi-vector-pylate'), target)
    expect(inputs).toContain('unseen_distances')
  })

  test('a dense model has the weight of a word and the vector of its token behind what it makes of it', async () => {
    const compiled = buildGraph(await open('bge-m3-three-heads'), target)
    expect([compiled.vectorWidth, compiled.tokenWidth]).toEqual([32, 32 + 1 + 12])
    expect(compiled.unseenId).toBeUndefined()
  })
})

test('on CUDA rows whose ends are not seen lie side by side, and all others as they did', async () => {
  const hiding = buildGraph(await open('multi-vector-bert'), 'cuda-f16')
  expect([has(hiding.graph, 'PackedMultiHeadAttention'), has(hiding.graph, 'MultiHeadAttention')]).toEqual([
    false,
    true,
  ])
  const attended = buildGraph(await open('multi-vector-attended'), 'cuda-f16')
  expect(has(attended.graph, 'PackedMultiHeadAttention')).toBe(true)
})

test('a body that masks its embeddings too is refused, unless all tokens are seen', async () => {
  const deberta = await openFolder(fixturePath('deberta/deberta-v3-mean-normalize'))
  const spec = (attended: boolean): ModelSpec => {
    const expansion = { id: 4, tokens: 9, attended }
    const rules = {
      query: { skippedIds: [], expansion },
      document: { skippedIds: [] },
      similarity: 'sum',
    } as const
    const head: MultiVectorHead = { kind: 'multi_vector', steps: [], rules }
    return { ...deberta, head }
  }
  expect(() => buildGraph(spec(false), 'cpu-f32')).toThrow(
    /not attended to, which models of model_type "deberta-v2"/,
  )
  expect(buildGraph(spec(true), 'cpu-f32').tokenWidth).toBeGreaterThan(0)
})
