/** The run: what is most telling first, within the time there is. */
import { mkdirSync } from 'node:fs'
import { findFamily } from '../../src/graph/families/registry.ts'
import { messageOf } from '../../src/errors.ts'
import type { ShapeName } from '../../tools/random-model/shapes.ts'
import { SHAPES } from '../../tools/random-model/shapes.ts'
import type { WeightDtype } from '../../tools/random-model/write-weights.ts'
import { listFixtures } from './fixtures.ts'
import type { Flags, Part } from './flags.ts'
import { goldenDtypes, goldenTask, makeTask, peerTask, speedTask, startTask, variantTask } from './plan.ts'
import type { Surroundings } from './plan.ts'
import type { Results } from './results.ts'
import type { Finding } from './rows.ts'
import { TaskRunner } from './task-runner.ts'

/** A program that crashes on every fixture need not be started for each. */
const GOLDEN_STARTS = 5
const FIXTURES_OF_QUICK = 4

export async function runAll(where: Surroundings, results: Results, signal: AbortSignal): Promise<void> {
  const { flags } = where
  const deadline = Date.now() + flags.minutes * 60_000
  const runner = new TaskRunner(results, { deadline, signal, print: console.log })
  const has = (part: Part) => flags.parts.includes(part)
  const models = flags.models.filter((model) => isSupported(model, results))
  mkdirSync(where.modelsDir, { recursive: true })
  const needsModels = flags.parts.some((part) => part !== 'golden')
  const made = needsModels ? [...new Set([...(needsFloor(flags) ? [FLOOR] : []), ...models])] : []
  // neither is timed
  const golden = has('golden') ? goldenDtypes(flags).map((dtype) => runGolden(dtype, where, runner)) : []
  await Promise.all([...golden, makeModels(made, where, runner)])
  if (needsFloor(flags) && !models.includes(FLOOR)) await runner.run(startTask(FLOOR, where))
  const [first] = models
  let hasPeer = has('peer')
  for (const model of models) {
    if (has('speed')) await runner.run(speedTask(model, where))
    // right after, on a card as warm
    if (hasPeer) hasPeer = isThere(await runner.run(peerTask(model, where)))
    if (has('start')) await runner.run(startTask(model, where))
    if (has('variants') && model === first) {
      for (const variant of flags.variants) await runner.run(variantTask(model, variant, where))
    }
  }
}

/** Its start is that of Node, ONNX Runtime and the driver: what is left of a larger model's start is the model's own. */
const FLOOR: ShapeName = 'tiny-bert'

function needsFloor({ cpu, parts }: Flags): boolean {
  return !cpu && parts.includes('start')
}

/** A peer that says nothing of one model would say nothing of the others. */
function isThere(findings: readonly Finding[] | undefined): boolean {
  return findings?.some(({ kind }) => kind === 'about') ?? false
}

async function makeModels(
  models: readonly ShapeName[],
  where: Surroundings,
  runner: TaskRunner,
): Promise<void> {
  for (const model of models) await runner.run(makeTask(model, where))
}

/** A family that this version cannot load is left out, and said. */
function isSupported(model: ShapeName, results: Results): boolean {
  try {
    findFamily({ name: model, modelType: SHAPES[model].family, tensors: {} })
    return true
  } catch (error) {
    results.add({ task: model, kind: 'problem', outcome: 'skipped', reason: messageOf(error) })
    return false
  }
}

/** After a crash the fixtures behind the one at fault get another process. */
async function runGolden(dtype: WeightDtype, where: Surroundings, runner: TaskRunner): Promise<void> {
  let left = pickFixtures(where)
  for (let start = 0; start < GOLDEN_STARTS && left.length > 0; start++) {
    const findings = await runner.run(goldenTask(dtype, left, where))
    if (findings === undefined) return
    left = fixturesLeft(left, findings)
  }
  if (left.length > 0) runner.skip(`golden ${dtype}`, `${left.length} fixtures were not reached`)
}

/** The last one that was begun has its answer, or is to blame for the crash; one is left out in any case. */
export function fixturesLeft(fixtures: readonly string[], findings: readonly Finding[]): readonly string[] {
  const begun = findings.filter(({ kind }) => kind === 'begin').length
  return fixtures.slice(Math.max(1, begun))
}

function pickFixtures({ flags }: Surroundings): readonly string[] {
  const all = listFixtures()
  if (!flags.fewFixtures) return all
  const families = Map.groupBy(all, (path) => path.split('/')[0])
  return [...families.values()].flatMap((paths) => paths.slice(0, FIXTURES_OF_QUICK))
}
