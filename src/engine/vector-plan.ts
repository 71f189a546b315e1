import { ServerError } from '../errors.ts'
import type { EmbeddingStep, ModelSpec } from '../model/spec.ts'
import type { EmbedMultiTask, EmbedTask } from '../task.ts'
import { findRoute } from './find-route.ts'
import type { ServedModel } from './served-model.ts'
import { multiWidth } from './token-kind.ts'

/** How rows as the device gives them become the vectors that a client asked for. */
export interface VectorPlan {
  /** Numbers of a row. */
  readonly rowWidth: number
  /** Where in it the vector begins: not at 0 where a row holds those of several routes. */
  readonly start?: number
  /** Those of its vector; one behind them is the norm that the vector had before it was normalized. */
  readonly vectorWidth: number
  /** Numbers to keep. */
  readonly dimensions: number
  /** `kept`: as it came; `restored`: what it had before it was normalized; `unit`: 1, of what is kept. */
  readonly norm: 'kept' | 'restored' | 'unit'
}

type VectorTask = Pick<EmbedTask, 'prompt' | 'dimensions' | 'normalize'>

/** Throws `invalid_request` where the model has not that many dimensions. */
export function planVectors(served: ServedModel, task: VectorTask): VectorPlan {
  const { outputWidth: rowWidth, vectorWidth } = served.model.runner.limits
  const dimensions = findDimensions(served, task.dimensions)
  const start = startOf(served.model.spec, rowWidth, task)
  return { rowWidth, start, vectorWidth, dimensions, norm: normOf(served, task, dimensions) }
}

/** Of vectors that stand for tokens. Throws `invalid_request` where the model has not that many dimensions, or kept no lengths. */
export function planTokenVectors(served: ServedModel, task: Omit<EmbedMultiTask, 'kind'>): VectorPlan {
  const width = multiWidth(served)
  const { dimensions: asked, normalize } = task
  const { head } = served.model.spec
  const isNormalized = head.kind !== 'multi_vector' || head.steps.at(-1)?.kind === 'normalize'
  if (normalize === false && isNormalized) {
    throw new ServerError(
      'invalid_request',
      `normalize is false; ${served.info.id} normalizes the vectors of tokens, and what length they had is not kept`,
    )
  }
  const dimensions = checkDimensions(served, asked ?? width, width)
  const isUnit = normalize === true ? !isNormalized || dimensions < width : isNormalized && dimensions < width
  return { rowWidth: width, vectorWidth: width, dimensions, norm: isUnit ? 'unit' : 'kept' }
}

/** Routes stand side by side in a row, in their order. */
function startOf({ head }: ModelSpec, rowWidth: number, { prompt }: VectorTask): number {
  if (head.kind !== 'embedding' || head.routes === undefined) return 0
  return (findRoute(head.routes, prompt) * rowWidth) / head.routes.length
}

function normOf(
  { model }: ServedModel,
  { normalize, dimensions: asked }: VectorTask,
  dimensions: number,
): VectorPlan['norm'] {
  const isNormalized = lastStep(model.spec)?.kind === 'normalize'
  if (normalize === false) return isNormalized ? 'restored' : 'kept'
  const isCut = dimensions < model.runner.limits.vectorWidth
  if (normalize === true) return isNormalized && !isCut ? 'kept' : 'unit'
  // A cut that the model's files ask for leaves the vector as it is, as the reference does; a client's cut is made whole.
  return isNormalized && isCut && asked !== undefined ? 'unit' : 'kept'
}

/** Of any side: what one does at its end they all do. */
function lastStep({ head, tokenizer, image, audio }: ModelSpec): EmbeddingStep | undefined {
  if (tokenizer === undefined) return (image ?? audio)?.steps.at(-1)
  return head.kind === 'embedding' ? head.steps.at(-1) : undefined
}

function findDimensions(served: ServedModel, asked: number | undefined): number {
  const { info, model } = served
  const width = model.runner.limits.vectorWidth
  return asked === undefined ? (info.dimensions ?? width) : checkDimensions(served, asked, width)
}

function checkDimensions({ info }: ServedModel, asked: number, width: number): number {
  if (asked >= 1 && asked <= width) return asked
  throw new ServerError('invalid_request', `dimensions is ${asked}; ${info.id} has 1 to ${width}`)
}
