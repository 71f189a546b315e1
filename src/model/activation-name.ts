import { ServerError } from '../errors.ts'
import type { Activation } from './spec.ts'

/** Classes that module folders name as an import path, `torch.nn.modules.activation.Tanh`; made without arguments. */
const CLASSES: Readonly<Record<string, Activation>> = {
  Identity: 'identity',
  Tanh: 'tanh',
  Sigmoid: 'sigmoid',
  ReLU: 'relu',
  LeakyReLU: 'leaky_relu',
  ELU: 'elu',
  SELU: 'selu',
  GELU: 'gelu',
  SiLU: 'silu',
  Mish: 'mish',
  Softplus: 'softplus',
  Softmax: 'softmax',
}

/**
 * A path outside torch would be somebody's own code, which the reference does not run either: `fallback` stands for it.
 * Throws `model_unsupported` for a class of torch that we lack: another function would give other numbers.
 */
export function parseActivation(path: string, fallback: Activation, where: string): Activation {
  if (!path.startsWith('torch.')) return fallback
  const name = path.slice(path.lastIndexOf('.') + 1)
  const activation = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined
  if (activation !== undefined) return activation
  throw new ServerError(
    'model_unsupported',
    `${where}: activation ${path} is not supported; supported are ${Object.keys(CLASSES).join(', ')}`,
  )
}
