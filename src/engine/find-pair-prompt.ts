/** What stands before the first text of a pair, or what a model that is asked about pairs is told instead. */
import type { ModelSpec } from '../model/spec.ts'
import type { PromptChoice } from '../task.ts'
import { findPrompt } from './find-prompt.ts'
import type { FoundPrompt } from './find-prompt.ts'

export interface FoundPairPrompt extends FoundPrompt {
  /** Undefined: the model's own, if it has one. */
  readonly instruction: string | undefined
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
  const isAsked = spec.tokenizer.pairPrompt !== undefined
  const found = findPrompt(
    spec,
    instruction === undefined ? choice : { text: isAsked ? instruction : spaced(instruction) },
  )
  if (!isAsked) return { ...found, instruction: undefined }
  return { ...found, prompt: NOTHING, instruction: found.prompt.text || undefined }
}

/** An instruction is a sentence; what follows it begins apart. */
function spaced(instruction: string): string {
  return /\s$/.test(instruction) ? instruction : `${instruction} `
}
