/** Are the numbers right, on this device and in this dtype? */
import { loadConfig } from '../../src/config.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { messageOf } from '../../src/errors.ts'
import { startService } from '../../src/start.ts'
import type { Distance, Golden } from './fixtures.ts'
import { distance, readFixture, worst } from './fixtures.ts'
import type { GoldenJob, Settings } from './jobs.ts'
import type { Finding, GoldenFinding } from './rows.ts'

/** A fixture that fails is a finding of its own; those behind it are measured all the same. */
export async function measureGolden(
  { fixtures, settings }: GoldenJob,
  emit: (finding: Finding) => void,
): Promise<void> {
  for (const fixture of fixtures) {
    emit({ kind: 'begin', fixture })
    try {
      emit(await measureFixture(fixture, settings))
    } catch (error) {
      emit({ kind: 'problem', outcome: 'failed', reason: messageOf(error), fixture })
    }
  }
}

async function measureFixture(fixture: string, settings: Settings): Promise<GoldenFinding> {
  const { family, folder, golden } = readFixture(fixture)
  const config = loadConfig({ ...settings, MODEL_NAMES: `model=${folder}` }, [])
  const { engine, close } = await startService({ config, log: () => {} })
  try {
    const [model] = engine.models()
    const distances =
      golden.kind === 'embed' ? await embedAll(engine, golden) : await scoreAll(engine, golden)
    const { maxDiff, minCosine } = worst(distances)
    return {
      kind: 'golden',
      family,
      fixture,
      dtypeRequested: settings['DTYPES'] ?? 'auto',
      dtype: model?.dtype ?? '',
      provider: model?.provider ?? '',
      cases: golden.cases.length,
      maxDiff,
      minCosine: golden.kind === 'embed' ? minCosine : undefined,
    }
  } finally {
    await close()
  }
}

type EmbedGolden = Extract<Golden, { kind: 'embed' }>
type PairGolden = Extract<Golden, { kind: 'rerank' }>

/** Each text alone, then all texts of a prompt at once: a batch takes other kernels. */
async function embedAll(engine: Engine, { cases }: EmbedGolden): Promise<Distance[]> {
  const distances: Distance[] = []
  const embed = async (some: EmbedGolden['cases']) => {
    const name = some[0]?.prompt_name
    const prompt = name === undefined ? undefined : { name, ifUnknown: 'refuse' as const }
    const texts = some.map(({ text }) => text)
    const { vectors, dimensions } = await engine.embed({ kind: 'embed', model: undefined, texts, prompt })
    for (const [row, { vector }] of some.entries()) {
      distances.push(distance(vectors.subarray(row * dimensions, (row + 1) * dimensions), vector))
    }
  }
  for (const single of cases) await embed([single])
  for (const name of new Set(cases.map((single) => single.prompt_name))) {
    await embed(cases.filter((single) => single.prompt_name === name))
  }
  return distances
}

async function scoreAll(engine: Engine, { cases }: PairGolden): Promise<Distance[]> {
  const distances: Distance[] = []
  const score = async (some: PairGolden['cases']) => {
    const texts = some.map(({ query }) => query)
    const pairs = some.map(({ document }) => document)
    const { scores } = await engine.classify({ kind: 'classify', model: undefined, texts, pairs })
    const width = scores.length / some.length
    for (const [row, { scores: wanted }] of some.entries()) {
      distances.push(distance(scores.subarray(row * width, (row + 1) * width), wanted))
    }
  }
  for (const single of cases) await score([single])
  await score(cases)
  return distances
}
