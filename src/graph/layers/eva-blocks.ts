/** Blocks of EVA-02 (Fang et al. 2023): norms before the steps and within them, gated steps, rotary positions on a grid. */
import { layerNorm, linear } from '../families/names.ts'
import type { Value } from '../ir.ts'
import type { AttentionInputs } from '../kernels.ts'
import type { Linear, Norm } from '../tensor-table.ts'
import type { Workshop } from './encoder.ts'
import type { GridRotaryPlan } from './grid-rotary.ts'
import { gridRotaryTables } from './grid-rotary.ts'

export interface EvaPlan {
  readonly layers: number
  /** H */
  readonly hiddenSize: number
  /** N */
  readonly heads: number
  /** D */
  readonly headWidth: number
  /** I */
  readonly width: number
  readonly rotary: GridRotaryPlan
}

/** That of all its norms, which no setting changes. */
const EPSILON = 1e-6

/**
 * x + proj(norm(attention(norm(x)))), then x + w3(norm(silu(w1(norm(x))) · w2(norm(x)))) in each of `blocks.0` and on:
 * [T, H] to the norm of the last.
 */
export function buildEvaBlocks(shop: Workshop, plan: EvaPlan, embedded: Value): Value {
  const { b, kernels, tensors } = shop
  const { layers, hiddenSize: H, width } = plan
  const normOf = (name: string, size = H): Norm => tensors.norm(layerNorm(name, EPSILON), size)
  let x = embedded
  let normed = kernels.norm(b, x, normOf('blocks.0.norm1'))
  for (let index = 0; index < layers; index++) {
    const block = `blocks.${index}`
    const context = kernels.attention(b, normed, attentionOf(shop, plan, `${block}.attn`))
    const inner = kernels.norm(b, context, normOf(`${block}.attn.inner_attn_ln`))
    const output = tensors.linear(linear(`${block}.attn.proj`), H, H)
    const attended = kernels.linearAddNorm(b, inner, output, x, normOf(`${block}.norm2`))
    const gate = tensors.linear(linear(`${block}.mlp.w1`), width, H)
    const up = tensors.linear(linear(`${block}.mlp.w2`), width, H)
    const raised = kernels.gated(b, attended.normed, { gate, up, activation: 'silu' })
    const between = kernels.norm(b, raised, normOf(`${block}.mlp.ffn_ln`, width))
    const down = tensors.linear(linear(`${block}.mlp.w3`), H, width)
    const next = normOf(index + 1 < layers ? `blocks.${index + 1}.norm1` : 'norm')
    ;({ sum: x, normed } = kernels.linearAddNorm(b, between, down, attended.sum, next))
  }
  return normed
}

/** Biases of query and value have names of their own; keys have none. */
function attentionOf({ b, tensors }: Workshop, plan: EvaPlan, name: string): AttentionInputs {
  const { hiddenSize: H, heads, headWidth } = plan
  const projection = (letter: string, hasBias: boolean): Linear => ({
    weight: tensors.table(`${name}.${letter}_proj`, H, H),
    bias: hasBias ? tensors.tensor(`${name}.${letter}_bias`, [H]) : undefined,
  })
  return {
    query: projection('q', true),
    key: projection('k', false),
    value: projection('v', true),
    heads,
    keyHeads: heads,
    headWidth,
    scale: 1 / Math.sqrt(headWidth),
    causal: false,
    window: undefined,
    rotary: gridRotaryTables(b, plan.rotary),
    queryNorm: undefined,
    keyNorm: undefined,
    bias: undefined,
    hidesUnseen: false,
  }
}
