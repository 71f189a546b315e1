import { expect, test } from 'vitest'
import { buildGraph } from '../../../../src/graph/build.ts'
import type { Graph } from '../../../../src/graph/ir.ts'
import { openFolder } from '../../../../src/model/open-folder.ts'
import { describeProcessor, keyOf } from '../../../../src/runtime/prepacked/key.ts'
import { fixturePath } from '../../model/model-folder.ts'

async function graphOf(name: string): Promise<Graph> {
  return buildGraph(await openFolder(fixturePath(name)), 'cpu-f32').graph
}

test('a key is the same for the same graph, and another for anything else', async () => {
  const graph = await graphOf('bert-mean-normalize')
  const key = await keyOf(graph, 'cpu-f32', 'avx2')
  expect(await keyOf(await graphOf('bert-mean-normalize'), 'cpu-f32', 'avx2')).toEqual(key)
  const changed = graph.initializers.map((initializer) =>
    initializer.source instanceof Uint8Array
      ? { ...initializer, source: initializer.source.map((byte) => byte ^ 1) }
      : initializer,
  )
  const others = await Promise.all([
    keyOf(graph, 'cpu-f32', 'avx512f'),
    keyOf({ ...graph, nodes: graph.nodes.slice(1) }, 'cpu-f32', 'avx2'),
    keyOf({ ...graph, initializers: changed }, 'cpu-f32', 'avx2'),
    keyOf(await graphOf('bert-cls'), 'cpu-f32', 'avx2'),
  ])
  const digests = [key, ...others].map((one) => one?.digest)
  expect(new Set(digests).size).toBe(5)
  for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{32}$/)
})

test('an owner is a model on a target and a kind of processor, whatever its graph', async () => {
  const graph = await graphOf('bert-mean-normalize')
  const owner = async (of: Graph, processor: string) => (await keyOf(of, 'cpu-f32', processor))?.owner
  const own = await owner(graph, 'avx2')
  expect(own).toMatch(/^model-[0-9a-f]{8}-cpu-f32-[0-9a-f]{8}$/)
  expect(await owner({ ...graph, nodes: [] }, 'avx2')).toBe(own)
  expect(await owner(graph, 'avx512f')).not.toBe(own)
  expect(await owner(await graphOf('bert-cls'), 'avx2')).not.toBe(own)
})

test('a graph in 8 bits has no key, for its codes depend on more than files', async () => {
  const { initializers, ...rest } = await graphOf('bert-mean-normalize')
  const codes = { makes: 'codes', weights: [], smoothing: undefined } as const
  const value = { name: 'codes', dtype: 'i8', shape: [1, 1] } as const
  const graph = { ...rest, initializers: [...initializers, { value, source: codes }] }
  expect(await keyOf(graph, 'cpu-f32', '')).toBeUndefined()
})

test('a graph that holds all of its weights has no key', async () => {
  expect(await keyOf({ inputs: [], initializers: [], nodes: [], outputs: [] }, 'cpu-f32', '')).toBeUndefined()
})

test('a processor is told by what it can do, and not by how fast it is at the moment', async () => {
  const text = await describeProcessor()
  expect(text).toMatch(/^(flags|Features)\s*:/m)
  expect(text).not.toMatch(/MHz|bogomips|apicid|^processor|core id|model name/im)
  expect(await describeProcessor()).toBe(text)
})
