/** All sides of a model: its texts' and its towers', each with a graph of its own, in one thread. */
import { ServerError } from '../errors.ts'
import { buildGraph } from '../graph/build.ts'
import { fallbackOf } from '../graph/choose-target.ts'
import type { CompiledGraph } from '../graph/contract.ts'
import { hasRecipes } from '../graph/recipe.ts'
import type { ModelSpec } from '../model/spec.ts'
import type { FoundBudget } from './find-batch-budget.ts'
import type { LoadedGraph } from './load-graph.ts'
import { budgetOf, expectFinite, explainFailure, loadGraph, openSession, quietly } from './load-graph.ts'
import type { LoadAsk, PlaceAsk, PlaceReply } from './protocol.ts'
import type { Session } from './session.ts'
import { createSession } from './session.ts'
import { runBatch, warmUpBatch } from './warm-up.ts'

export interface LoadedSide {
  readonly graph: CompiledGraph
  readonly session: Session
}

export interface LoadedSides {
  /** Undefined: the model reads no text. */
  readonly text: LoadedGraph | undefined
  readonly image?: LoadedSide | undefined
  readonly audio?: LoadedSide | undefined
  /** The side that tells how wide rows are: of the texts, where there is one. */
  readonly first: LoadedSide
  /** Of batches of any side. */
  readonly budget: FoundBudget
  readonly unusedTensors: readonly string[]
}

type TowerName = 'image' | 'audio'

type Sides = Pick<LoadedSides, 'text' | TowerName>

/**
 * Loads every side, the towers first: what they take is gone from the device before the size of batches is looked for. Throws
 * as `loadGraph` does, and `model_invalid` where the sides make vectors of different widths; of the device's memory nothing
 * stays taken then. `open`: makes sessions; another one for tests.
 */
export async function loadSides(ask: LoadAsk, open = createSession): Promise<LoadedSides> {
  const { spec } = ask
  const names = towersOf(spec)
  const sideCount = names.length + (spec.tokenizer === undefined ? 0 : 1)
  const towers: { [N in TowerName]?: LoadedSide } = {}
  let text: LoadedGraph | undefined
  try {
    for (const name of names) towers[name] = await openTower(name, ask, open)
    if (spec.tokenizer !== undefined) text = await loadGraph(ask, open, sideCount)
    const sides = { text, ...towers }
    const first = expectOneSpace(spec, sides)
    const budgets = text === undefined ? [] : [text.budget]
    for (const name of names) budgets.push(await towerBudget(towers[name] as LoadedSide, ask, sideCount))
    return { ...sides, first, budget: least(budgets), unusedTensors: unusedByAll(sides) }
  } catch (error) {
    await releaseSides({ text, ...towers })
    throw error
  }
}

/** Gives back what they hold of the device's memory; what fails then is not told. */
export async function releaseSides(sides: Sides): Promise<void> {
  for (const side of [sides.text, sides.image, sides.audio]) {
    if (side !== undefined) await quietly(side.session.release)
  }
}

/** Converts a model's weights for all who will load it with this folder. Throws `Overflow` as a load does. */
export async function placeForAll({ spec, target, cacheFolder }: PlaceAsk): Promise<PlaceReply> {
  const parts: { readonly graph: CompiledGraph['graph']; readonly part?: TowerName }[] = []
  if (spec.tokenizer !== undefined) parts.push({ graph: buildGraph(spec, target).graph })
  for (const part of towersOf(spec))
    parts.push({ graph: (await compileTower(part, { spec, target })).graph, part })
  let isKept = true
  for (const { graph, part } of parts) {
    if (!hasRecipes(graph)) continue
    const { keepWeights } = await import('./weights.ts')
    isKept = (await keepWeights(graph, cacheFolder, part)) && isKept
  }
  return { isKept }
}

function towersOf({ image, audio }: ModelSpec): TowerName[] {
  return [...(image ? (['image'] as const) : []), ...(audio ? (['audio'] as const) : [])]
}

/** Compiled, on its device, and run once. */
async function openTower(name: TowerName, ask: LoadAsk, open: typeof createSession): Promise<LoadedSide> {
  try {
    const graph = await compileTower(name, ask)
    const session = await openSession(graph.graph, ask, open, name)
    const side = { graph, session }
    try {
      // As many tokens as most pictures have: then it is seen that they run, and that half precision holds them.
      await runTower(side, [graph.maxTokens], ask)
    } catch (error) {
      await quietly(session.release)
      throw error
    }
    return side
  } catch (error) {
    throw explainFailure(error, ask)
  }
}

async function compileTower(
  name: TowerName,
  { spec, target }: Pick<LoadAsk, 'spec' | 'target'>,
): Promise<CompiledGraph> {
  // Most models have none.
  const { buildTower } = await import('../graph/build-tower.ts')
  return buildTower(spec, name, target)
}

async function runTower(
  { graph, session }: LoadedSide,
  lengths: readonly number[],
  { target, device }: LoadAsk,
): Promise<void> {
  const batch = warmUpBatch(lengths, graph, false)
  const outputs = await runBatch(graph, session, batch)
  if (fallbackOf(target, device) !== undefined) expectFinite(outputs, batch, target)
}

async function towerBudget(side: LoadedSide, ask: LoadAsk, sideCount: number): Promise<FoundBudget> {
  const maxRowTokens = side.graph.maxTokens
  try {
    return await budgetOf(ask, { maxRowTokens, sideCount }, (lengths) =>
      // Every row of a tower is as long as the longest, or about so.
      runTower(side, evenly(lengths, maxRowTokens), ask),
    )
  } catch (error) {
    throw explainFailure(error, ask)
  }
}

/** As many whole rows as these have tokens, one at least. */
function evenly(lengths: readonly number[], rowTokens: number): number[] {
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  return Array<number>(Math.max(1, Math.floor(tokens / rowTokens))).fill(rowTokens)
}

/** Gives the first of them. */
function expectOneSpace({ name }: ModelSpec, sides: Sides): LoadedSide {
  const all = Object.entries(sides).flatMap(([side, loaded]) => (loaded ? [[side, loaded] as const] : []))
  const [[, first] = []] = all
  if (first === undefined)
    throw new ServerError('internal', `${name} reads neither texts nor pictures nor sounds`)
  const { vectorWidth, outputWidth } = first.graph
  if (all.every(([, { graph }]) => graph.vectorWidth === vectorWidth && graph.outputWidth === outputWidth))
    return first
  const list = all.map(([side, { graph }]) => `${side} ${graph.vectorWidth}, ${showNorm(graph)}`).join('; ')
  throw new ServerError('model_invalid', `${name}: its sides have vectors that are not alike: ${list}`)
}

function showNorm({ outputWidth, vectorWidth }: CompiledGraph): string {
  return outputWidth > vectorWidth ? 'normalized' : 'not normalized'
}

function least(budgets: readonly FoundBudget[]): FoundBudget {
  return {
    batchTokens: Math.min(...budgets.map(({ batchTokens }) => batchTokens)),
    longestRowFits: budgets.every(({ longestRowFits }) => longestRowFits),
  }
}

/** Each side tells what it has no use for, be it another's. */
function unusedByAll({ text, image, audio }: Sides): readonly string[] {
  const [first, ...others] = [text, image, audio].flatMap((side) => (side ? [side.graph.unusedTensors] : []))
  const unused = others.map((names) => new Set(names))
  return first?.filter((name) => unused.every((names) => names.has(name))) ?? []
}
