/** Names and shapes of the tensors of a model, as transformers writes them: what the families in `src/graph` ask for. */
import type { RandomFamily, Shape } from './shapes.ts'

export interface RandomTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly mean: number
  /** Standard deviation. */
  readonly spread: number
}

/**
 * A matrix keeps the size of what it multiplies, times this: large enough for attention to prefer some tokens, so that
 * texts get unlike vectors, and far from what half precision can hold.
 */
const GAIN = 1.4
const TABLE_SPREAD = 0.5
const BIAS_SPREAD = 0.05
const NORM_SPREAD = 0.1

const LISTS: Readonly<Record<RandomFamily, (shape: Shape) => RandomTensor[]>> = {
  bert: (shape) => [...bertBody(shape, 2), ...linear('pooler.dense', shape.hidden, shape.hidden)],
  'xlm-roberta': (shape) => [...bertBody(shape, 1), ...linear('pooler.dense', shape.hidden, shape.hidden)],
  modernbert,
  qwen3,
}

/** In the order of the file. */
export function listTensors(shape: Shape): RandomTensor[] {
  return LISTS[shape.family](shape)
}

function bertBody(shape: Shape, typeRows: number): RandomTensor[] {
  const { hidden, inner } = shape
  return [
    table('embeddings.word_embeddings.weight', shape.vocabulary, hidden),
    table('embeddings.position_embeddings.weight', shape.positions, hidden),
    table('embeddings.token_type_embeddings.weight', typeRows, hidden),
    ...layerNorm('embeddings.LayerNorm', hidden),
    ...eachLayer(shape, 'encoder.layer', (layer) => [
      ...linear(`${layer}.attention.self.query`, hidden, hidden),
      ...linear(`${layer}.attention.self.key`, hidden, hidden),
      ...linear(`${layer}.attention.self.value`, hidden, hidden),
      ...linear(`${layer}.attention.output.dense`, hidden, hidden),
      ...layerNorm(`${layer}.attention.output.LayerNorm`, hidden),
      ...linear(`${layer}.intermediate.dense`, inner, hidden),
      ...linear(`${layer}.output.dense`, hidden, inner),
      ...layerNorm(`${layer}.output.LayerNorm`, hidden),
    ]),
  ]
}

function modernbert(shape: Shape): RandomTensor[] {
  const { hidden, inner } = shape
  return [
    table('embeddings.tok_embeddings.weight', shape.vocabulary, hidden),
    scale('embeddings.norm.weight', hidden),
    ...eachLayer(shape, 'layers', (layer, index) => [
      // what the first layer would normalize is normalized already
      ...(index === 0 ? [] : [scale(`${layer}.attn_norm.weight`, hidden)]),
      matrix(`${layer}.attn.Wqkv.weight`, 3 * hidden, hidden),
      matrix(`${layer}.attn.Wo.weight`, hidden, hidden),
      scale(`${layer}.mlp_norm.weight`, hidden),
      matrix(`${layer}.mlp.Wi.weight`, 2 * inner, hidden),
      matrix(`${layer}.mlp.Wo.weight`, hidden, inner),
    ]),
    scale('final_norm.weight', hidden),
  ]
}

function qwen3(shape: Shape): RandomTensor[] {
  const { hidden, inner, headWidth } = shape
  const queries = shape.heads * headWidth
  const keys = shape.keyHeads * headWidth
  return [
    table('embed_tokens.weight', shape.vocabulary, hidden),
    ...eachLayer(shape, 'layers', (layer) => [
      scale(`${layer}.input_layernorm.weight`, hidden),
      matrix(`${layer}.self_attn.q_proj.weight`, queries, hidden),
      matrix(`${layer}.self_attn.k_proj.weight`, keys, hidden),
      matrix(`${layer}.self_attn.v_proj.weight`, keys, hidden),
      matrix(`${layer}.self_attn.o_proj.weight`, hidden, queries),
      scale(`${layer}.self_attn.q_norm.weight`, headWidth),
      scale(`${layer}.self_attn.k_norm.weight`, headWidth),
      scale(`${layer}.post_attention_layernorm.weight`, hidden),
      matrix(`${layer}.mlp.gate_proj.weight`, inner, hidden),
      matrix(`${layer}.mlp.up_proj.weight`, inner, hidden),
      matrix(`${layer}.mlp.down_proj.weight`, hidden, inner),
    ]),
    scale('norm.weight', hidden),
  ]
}

function eachLayer(
  { layers }: Shape,
  root: string,
  list: (layer: string, index: number) => RandomTensor[],
): RandomTensor[] {
  return Array.from({ length: layers }, (_, index) => list(`${root}.${index}`, index)).flat()
}

function linear(name: string, outputs: number, inputs: number): RandomTensor[] {
  return [matrix(`${name}.weight`, outputs, inputs), bias(`${name}.bias`, outputs)]
}

function layerNorm(name: string, width: number): RandomTensor[] {
  return [scale(`${name}.weight`, width), bias(`${name}.bias`, width)]
}

function matrix(name: string, outputs: number, inputs: number): RandomTensor {
  return { name, shape: [outputs, inputs], mean: 0, spread: GAIN / Math.sqrt(inputs) }
}

function table(name: string, rows: number, width: number): RandomTensor {
  return { name, shape: [rows, width], mean: 0, spread: TABLE_SPREAD }
}

function scale(name: string, width: number): RandomTensor {
  return { name, shape: [width], mean: 1, spread: NORM_SPREAD }
}

function bias(name: string, width: number): RandomTensor {
  return { name, shape: [width], mean: 0, spread: BIAS_SPREAD }
}
