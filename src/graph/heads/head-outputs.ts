import type { Value } from '../ir.ts'

/** What a head makes of hidden states [T, H]. */
export interface HeadOutputs {
  /** [B, D]: what comes out for each row. */
  readonly output: Value
  /** D, less the length that may stand last. */
  readonly vectorWidth: number
  /** [T, H] float32, where the tokens' own vectors mean something to a client. */
  readonly tokens: Value | undefined
  /** The token that its inputs do not count, where they ask for one. */
  readonly padId?: number | undefined
}
