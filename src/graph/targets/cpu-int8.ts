/**
 * CPU, linear layers in 8 bits: weights as codes with a scale for each output, activations as codes made when they come.
 * Codes of activations are unsigned and those of weights signed: the other way round the kernels are many times slower.
 * Everything else is float32.
 */
import type { GraphBuilder } from '../builder.ts'
import type { Int8Recipe, Value } from '../ir.ts'
import type { Kernels } from '../kernels.ts'
import type { AnyLinear, Linear } from '../tensor-table.ts'
import { floatProducts } from './cpu-f32.ts'
import { axisOne, cpuKernels } from './cpu-kernels.ts'
import { joinBiases } from './cpu-parts.ts'

export type Int8Mode = 'fast' | 'balanced' | 'faithful'

/** Exponents of smoothing, found by trying 0.4 to 0.9 on all-MiniLM-L6-v2. */
const SMOOTH_BATCH = 0.75
const SMOOTH_ROW = 0.6

/**
 * Codes below zero and above it, of rows that mostly hold what an activation made: GELU and its kin give little below zero.
 * Of 32, 48, 64, 80 and 128 codes below zero 64 gave the best vectors, for the layer behind GELU.
 */
const ZERO = 64
const TOP = 255 - ZERO

/** The middle of unsigned codes. */
const MIDDLE = 128

/** A row of nothing but zeros is divided by it. */
const LEAST_STEP = 1e-30

export function int8Kernels(mode: Int8Mode): Kernels {
  const multiply = { fast: byBatch, balanced: byRowWhereNarrowing, faithful: inTwoPieces }[mode]
  return cpuKernels({
    project: (b, x, linear) =>
      isQuantized(x, linear) ? multiply(b, x, [linear]) : floatProducts.project(b, x, linear),
    projectJoined: (b, x, linears) =>
      linears.every((linear) => isQuantized(x, linear))
        ? multiply(b, x, linears)
        : floatProducts.projectJoined(b, x, linears),
  })
}

/**
 * Whether a layer is one of 8 bits. What is not made of a batch's tokens is computed once, when the graph is loaded: there is
 * nothing to gain. Weights [in, out], of mixtures of experts, and those that adapters change stay in float32.
 */
export function isQuantized(x: Value, linear: AnyLinear): linear is Linear {
  return x.shape[0] === 'T' && linear.inputMajor !== true && linear.adapter === undefined
}

/** One scale for all activations of the batch. */
function byBatch(b: GraphBuilder, x: Value, linears: readonly Linear[]): Value {
  const { smooth, codes, scales } = partsOf(b, linears, SMOOTH_BATCH)
  return b.node('DynamicQuantizeMatMul', [smooth(x), codes, scales, undefined, joinBiases(b, linears)])
}

/**
 * The layer that narrows again reads what an activation made, whose largest numbers differ from token to token: most of the
 * error of 8 bits is made there. It takes a scale for each row.
 */
function byRowWhereNarrowing(b: GraphBuilder, x: Value, linears: readonly Linear[]): Value {
  const rows = linears.reduce((sum, { weight }) => sum + (weight.values.shape[0] as number), 0)
  return (x.shape[1] as number) > rows ? byRow(b, x, linears) : byBatch(b, x, linears)
}

function byRow(b: GraphBuilder, x: Value, linears: readonly Linear[]): Value {
  const { smooth, codes, scales } = partsOf(b, linears, SMOOTH_ROW)
  const smoothed = smooth(x)
  const keep = { keepdims: { int: 1 } }
  const above = b.node('Mul', [b.node('ReduceMax', [smoothed, axisOne(b)], keep), scalar(b, 1 / TOP)])
  const below = b.node('Mul', [b.node('ReduceMin', [smoothed, axisOne(b)], keep), scalar(b, -1 / ZERO)])
  const steps = b.node('Max', [above, below, scalar(b, LEAST_STEP)]) // [T, 1]
  const one = scalar(b, 1)
  const zero = unsigned(b, ZERO)
  const rows = b.node('QuantizeLinear', [b.node('Div', [smoothed, steps]), one, zero])
  const product = b.node('MatMulIntegerToFloat', [rows, codes, one, scales, zero])
  const y = b.node('Mul', [product, steps])
  const bias = joinBiases(b, linears)
  return bias === undefined ? y : b.node('Add', [y, bias])
}

/**
 * An activation is the sum of two codes, the second of what the first leaves over: 16 bits in all, in steps that calibration
 * gave. So a row's codes do not depend on its neighbours.
 */
function inTwoPieces(b: GraphBuilder, x: Value, linears: readonly Linear[]): Value {
  const { codes, scales, part } = partsOf(b, linears, undefined)
  const middle = unsigned(b, MIDDLE)
  const [coarse, fine] = [part('coarse'), part('fine')]
  const first = b.node('QuantizeLinear', [x, coarse, middle])
  const rest = b.node('Sub', [x, b.node('DequantizeLinear', [first, coarse, middle])])
  const second = b.node('QuantizeLinear', [rest, fine, middle])
  const bias = joinBiases(b, linears)
  return b.node('Add', [
    b.node('MatMulIntegerToFloat', [first, codes, coarse, scales, middle, undefined, bias]),
    b.node('MatMulIntegerToFloat', [second, codes, fine, scales, middle]),
  ])
}

function partsOf(b: GraphBuilder, linears: readonly Linear[], smoothing: number | undefined) {
  const weights = linears.map(({ weight }) => weight)
  const part = (makes: Int8Recipe['makes']): Value => b.int8({ makes, weights, smoothing })
  const smooth = (x: Value): Value => b.node('Mul', [x, part('reciprocals')])
  return { codes: part('codes'), scales: part('scales'), smooth, part }
}

function scalar(b: GraphBuilder, value: number): Value {
  return b.share(`scalar ${value}`, () => b.constant(Float32Array.of(value), []))
}

function unsigned(b: GraphBuilder, value: number): Value {
  return b.share(`unsigned ${value}`, () => b.constant(Uint8Array.of(value), []))
}
