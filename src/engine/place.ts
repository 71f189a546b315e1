import type { Priority } from '../task.ts'

/** A request's place in a queue: what of it no batch holds yet. Only `Admission` changes it. */
export interface Place {
  readonly priority: Priority
  items: number
  /** Estimated until they are tokenized. */
  tokens: number
}

/** The most urgent first. */
export const PRIORITIES = ['high', 'normal', 'low'] as const satisfies readonly Priority[]
