/** What stands before the first text of a pair, or what a model that is asked about pairs is told instead. */
import type { ModelSpec } from '../model/spec.ts'
import type { PromptChoice } from '../task.ts'
import { findPrompt } from './find-prompt.ts'
import type { FoundPrompt } from './find-prompt.ts'

export interface FoundPairPrompt extends FoundPrompt {
  /** Undefined: the model's own, if it has one. */
  readonly instruction: string | undefined
  /** What is read with each pair, whichever of them it is: sizes count it. */
  readonly told: FoundPrompt['prompt']
}

const NOTHING = { text: '', pooled: true }

/** Throws as `findPrompt` does. */
export function findPairPrompt(
  spec: ModelSpec,
  {
    instruction,
    prompt: choice,
  }: { readonly instruction?: string | undefined; readonly prompt?: PromptChoice | undefined },
): FoundPairPrompt {
  const pairPrompt = spec.tokenizer?.pairPrompt
  const isAsked = pairPrompt !== undefined
  const found = findPrompt(
    spec,
    instruction === undefined ? choice : { text: isAsked ? instruction : spaced(instruction) },
  )
  if (!isAsked) return { ...found, instruction: undefined, told: found.prompt }
  const asked = found.prompt.text || undefined
  const told = { text: asked ?? pairPrompt.instruction ?? '', pooled: true }
  return { ...found, prompt: NOTHING, instruction: asked, told }
}

/** An instruction is a sentence; what follows it begins apart. */
export function spaced(instruction: string): string {
  return /\s$/.test(instruction) ? instruction : `${instruction} `
}
