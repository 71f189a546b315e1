/** Small faults in a right graph or in what it is fed must show: tests of the test that holds targets against goldens. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildGraph } from '../../src/graph/build.ts'
import type { CompiledGraph, InputRole } from '../../src/graph/contract.ts'
import type { Attribute, Graph, GraphNode, WeightRecipe } from '../../src/graph/ir.ts'
import type { TargetName } from '../../src/graph/target.ts'
import { layOut } from '../../src/runtime/feeds.ts'
import type { RaggedBatch } from '../../src/runtime/runner.ts'
import { TokenizerThread } from '../../src/tokenize/tokenizer.ts'
import type { GoldenBatch } from './golden-batch.ts'
import { listFixtures, openGolden } from './golden-batch.ts'
import { goldenDistance } from './golden-distance.ts'

/** A hundred times of what right graphs are apart from the goldens, without rounding. */
const SEEN = 2e-3

interface Fault {
  readonly what: string
  readonly fixture: string
  readonly target: TargetName
  readonly change: (graph: Graph) => Graph
}

const FAULTS: readonly Fault[] = [
  {
    what: 'rows of query and key swapped in an interleaved weight',
    fixture: 'bert/bert-mean-normalize',
    target: 'cuda-f16',
    change: changeRecipes(({ turnRows, parts: [query, key, value], ...recipe }) =>
      turnRows === undefined || !query || !key || !value
        ? undefined
        : { ...recipe, turnRows, parts: [key, query, value] },
    ),
  },
  {
    what: 'half of the rows that take turns',
    fixture: 'bert/bert-mean-normalize',
    target: 'cuda-f32',
    change: changeRecipes((recipe) => recipe.turnRows && { ...recipe, turnRows: recipe.turnRows / 2 }),
  },
  {
    what: 'weights of the norms that lack their one',
    fixture: 'gemma/gemma-last',
    target: 'cuda-bf16',
    change: changeRecipes(({ plusOne, ...recipe }) => plusOne && recipe),
  },
  dropped('SkipLayerNormalization', 4, 'cuda-f32'),
  dropped('SkipLayerNormalization', 3, 'cuda-f16'),
  dropped('BiasGelu', 1, 'cuda-bf16'),
  dropped('PackedMultiHeadAttention', 3, 'cuda-f32'),
  dropped('Gemm', 2, 'cpu-f32'),
  {
    what: 'twice the same for a norm and its residual',
    fixture: 'qwen/qwen3-last',
    target: 'cuda-f16',
    change: changeNodes('SkipSimplifiedLayerNormalization', (node) => ({
      ...node,
      inputs: node.inputs.with(1, node.inputs[0] as string),
    })),
  },
  set('GroupQueryAttention', { causal: { int: 0 } }, 'qwen/qwen3-last', 'cuda-f16'),
  set('GroupQueryAttention', { causal: { int: 1 } }, 'bert/bert-mean-normalize', 'cpu-f32'),
  set('GroupQueryAttention', { rotary_interleaved: { int: 1 } }, 'qwen/qwen3-last', 'cuda-bf16'),
  set('GroupQueryAttention', { local_window_size: { int: 5 } }, 'llama/mistral-window', 'cuda-f16'),
  set('GroupQueryAttention', { qk_norm_epsilon: { float: 0.1 } }, 'qwen/qwen3-last', 'cuda-f16'),
  set('PackedMultiHeadAttention', { scale: { float: 0.4 } }, 'bert/bert-mean-normalize', 'cuda-f16'),
]

interface FeedFault {
  readonly role: InputRole
  readonly fixture: string
  readonly target: TargetName
  readonly change: (data: Int32Array) => Int32Array
}

const FEED_FAULTS: readonly FeedFault[] = [
  {
    role: 'last_positions',
    fixture: 'bert/bert-mean-normalize',
    target: 'cuda-bf16',
    change: (lasts) => lasts.with(2, (lasts[2] as number) - 1),
  },
  {
    role: 'counted_positions',
    fixture: 'roberta/roberta-odd-heads',
    target: 'cuda-f16',
    change: (positions) => positions.map((_, token) => token % 7),
  },
  {
    role: 'packed_rows',
    fixture: 'qwen/qwen3-last',
    target: 'cuda-f16',
    change: (rows) => rows.map((row) => Math.max(0, row - 1)),
  },
]

const tokenizers = new TokenizerThread()
afterAll(() => tokenizers.close())

describe.each(FAULTS)('$what, $fixture on $target', ({ fixture, target, change }) => {
  let golden: GoldenBatch
  beforeAll(async () => {
    golden = await open(fixture)
  })

  test('is seen, and without it there is no distance', () => {
    const right = buildGraph(golden.spec, target)
    const wrong: CompiledGraph = { ...right, graph: change(right.graph) }
    expect(wrong.graph).not.toEqual(right.graph)
    expect(goldenDistance(golden, right, { rounding: 'none' }).difference).toBeLessThan(SEEN / 100)
    expect(goldenDistance(golden, wrong, { rounding: 'none' }).difference).toBeGreaterThan(SEEN)
  })
})

test.each(FEED_FAULTS)('wrong $role of $fixture on $target are seen', async ({ role, ...fault }) => {
  const golden = await open(fault.fixture)
  const compiled = buildGraph(golden.spec, fault.target)
  const feeds = layOut(golden.batch, compiled.inputs, compiled)
  const feed = feeds.get(role)
  if (!(feed?.data instanceof Int32Array)) throw new Error(`the graph does not ask for ${role}`)
  feeds.set(role, { ...feed, data: fault.change(feed.data) })
  expect(goldenDistance(golden, compiled, { rounding: 'none', feeds }).difference).toBeGreaterThan(SEEN)
})

describe('a row of a packed batch that begins one token late', () => {
  test('is seen in the numbers', async () => {
    const { golden, compiled, feeds, shifted } = await packed()
    for (const role of ['bounds', 'padded_places'] as const) feeds.set(role, shifted.get(role) as never)
    expect(goldenDistance(golden, compiled, { rounding: 'none', feeds }).difference).toBeGreaterThan(SEEN)
  })

  test('is refused where the places of the tokens tell otherwise', async () => {
    const { golden, compiled, feeds, shifted } = await packed()
    feeds.set('bounds', shifted.get('bounds') as never)
    expect(() => goldenDistance(golden, compiled, { feeds })).toThrow(/row \d has offset \d+, not \d+/)
  })

  async function packed() {
    const golden = await open('bert/bert-mean-normalize')
    const compiled = buildGraph(golden.spec, 'cuda-f16')
    const { bounds } = golden.batch
    const late: RaggedBatch = { ...golden.batch, bounds: bounds.with(3, (bounds[3] as number) + 1) }
    const roles = compiled.inputs
    const feeds = layOut(golden.batch, roles, compiled)
    return { golden, compiled, feeds, shifted: layOut(late, roles, compiled) }
  }
})

describe('a norm whose weight makes numbers beyond float16', () => {
  const loud = (golden: GoldenBatch, target: TargetName): CompiledGraph => {
    const compiled = buildGraph(golden.spec, target)
    const { graph } = compiled
    const name = graph.nodes.find(({ op }) => op === 'LayerNormalization')?.inputs[1]
    const initializers = graph.initializers.map(({ value, source }) => {
      if (value.name !== name) return { value, source }
      const values = new Float32Array(value.shape[0] as number).fill(50_000)
      // bfloat16 is the upper half of a float32.
      const numbers =
        value.dtype === 'f16'
          ? Float16Array.from(values)
          : new Uint16Array(values.buffer).filter((_, i) => i % 2 === 1)
      return { value, source: new Uint8Array(numbers.buffer) }
    })
    return { ...compiled, graph: { ...graph, initializers } }
  }

  test('gives no numbers in f16, and numbers in bf16', async () => {
    const golden = await open('bert/bert-mean-normalize')
    expect(goldenDistance(golden, loud(golden, 'cuda-f16')).difference).toBeNaN()
    expect(goldenDistance(golden, loud(golden, 'cuda-bf16')).difference).toBeLessThan(3)
  })
})

async function open(name: string): Promise<GoldenBatch> {
  const fixture = listFixtures().find((candidate) => candidate.name === name)
  if (fixture === undefined) throw new Error(`there is no fixture ${name}`)
  return openGolden(fixture, tokenizers)
}

function changeNodes(op: string, change: (node: GraphNode) => GraphNode): Fault['change'] {
  return (graph) => ({ ...graph, nodes: graph.nodes.map((node) => (node.op === op ? change(node) : node)) })
}

/** Of recipes for which `change` gives nothing there is no change. */
function changeRecipes(
  change: (recipe: WeightRecipe) => WeightRecipe | boolean | number | undefined,
): Fault['change'] {
  return (graph) => ({
    ...graph,
    initializers: graph.initializers.map(({ value, source }) => {
      const changed = 'parts' in source ? change(source) : undefined
      return { value, source: typeof changed === 'object' ? changed : source }
    }),
  })
}

function dropped(op: string, input: number, target: TargetName): Fault {
  return {
    what: `input ${input} of ${op} left out`,
    fixture: 'bert/bert-mean-normalize',
    target,
    change: changeNodes(op, (node) => ({ ...node, inputs: node.inputs.with(input, '') })),
  }
}

function set(
  op: string,
  attributes: Readonly<Record<string, Attribute>>,
  fixture: string,
  target: TargetName,
): Fault {
  return {
    what: `${op} with ${JSON.stringify(attributes)}`,
    fixture,
    target,
    change: changeNodes(op, (node) => ({ ...node, attributes: { ...node.attributes, ...attributes } })),
  }
}
