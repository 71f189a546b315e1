/** Short forms of the plans that every family writes down. */
import type { LinearPlan, NormPlan } from '../layers/encoder-plan.ts'

export function linear(name: string): LinearPlan {
  return { name, bias: true }
}

export function unbiased(name: string): LinearPlan {
  return { name, bias: false }
}

export function layerNorm(name: string, epsilon: number): NormPlan {
  return { name, kind: 'layer', epsilon, bias: true }
}

export function rmsNorm(name: string, epsilon: number): NormPlan {
  return { name, kind: 'rms', epsilon, bias: false }
}

/** With a bias or without, as a setting says. */
export function biasedIf(bias: boolean): (name: string) => LinearPlan {
  return bias ? linear : unbiased
}

/** One of `count` blocks of rows of the same size. */
export function partOf(plan: LinearPlan, index: number, count: number): LinearPlan {
  return { ...plan, part: [index, count] }
}
