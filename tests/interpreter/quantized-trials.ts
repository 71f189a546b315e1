/** What shows that the interpreter's operators of 8 bits are those of ONNX Runtime. */
import type { Evidence } from './operator-trials.ts'
import type { Tensor } from './tensor.ts'
import type { Draw } from './trial.ts'
import { tensorOf, trialOf } from './trial.ts'

const step = (draw: Draw): Tensor => tensorOf('f32', [], [Math.fround(draw.pick([0.01, 0.02, 0.5]))])
const zero = (draw: Draw): Tensor => tensorOf('u8', [], [draw.pick([0, 64, 128])])

export const QUANTIZED_TRIALS: Readonly<Record<string, Evidence>> = {
  QuantizeLinear: {
    // As float32 again, so that a difference is seen as what it is. What lies half-way between codes is drawn too.
    trials: [
      (draw) => trialOf('QuantizeLinear', [draw.floats([5, 7]), step(draw), zero(draw)]),
      (draw) =>
        trialOf('QuantizeLinear', [
          tensorOf('f32', [5], [-1.5, -0.5, 0.5, 1.5, 2.5]),
          tensorOf('f32', [], [1]),
          zero(draw),
        ]),
    ],
  },
  DequantizeLinear: {
    trials: [
      (draw) => trialOf('DequantizeLinear', [draw.ints([4, 6], 0, 255, 'u8'), step(draw), zero(draw)]),
    ],
  },
  DynamicQuantizeMatMul: {
    trials: [
      (draw) => trialOf('DynamicQuantizeMatMul', dynamic(draw)),
      (draw) => trialOf('DynamicQuantizeMatMul', [...dynamic(draw), undefined, draw.floats([6])]),
    ],
  },
  MatMulIntegerToFloat: {
    trials: [
      (draw) => trialOf('MatMulIntegerToFloat', codes(draw)),
      (draw) => trialOf('MatMulIntegerToFloat', [...codes(draw), undefined, draw.floats([6])]),
    ],
  },
}

function dynamic(draw: Draw): Tensor[] {
  return [draw.floats([3, 8]), draw.ints([8, 6], -127, 127, 'i8'), scales(draw)]
}

function codes(draw: Draw): Tensor[] {
  const left = draw.ints([3, 8], 0, 255, 'u8')
  return [left, draw.ints([8, 6], -127, 127, 'i8'), step(draw), scales(draw), zero(draw)]
}

function scales(draw: Draw): Tensor {
  return draw.floats([6], { least: 0.001, reach: 0.02 })
}
