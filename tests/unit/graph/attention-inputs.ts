import type { AttentionInputs } from '../../../src/graph/kernels.ts'

/** Bidirectional attention of plain heads, as BERT's, but for what is given. */
export function attentionOf(
  given: Pick<AttentionInputs, 'query' | 'key' | 'value' | 'heads' | 'headWidth'> & Partial<AttentionInputs>,
): AttentionInputs {
  return {
    keyHeads: given.heads,
    scale: 1 / Math.sqrt(given.headWidth),
    causal: false,
    window: undefined,
    rotary: undefined,
    queryNorm: undefined,
    keyNorm: undefined,
    bias: undefined,
    hidesUnseen: false,
    ...given,
  }
}
