/** How much memory a model takes, from its files alone: good enough for a first guess and for what a person is told. */
import type { Target } from '../graph/target.ts'
import type { ModelSpec, TensorRef } from '../model/spec.ts'

type ComputeDtype = Target['dtype']

const BYTES: Readonly<Record<ComputeDtype, number>> = { fp32: 4, fp16: 2, bf16: 2, int8: 1 }

/** What the CUDA context and the libraries beside ONNX Runtime hold, generously: a first batch too small costs less than one too large. */
const OVERHEAD_BYTES = 1_000_000_000
/** The arena doubles: in the worst case half of what it holds is never used. */
const ARENA_USE = 1 / 2

/** Of all tensors, in the precision that they are computed in; of an exported model as its file has them. */
export function weightBytes(spec: ModelSpec, dtype: ComputeDtype): number {
  if (spec.exported !== undefined)
    return Object.values(spec.exported.stored).reduce((sum, bytes) => sum + bytes, 0)
  const numbers = Object.values(spec.tensors).reduce((sum, tensor) => sum + countOf(tensor), 0)
  return numbers * BYTES[dtype]
}

/**
 * Tokens of a batch whose activations are expected to fit beside the weights; 0 where the weights alone take it all.
 * `memoryBytes`: what the model may have of the device.
 */
export function estimateBatchTokens(spec: ModelSpec, dtype: ComputeDtype, memoryBytes: number): number {
  const free = memoryBytes - OVERHEAD_BYTES - weightBytes(spec, dtype)
  return Math.max(0, Math.floor((free * ARENA_USE) / tokenBytes(spec, dtype)))
}

/** Of a model that does not tell its width: that of the larger ones, and how many times as wide their widest layers are. */
const LARGEST_WIDTH = 1024
const WIDENING = 4

/** States and residual, query, key and value, and what attention makes of them. */
const HIDDEN_BUFFERS = 6
/** A gated layer's two halves and their product. */
const WIDE_BUFFERS = 3
/** Token vectors are float32 in every precision, and are held twice: as they are, and of unit length. */
const OUTPUT_BUFFERS = 2

/** Of the buffers of one token that live at once, if nothing is freed in time: more than there will be. */
function tokenBytes(spec: ModelSpec, dtype: ComputeDtype): number {
  const { hidden, widest } = widthsOf(spec)
  const outputBytes = OUTPUT_BUFFERS * hidden * BYTES.fp32
  return (HIDDEN_BUFFERS * hidden + WIDE_BUFFERS * widest) * BYTES[dtype] + outputBytes
}

/**
 * Hidden width and width of the widest layer, by the shapes of the matrices: families name them differently. Of a
 * vocabulary's table only the width counts: its height is no layer's.
 */
function widthsOf(spec: ModelSpec): { hidden: number; widest: number } {
  if (spec.exported !== undefined) return exportedWidths(spec.config)
  let hidden = 1
  let widest = 1
  for (const [name, { shape }] of Object.entries(spec.tensors)) {
    const [rows, columns] = shape
    if (rows === undefined || columns === undefined || shape.length !== 2) continue
    if (/embed|wte|wpe/i.test(name)) hidden = Math.max(hidden, columns)
    else widest = Math.max(widest, rows, columns)
  }
  return { hidden, widest: Math.max(hidden, widest) }
}

/** The files of exported models name their matrices in no way that could be relied on. */
function exportedWidths(config: ModelSpec['config']): { hidden: number; widest: number } {
  const sizes = ['hidden_size', 'd_model', 'dim'].map((key) => config[key])
  const hidden = sizes.find((size) => typeof size === 'number') ?? LARGEST_WIDTH
  const { intermediate_size: widest = WIDENING * hidden } = config
  return { hidden, widest: typeof widest === 'number' ? Math.max(hidden, widest) : WIDENING * hidden }
}

function countOf({ shape }: TensorRef): number {
  return shape.reduce((product, size) => product * size, 1)
}
