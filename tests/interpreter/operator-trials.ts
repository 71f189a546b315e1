/** For each operator the trials by which the interpreter's kernel is held against ONNX Runtime's. */
import type { Dtype } from '../../src/graph/ir.ts'
import { ONNX_TYPES } from '../../src/graph/ir.ts'
import { QUANTIZED_TRIALS } from './quantized-trials.ts'
import { ATTENTION_TRIALS } from './attention-trials.ts'
import type { Attributes, Draw, Trial } from './trial.ts'
import { TrialGraph, tensorOf, trialOf } from './trial.ts'
import type { Tensor } from './tensor.ts'

export interface Evidence {
  /** What stands for the operator's own CPU kernel, where there is none, and why. */
  readonly instead?: string
  readonly trials: readonly ((draw: Draw) => Trial)[]
}

const axis = (int: number): Attributes => ({ axis: { int } })
const counts = (numbers: readonly number[]): Tensor => tensorOf('i64', [numbers.length], numbers)

export const TRIALS: Readonly<Record<string, Evidence>> = {
  Add: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  Div: {
    trials: [
      (draw) => trialOf('Div', [draw.floats([3, 4]), draw.floats([4], { least: 0.5 })]),
      (draw) => trialOf('Div', [draw.ints([9], -20, 20), draw.ints([9], 1, 6)]),
    ],
  },
  Max: {
    trials: [
      (draw) => trialOf('Max', [draw.floats([3, 1]), draw.floats([3, 1]), draw.floats([])]),
      (draw) => trialOf('Max', [draw.floats([3, 4]), draw.floats([4])]),
    ],
  },
  LessOrEqual: comparison('LessOrEqual'),
  Equal: comparison('Equal'),
  Where: {
    trials: [
      (draw) => trialOf('Where', [draw.ints([4, 3], 0, 1, 'bool'), draw.floats([3]), draw.floats([4, 1])]),
      (draw) => trialOf('Where', [draw.ints([2, 3, 3], 0, 1, 'bool'), draw.floats([]), draw.floats([])]),
    ],
  },
  Abs: {
    trials: [(draw) => trialOf('Abs', [draw.floats([7])]), (draw) => trialOf('Abs', [draw.ints([7], -9, 9)])],
  },
  Neg: unary('Neg'),
  Clip: {
    trials: [
      (draw) =>
        trialOf('Clip', [draw.ints([4, 4], -9, 9), tensorOf('i32', [], [-3]), tensorOf('i32', [], [4])]),
      (draw) => trialOf('Clip', [draw.floats([9]), undefined, tensorOf('f32', [], [0.5])]),
      (draw) => trialOf('Clip', [draw.floats([9]), tensorOf('f32', [], [-0.5])]),
    ],
  },
  Sqrt: unary('Sqrt', { least: 0 }),
  Log: unary('Log', { least: 0.1 }),
  Cos: unary('Cos', { reach: 600 }),
  Sin: unary('Sin', { reach: 600 }),
  Relu: unary('Relu'),
  LeakyRelu: unary('LeakyRelu'),
  Elu: unary('Elu'),
  Selu: unary('Selu'),
  Softplus: unary('Softplus'),
  Tanh: unary('Tanh', { reach: 9 }),
  Sigmoid: unary('Sigmoid', { reach: 20 }),
  Softmax: { trials: [(draw) => trialOf('Softmax', [draw.floats(draw.dims(3), { reach: 9 })], axis(-1))] },
  Gelu: {
    trials: [
      (draw) => trialOf('Gelu', [draw.floats([5, 6], { reach: 8 })]),
      (draw) => trialOf('Gelu', [draw.floats([5, 6], { reach: 8 })], { approximate: { string: 'tanh' } }),
    ],
  },
  QuickGelu: {
    trials: [
      (draw) => trialOf('QuickGelu', [draw.floats([5, 6], { reach: 8 })], { alpha: { float: 1 } }),
      (draw) => trialOf('QuickGelu', [draw.floats([5, 6], { reach: 8 })]),
    ],
  },
  BiasGelu: {
    trials: [
      (draw) => trialOf('BiasGelu', [draw.floats([draw.int(1, 5), 6], { reach: 6 }), draw.floats([6])]),
    ],
  },
  FastGelu: {
    trials: [
      (draw) => trialOf('FastGelu', [draw.floats([draw.int(1, 5), 6], { reach: 6 }), draw.floats([6])]),
      (draw) => trialOf('FastGelu', [draw.floats([4, 6], { reach: 6 })]),
    ],
  },
  Cast: {
    trials: [
      (draw) => castThrough(draw.floats([40], { reach: 70_000 }), 'f16'),
      (draw) => castThrough(draw.floats([40], { reach: 1e-6 }), 'f16'),
      (draw) => castThrough(draw.floats([40], { reach: 70_000 }), 'bf16'),
      (draw) => castThrough(draw.floats([20], { reach: 9 }), 'i32'),
      (draw) => castThrough(draw.ints([20], -9, 9), 'i64'),
      (draw) => castThrough(draw.ints([20], -1, 1), 'bool'),
      (draw) => castThrough(draw.ints([20], -128, 127, 'i8'), 'f32'),
    ],
  },

  Gather: {
    trials: [
      (draw) => trialOf('Gather', [draw.floats([6, 4]), draw.ints([draw.int(1, 4), 3], -6, 5)], axis(0)),
      (draw) => trialOf('Gather', [draw.ints([6], 0, 9), draw.ints([5, 2], 0, 5, 'i64')], axis(0)),
      (draw) => trialOf('Gather', [draw.ints([6, 3], -128, 127, 'i8'), draw.ints([4], 0, 5)], axis(0)),
      (draw) => trialOf('Gather', [draw.floats([3, 6, 4]), draw.ints([draw.int(1, 9)], -6, 5)], axis(1)),
      (draw) => trialOf('Gather', [draw.floats([3, 6]), draw.ints([2, 3], 0, 5)], axis(1)),
    ],
  },
  GatherElements: {
    trials: [
      (draw) => trialOf('GatherElements', [draw.floats([2, 3, 7]), draw.ints([2, 3, 5], -7, 6)], axis(2)),
    ],
  },
  Concat: {
    trials: [0, 1, 2].map((int) => (draw: Draw) => {
      const dims = draw.dims(3)
      const parts = Array.from({ length: draw.int(1, 4) }, () => draw.floats(dims.with(int, draw.int(1, 4))))
      return trialOf('Concat', parts, axis(int))
    }),
  },
  Split: {
    trials: [
      (draw) => trialOf('Split', [draw.floats([6, 4])], { ...axis(0), num_outputs: { int: 3 } }, [0, 1, 2]),
      (draw) => trialOf('Split', [draw.floats([2, 6, 4])], { ...axis(1), num_outputs: { int: 2 } }, [0, 1]),
      (draw) => trialOf('Split', [draw.floats([2, 3, 4])], { ...axis(2), num_outputs: { int: 2 } }, [0, 1]),
    ],
  },
  Reshape: {
    trials: [
      (draw) => trialOf('Reshape', [draw.floats([4, 6]), counts([0, 3, 2])]),
      (draw) => trialOf('Reshape', [draw.floats([4, 3, 2]), counts([0, -1])]),
      (draw) => trialOf('Reshape', [draw.floats([4, 3, 2]), counts([-1, 2])]),
    ],
  },
  Transpose: {
    trials: [
      (draw) => trialOf('Transpose', [draw.floats(draw.dims(3))], { perm: { ints: [2, 0, 1] } }),
      (draw) => trialOf('Transpose', [draw.floats(draw.dims(4))], { perm: { ints: [0, 2, 1, 3] } }),
    ],
  },
  Expand: {
    trials: [
      (draw) => trialOf('Expand', [draw.floats([3, 1, 2]), counts([3, draw.int(1, 4), 2])]),
      (draw) => trialOf('Expand', [draw.floats([1, 4]), counts([draw.int(1, 4), 1])]),
    ],
  },

  MatMul: {
    trials: [
      (draw) => trialOf('MatMul', [draw.floats([draw.int(2, 5), 7]), draw.floats([7, draw.int(3, 5)])]),
      (draw) => trialOf('MatMul', [draw.floats([2, 3, 7]), draw.floats([7, 4])]),
      (draw) => trialOf('MatMul', [draw.floats([2, 3, 4, 7]), draw.floats([2, 3, 7, 5])]),
    ],
  },
  FusedMatMul: {
    trials: [
      (draw) => fusedMatMul(draw, [draw.int(1, 5), 7], [6, 7], { transB: { int: 1 } }),
      (draw) => fusedMatMul(draw, [2, 3, 7], [2, 7, 6], { alpha: { float: 0.3 } }),
      (draw) => fusedMatMul(draw, [2, 3, 7], [2, 6, 7], { transB: { int: 1 }, alpha: { float: 1.7 } }),
    ],
  },
  Gemm: {
    trials: [
      (draw) =>
        trialOf('Gemm', [draw.floats([draw.int(1, 5), 7]), draw.floats([6, 7]), draw.floats([6])], {
          transB: { int: 1 },
        }),
      (draw) => trialOf('Gemm', [draw.floats([4, 7]), draw.floats([6, 7])], { transB: { int: 1 } }),
      (draw) =>
        trialOf('Gemm', [draw.floats([4, 7]), draw.floats([6, 7]), draw.floats([4, 6])], {
          transB: { int: 1 },
        }),
    ],
  },
  ReduceMax: {
    trials: [
      (draw) => trialOf('ReduceMax', [draw.floats(draw.dims(3)), counts([1])], { keepdims: { int: 0 } }),
      (draw) => trialOf('ReduceMax', [draw.floats(draw.dims(2)), counts([1])], { keepdims: { int: 1 } }),
    ],
  },
  ReduceMin: {
    trials: [
      (draw) => trialOf('ReduceMin', [draw.floats(draw.dims(2)), counts([1])], { keepdims: { int: 1 } }),
    ],
  },
  ReduceL2: {
    trials: [
      (draw) => trialOf('ReduceL2', [draw.floats(draw.dims(2)), counts([1])], { keepdims: { int: 1 } }),
    ],
  },
  TopK: {
    trials: [
      (draw) =>
        trialOf('TopK', [draw.floats(draw.dims(3)), counts([1])], { ...axis(1), sorted: { int: 0 } }, [0, 1]),
      (draw) => trialOf('TopK', [draw.ints(draw.dims(2), 0, 2, 'f32'), counts([1])], axis(1), [0, 1]),
    ],
  },

  LpNormalization: {
    trials: [
      (draw) => trialOf('LpNormalization', [draw.floats(draw.dims(2))], { ...axis(-1), p: { int: 2 } }),
      () => trialOf('LpNormalization', [tensorOf('f32', [2, 2], [0, 0, 3, 4])], axis(-1)),
    ],
  },
  LayerNormalization: inBothDtypes((draw, dtype) => {
    const [x, width] = rows(draw, dtype)
    const bias = draw.chance() ? draw.floats([width], { dtype }) : undefined
    const operands = [x, draw.floats([width], { dtype }), ...(bias === undefined ? [] : [bias])]
    return trialOf('LayerNormalization', operands, { ...axis(-1), ...epsilon(draw) })
  }),
  SimplifiedLayerNormalization: inBothDtypes((draw, dtype) => {
    const [x, width] = rows(draw, dtype)
    const operands = [x, draw.floats([width], { dtype })]
    return trialOf('SimplifiedLayerNormalization', operands, { ...axis(-1), ...epsilon(draw) })
  }),
  SkipLayerNormalization: inBothDtypes((draw, dtype) => {
    const [x, width] = rows(draw, dtype)
    const vector = () => (draw.chance() ? draw.floats([width], { dtype }) : undefined)
    const operands = [x, draw.floats(x.dims, { dtype }), draw.floats([width], { dtype }), vector(), vector()]
    return trialOf('SkipLayerNormalization', operands, epsilon(draw), [0, 3])
  }),
  SkipSimplifiedLayerNormalization: inBothDtypes((draw, dtype) => {
    const [x, width] = rows(draw, dtype)
    const bias = draw.chance() ? draw.floats([width], { dtype }) : undefined
    const operands = [x, draw.floats(x.dims, { dtype }), draw.floats([width], { dtype }), bias]
    return trialOf('SkipSimplifiedLayerNormalization', operands, epsilon(draw), [0, 3])
  }),

  ...ATTENTION_TRIALS,
  ...QUANTIZED_TRIALS,
}

function unary(op: string, range: { reach?: number; least?: number } = {}): Evidence {
  return { trials: [(draw) => trialOf(op, [draw.floats([draw.int(1, 4), 6], range)])] }
}

function binary(op: string): Evidence {
  return {
    trials: [
      (draw) => trialOf(op, [draw.floats([3, 4]), draw.floats([3, 4])]),
      (draw) => trialOf(op, [draw.floats([2, 3, 4]), draw.floats([4])]),
      (draw) => trialOf(op, [draw.floats([5, 1]), draw.floats([1, 4])]),
      (draw) => trialOf(op, [draw.floats([2, 1, 3, 1]), draw.floats([1, 4, 3, 2])]),
      (draw) => trialOf(op, [draw.floats([]), draw.floats([2, 2])]),
      (draw) => trialOf(op, [draw.ints([4], -9, 9), draw.ints([1], -9, 9)]),
    ],
  }
}

function comparison(op: string): Evidence {
  return {
    trials: [
      (draw) => trialOf(op, [draw.ints([5, 5], -2, 2), draw.ints([], -2, 2)]),
      (draw) => trialOf(op, [draw.ints([5, 1], -2, 2), draw.ints([1, 5], -2, 2)]),
    ],
  }
}

/** To a dtype and back, because not every dtype can be fetched. */
function castThrough(x: Tensor, dtype: Dtype): Trial {
  const trial = new TrialGraph()
  const to = (name: Dtype): Attributes => ({ to: { int: ONNX_TYPES[name] } })
  const [there = ''] = trial.node('Cast', [x], to(dtype))
  return trial.finish(trial.node('Cast', [there], to('f32')))
}

function fusedMatMul(
  draw: Draw,
  left: readonly number[],
  right: readonly number[],
  attributes: Attributes,
): Trial {
  return trialOf('FusedMatMul', [draw.floats(left), draw.floats(right)], attributes)
}

function inBothDtypes(make: (draw: Draw, dtype: Dtype) => Trial): Evidence {
  return { trials: [(draw) => make(draw, 'f32'), (draw) => make(draw, 'f16')] }
}

function rows(draw: Draw, dtype: Dtype): [Tensor, number] {
  // Of few numbers that happen to be near each other float32 keeps too little of a variance.
  const width = draw.int(8, 24)
  const dims = draw.chance() ? [draw.int(1, 5), width] : [2, draw.int(1, 4), width]
  return [draw.floats(dims, { dtype, reach: draw.pick([0.1, 2, 30]) }), width]
}

function epsilon(draw: Draw): Attributes {
  return { epsilon: { float: draw.pick([1e-12, 1e-6, 1e-5]) } }
}
