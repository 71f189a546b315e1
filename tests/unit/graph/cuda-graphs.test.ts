/** Every fixture's graph for every CUDA target, as far as it can be proven without a GPU. */
import { afterAll, describe, expect, test } from 'vitest'
import { CPU } from '../../../src/devices/device.ts'
import { buildGraph } from '../../../src/graph/build.ts'
import { checkGraph } from '../../../src/graph/check.ts'
import type { CompiledGraph } from '../../../src/graph/contract.ts'
import { encodeGraph } from '../../../src/graph/encode.ts'
import type { Dtype, Graph } from '../../../src/graph/ir.ts'
import type { TargetName } from '../../../src/graph/target.ts'
import { TARGETS } from '../../../src/graph/target.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { ModelSpec } from '../../../src/model/spec.ts'
import { openExported } from '../../../src/runtime/exported-session.ts'
import { layOut } from '../../../src/runtime/feeds.ts'
import type { Session } from '../../../src/runtime/session.ts'
import { createSession } from '../../../src/runtime/session.ts'
import { placeWeights } from '../../../src/runtime/weights.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'
import { listFixtures, openGolden } from '../../interpreter/golden-batch.ts'
import { makeFolder } from '../model/model-folder.ts'
import { CUDA_KERNELS, CUDNN_ONLY, leftToCpu } from './cuda-kernels.ts'
import { largestDifference } from './ragged.ts'
import { tinyBert } from './tiny-bert.ts'

const NAMES: readonly TargetName[] = ['cuda-f32', 'cuda-f16', 'cuda-bf16']
const fixtures = listFixtures()
const tokenizers = new TokenizerThread()
afterAll(() => tokenizers.close())

/** What ONNX Runtime says where a graph is right and its CPU provider has no kernel for a node. */
const NO_KERNEL = /made no session: (Could not find an implementation for|Failed to find kernel for) (\S+)/

/** Of the largest number of a row, or of 1 where all are smaller. */
const TOLERANCES: Readonly<Record<string, number>> = { fp32: 2e-5, fp16: 2e-2, bf16: 2e-2 }

/** The norm of the query, among the inputs of GroupQueryAttention. */
const NORM = 14

test('there are fixtures', () => {
  expect(fixtures.length).toBeGreaterThan(30)
})

describe.each(NAMES)('%s', (target) => {
  test.each(fixtures)(
    'has a kernel for every node of $name, and ONNX Runtime takes the graph',
    async (fixture) => {
      const spec = await openFolder(fixture.folder)
      const compiled = buildGraph(spec, target)
      const { graph } = compiled
      checkGraph(graph)
      expect(leftToCpu(graph)).toEqual([])
      const session = await openOnCpu(graph)
      if (typeof session === 'string') expect(session).toMatch(NO_KERNEL)
      else
        await expectGolden(fixture, target, {
          session: await behindExported(session, compiled, spec),
          compiled,
        })
    },
  )
})

/** Of an exported model the head runs behind the model itself, on the CPU both. */
async function behindExported(
  session: Session,
  { body, graph }: CompiledGraph,
  { exported }: ModelSpec,
): Promise<Session> {
  if (body === undefined || exported === undefined) return session
  return openExported({ model: exported, body, graph, session }, { device: CPU, threadCount: 1 })
}

interface Opened {
  readonly session: Session
  readonly compiled: CompiledGraph
}

/** A graph all of whose operators the CPU knows as well is run there. */
async function expectGolden(
  fixture: (typeof fixtures)[number],
  target: TargetName,
  { session, compiled }: Opened,
): Promise<void> {
  const { batch, expected } = await openGolden(fixture, tokenizers)
  const feeds = layOut(batch, compiled.inputs, compiled)
  if (compiled.graph.nodes.some(({ op, inputs }) => op === 'GroupQueryAttention' && inputs.length > NORM)) {
    await expect(session.run(feeds)).rejects.toThrow('implemented only on the CUDA and WebGPU EPs')
    return session.release()
  }
  const { rows } = await session.run(feeds)
  await session.release()
  for (const [b, { numbers, from }] of expected.entries()) {
    const first = (b + from) * compiled.outputWidth
    const found = [...rows.subarray(first, first + numbers.length)]
    const largest = Math.max(1, ...numbers.map(Math.abs))
    const tolerance = TOLERANCES[TARGETS[target].dtype] ?? 0
    expect(largestDifference(found, numbers) / largest).toBeLessThanOrEqual(tolerance)
  }
}

test('a graph tells the step of its rows that its kernels ask for', async () => {
  const steps = async (name: string) => {
    const fixture = fixtures.find((candidate) => candidate.name === name)
    const spec = await openFolder(fixture?.folder ?? name)
    return NAMES.map((target) => buildGraph(spec, target).lengthStep)
  }
  expect(await steps('mpnet/mpnet-mean-normalize')).toEqual([16, 8, 8])
  expect(await steps('bert/bert-cls')).toEqual([1, 1, 1])
})

test('a graph whose shapes are wrong is refused for that, before kernels are looked for', async () => {
  const { graph } = buildGraph(tinyBert(), 'cuda-f16')
  const nodes = graph.nodes.map((node) =>
    node.op === 'SkipLayerNormalization' ? { ...node, inputs: node.inputs.slice(0, 2) } : node,
  )
  const refusal = await openOnCpu(selfContained({ ...graph, nodes }))
  expect(refusal).toContain('SkipLayerNormalization')
  expect(refusal).not.toMatch(NO_KERNEL)
})

test('what has no kernel on CUDA is found', () => {
  const { graph } = buildGraph(tinyBert(), 'cuda-f16')
  const nodes = graph.nodes.map((node) =>
    node.op === 'BiasGelu' ? { ...node, op: 'LpNormalization' } : node,
  )
  const words = expect.stringMatching(/^LpNormalization of f16 /)
  expect(leftToCpu({ ...graph, nodes })).toEqual([words, words])
  expect(CUDNN_ONLY.filter((op) => op in CUDA_KERNELS)).toEqual([])
})

const BYTES: Readonly<Record<Dtype, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  u8: 1,
  i8: 1,
  i32: 4,
  i64: 8,
  bool: 1,
}

/** The files of tinyBert do not exist: zeros that the graph carries stand for them. */
function selfContained(graph: Graph): Graph {
  const initializers = graph.initializers.map(({ value, source }) => {
    if (source instanceof Uint8Array) return { value, source }
    const count = value.shape.reduce<number>((product, size) => product * Number(size), 1)
    return { value, source: new Uint8Array(count * BYTES[value.dtype]) }
  })
  return { ...graph, initializers }
}

/** A session, or the refusal: shapes and dtypes of all nodes are inferred before the first kernel is looked for. */
async function openOnCpu(graph: Graph): Promise<Session | string> {
  const placed = await placeWeights(graph, await makeFolder())
  try {
    return await createSession(encodeGraph(placed.graph), { device: CPU, threadCount: 1 })
  } catch (error) {
    return (error as Error).message
  }
}
