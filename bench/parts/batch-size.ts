/** Which token budget of a batch is fastest on this CPU? */
import { interleave, median, mixedLengths, seededRandom, textOf } from '../harness.ts'
import { openEngineForBench } from '../open-engine.ts'
import type { Part } from './part.ts'

const BUDGETS = [256, 384, 512, 768, 1024, 2048]

export const benchBatchSize: Part = async (report, { rounds, throughputTexts }) => {
  const random = seededRandom(4)
  const lengths = mixedLengths(4 * throughputTexts, random)
  const texts = lengths.map((length) => textOf(length, random))
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  const opened = await Promise.all(
    BUDGETS.map((budget) => openEngineForBench({ MAX_BATCH_TOKENS: String(budget), BATCH_SIZES: '64' })),
  )
  const variants = BUDGETS.map((budget, index) => [
    String(budget),
    () => opened[index]?.engine.embed({ kind: 'embed', model: undefined, texts }),
  ])
  const seconds = await interleave(
    rounds,
    Object.fromEntries(variants) as Record<string, () => Promise<unknown>>,
  )
  report.section('tokens a batch (engine, mixed lengths)')
  for (const [name, values] of Object.entries(seconds))
    report.figure(name, `${Math.round(tokens / median(values))} tok/s`)
  await Promise.all(opened.map(({ close }) => close()))
}
