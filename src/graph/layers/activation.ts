import type { Activation } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'

/** `gelu` is the exact form (erf), `gelu_tanh` its approximation: models differ by 1e-3 where the two are mixed up. */
export type HiddenActivation = Activation | 'gelu_tanh' | 'quick_gelu'

/** Names that config.json uses (transformers 5.23, activations.py) and what they mean. */
export const ACTIVATION_NAMES = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  quick_gelu: 'quick_gelu',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
  tanh: 'tanh',
} as const satisfies Record<string, HiddenActivation>

export function activate(b: GraphBuilder, x: Value, activation: HiddenActivation): Value {
  switch (activation) {
    case 'identity':
      return x
    case 'tanh':
      return b.node('Tanh', [x])
    case 'sigmoid':
      return b.node('Sigmoid', [x])
    case 'relu':
      return b.node('Relu', [x])
    case 'leaky_relu':
      return b.node('LeakyRelu', [x], { alpha: { float: 0.01 } })
    case 'elu':
      return b.node('Elu', [x])
    case 'selu':
      return b.node('Selu', [x])
    case 'softplus':
      return b.node('Softplus', [x])
    case 'mish':
      return b.node('Mul', [x, b.node('Tanh', [b.node('Softplus', [x])])])
    case 'softmax':
      return b.node('Softmax', [x], { axis: { int: -1 } })
    case 'gelu':
      return b.node('Gelu', [x])
    case 'gelu_tanh':
      return b.node('Gelu', [x], { approximate: { string: 'tanh' } })
    // x · σ(αx): SiLU is the case α = 1
    case 'silu':
      return b.node('QuickGelu', [x], { alpha: { float: 1 } })
    case 'quick_gelu':
      return b.node('QuickGelu', [x], { alpha: { float: 1.702 } })
    default:
      return activation satisfies never
  }
}
