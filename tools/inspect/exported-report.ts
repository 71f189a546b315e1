/** Of a folder that has an exported model in place of weights: which file it is, and what it says of itself. */
import type { ModelSpec } from '../../src/model/spec.ts'

export interface ExportedReport {
  readonly file: string
  readonly dtype: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Bytes of its weights, in the file and beside it. */
  readonly bytes: number
  /** The same by their type. */
  readonly dtypes: Readonly<Record<string, number>>
}

export function reportExported({ exported }: ModelSpec): ExportedReport | undefined {
  if (exported === undefined) return undefined
  const { name, dtype, inputs, outputs, stored } = exported
  return {
    file: name,
    dtype,
    inputs: inputs.map((value) => value.name),
    outputs: outputs.map((value) => value.name),
    bytes: Object.values(stored).reduce((sum, bytes) => sum + bytes, 0),
    dtypes: stored,
  }
}
