import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { shortenFloat32 } from '../../base/float-text.ts'
import type { ClassifyResult } from '../../task.ts'

export const LabelScores = z.array(z.object({ score: z.number(), label: z.string() }))

export type LabelScores = z.infer<typeof LabelScores>

export interface LabelOptions {
  /** How many of the best labels are wanted. */
  readonly topK: number
  /** Before the activation. */
  readonly rawScores: boolean
}

/** Scores sorted before other work gets its turn: a few milliseconds. */
const SCORES_A_TURN = 8192

/** The labels of each text, best first; equal ones in the model's order. */
export async function labelScores(
  { labels, scores, logits }: ClassifyResult,
  { topK, rawScores }: LabelOptions,
): Promise<LabelScores[]> {
  const values = rawScores ? logits : scores
  const rows: LabelScores[] = []
  let sorted = 0
  for (let start = 0; start < values.length; start += labels.length) {
    const best = labels
      .map((label, index) => ({ score: values[start + index] as number, label }))
      .sort((a, b) => b.score - a.score)
      .slice(0, topK)
    rows.push(best.map(({ score, label }) => ({ score: shortenFloat32(score), label })))
    sorted += labels.length
    if (sorted < SCORES_A_TURN) continue
    sorted = 0
    await setImmediate()
  }
  return rows
}
