import type { PoolingMode } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { InputRole } from '../contract.ts'
import type { Value } from '../ir.ts'
import type { Kernels } from '../kernels.ts'

/** What heads are built with. */
export interface PoolingShop {
  readonly b: GraphBuilder
  readonly kernels: Kernels
  /** What tells the token that `lasttoken` means, where it is not a row's last one. */
  readonly lastRows?: 'last_rows' | 'end_rows'
}

/** An average is a matrix product with weights that the runtime lays out: small, deterministic, free of padding. */
const AVERAGES: Partial<Record<PoolingMode, InputRole>> = {
  mean: 'mean_weights',
  mean_sqrt_len_tokens: 'mean_sqrt_weights',
  weightedmean: 'position_weights',
}

/** Token vectors [T, H] float32 to one a row: [B, H]. */
export function pool(
  { b, kernels, lastRows = 'last_rows' }: PoolingShop,
  states: Value,
  mode: PoolingMode,
): Value {
  if (mode === 'cls') return b.gather(states, b.input('first_rows'))
  if (mode === 'lasttoken') return b.gather(states, b.input(lastRows))
  if (mode === 'max') return kernels.greatest(b, b.gather(states, b.input('pooled_rows')))
  return b.node('MatMul', [b.input(AVERAGES[mode] as InputRole), states])
}
