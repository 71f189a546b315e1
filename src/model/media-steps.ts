/** The projections behind the sides of a model, by the names that transformers gives their tensors. */
import { ServerError } from '../errors.ts'
import type { ConfigJson } from './config-json.ts'
import type { ProjectionLayout, SideLayout } from './media-layouts.ts'
import { showValue } from './show-value.ts'
import type { Activation, EmbeddingStep, TensorRef } from './spec.ts'
import { isCode } from './spec.ts'
import { ownEntry } from './weight-files.ts'

/** As transformers calls them; those of which nothing is said are ReLU. */
const PROJECTION_ACTIVATIONS: Readonly<Record<string, Activation>> = {
  relu: 'relu',
  gelu: 'gelu',
  silu: 'silu',
  tanh: 'tanh',
}

interface Facts {
  readonly model: string
  readonly config: ConfigJson
  readonly tensors: Readonly<Record<string, TensorRef>>
}

/**
 * What a side does with its pooled vector. Throws `model_invalid` for tensors that are missing, do not fit, or have another length
 * than config.json says, `model_unsupported` for an activation that we lack.
 */
export function readSteps(
  { tensors, model, config }: Facts,
  { steps }: SideLayout,
  settings: ConfigJson,
): EmbeddingStep[] {
  // A side that is saved alone has no name of its own in front.
  const nameOf = ({ tensor }: ProjectionLayout) =>
    [tensor, tensor.replace(/^text_model\./, '')].find(
      (candidate) => ownEntry(tensors, `${candidate}.weight`) !== undefined,
    )
  const isProjected = steps.some((step) => step.kind === 'projection' && step.isOptional && nameOf(step))
  return steps.flatMap((step): readonly EmbeddingStep[] => {
    if (step.kind === 'pooling') return [step]
    if (step.isOptional && !isProjected) return []
    const tensor = nameOf(step) ?? step.tensor
    const { weight, bias } = readLinear(tensors, { ...step, tensor }, model)
    if (step.length !== 'unsaid') {
      const said = (step.length === 'projection_dim' ? config : settings)[step.length] ?? undefined
      expectLength(weight, { said: [step.length, said], tensor, model })
    }
    return [{ kind: 'dense', weight, bias, activation: activationOf(step, settings, model) }]
  })
}

function readLinear(
  tensors: Readonly<Record<string, TensorRef>>,
  { tensor, hasBias }: ProjectionLayout,
  model: string,
): { weight: TensorRef; bias: TensorRef | undefined } {
  const weight = ownEntry(tensors, `${tensor}.weight`)
  const bias = hasBias ? ownEntry(tensors, `${tensor}.bias`) : undefined
  const isMatrix = weight?.shape.length === 2 && !isCode(weight.dtype)
  const fits = !hasBias || (bias?.shape.join() === String(weight?.shape[0]) && !isCode(bias.dtype))
  if (weight !== undefined && isMatrix && fits) return { weight, bias }
  const wanted = `matrix ${tensor}.weight${hasBias ? ` with ${tensor}.bias` : ''} of F32, F16 or BF16`
  const found = weight === undefined ? '' : `; the weight is [${weight.shape.join(', ')}] ${weight.dtype}`
  throw new ServerError('model_invalid', `${model}: there is no ${wanted}${found}`)
}

function expectLength(
  { shape: [rows] }: TensorRef,
  { said: [key, value], tensor, model }: { said: [string, unknown]; tensor: string; model: string },
): void {
  if (value === undefined || value === rows) return
  throw new ServerError(
    'model_invalid',
    `${model}: config.json has ${key} ${showValue(value)}, and ${tensor}.weight has ${rows} rows; they must be the same`,
  )
}

function activationOf({ activation }: ProjectionLayout, settings: ConfigJson, model: string): Activation {
  if (activation !== 'named') return activation
  const named = settings['projection_hidden_act'] ?? 'relu'
  const found = typeof named === 'string' && ownEntry(PROJECTION_ACTIVATIONS, named)
  if (found) return found
  const supported = Object.keys(PROJECTION_ACTIVATIONS).join(', ')
  throw new ServerError(
    'model_unsupported',
    `${model}: projection_hidden_act in config.json is ${showValue(named)}; supported are ${supported}`,
  )
}

/** Throws `model_invalid` where sides end in projections to vectors of different lengths. */
export function expectOneSpace(
  sides: Readonly<Record<string, readonly EmbeddingStep[] | undefined>>,
  model: string,
): void {
  const widths = Object.entries(sides).flatMap(([side, steps]) => {
    const last = steps?.findLast((step) => step.kind === 'dense')
    return last?.kind === 'dense' ? [[side, last.weight.shape[0]] as const] : []
  })
  const other = widths.find(([, width]) => width !== widths[0]?.[1])
  if (other === undefined) return
  const list = widths.map(([side, width]) => `${side} ${width}`).join(', ')
  throw new ServerError('model_invalid', `${model}: its sides have vectors of different lengths: ${list}`)
}
