/** What sentence-transformers asks a model of pictures or sound for, and what its modules make of that. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readJson } from './json-file.ts'
import type { MediaLayout } from './media-layouts.ts'
import type { Pipeline } from './modules-json.ts'
import { showValue } from './show-value.ts'
import type { EmbeddingStep } from './spec.ts'

const Output = z.looseObject({
  method: z.string().nullish(),
  method_output_name: z.union([z.string(), z.array(z.string())]).nullish(),
})

const ModuleConfig = z.looseObject({
  modality_config: z.record(z.string(), Output).nullish(),
  processing_kwargs: z.record(z.string(), z.unknown()).nullish(),
})

export const SIDES = ['text', 'image', 'audio'] as const
export type SideName = (typeof SIDES)[number]

export interface MediaOutputs {
  /** Those of the model that the folder uses. */
  readonly sides: readonly SideName[]
  /** What stands behind what the model gives by itself. */
  readonly steps: readonly EmbeddingStep[]
}

interface Facts {
  readonly model: string
  readonly layout: MediaLayout
  readonly pipeline: Pipeline
}

/**
 * Without modules.json vectors are normalized, as models are trained to be compared. Throws `model_unsupported` for modules that
 * would read something else than one vector for each text, picture or sound.
 */
export async function readMediaOutputs({ model, layout, pipeline }: Facts): Promise<MediaOutputs> {
  const own = SIDES.filter((side) => layout[side] !== undefined)
  if (!pipeline.hasModules) return { sides: own, steps: [{ kind: 'normalize' }] }
  const { routes, sparse, multiVector, scoring, steps = [] } = pipeline
  const other = Object.entries({ routes, sparse, multiVector, scoring }).find(([, value]) => value)
  if (other !== undefined) {
    throw new ServerError(
      'model_unsupported',
      `${model}: modules.json makes ${other[0]} of ${nameOf(layout)}; supported are modules behind one vector each`,
    )
  }
  const file = join(pipeline.transformer, 'sentence_bert_config.json')
  const config = (await readJson(file, ModuleConfig)) ?? {}
  const sides = usedSides(own, config, model)
  expectNoKwargs(config, sides, model)
  const [first, ...others] = steps
  const isPooled = first?.kind === 'pooling'
  for (const side of sides) expectOutput(config.modality_config?.[side], { side, layout, isPooled, model })
  const rest = isPooled ? others : steps
  const foreign = rest.find((step) => step.kind === 'pooling' || step.kind === 'layers' || isPerToken(step))
  const isOfTokens = isPooled && (first.modes.length !== 1 || first.modes[0] !== 'cls')
  if (foreign === undefined && !isOfTokens) return { sides, steps: rest }
  throw new ServerError(
    'model_unsupported',
    `${model}: a ${(foreign ?? first)?.kind} module behind ${nameOf(layout)} would read tokens or patches; supported are modules that read one vector`,
  )
}

function nameOf({ text, image, audio }: MediaLayout): string {
  return (text ?? image ?? audio)?.modelType ?? ''
}

function isPerToken(step: EmbeddingStep): boolean {
  return 'perToken' in step && step.perToken
}

function usedSides(
  own: readonly SideName[],
  { modality_config: outputs }: z.infer<typeof ModuleConfig>,
  model: string,
): readonly SideName[] {
  if (outputs === undefined || outputs === null) return own
  const sides = own.filter((side) => Object.hasOwn(outputs, side))
  if (sides.length > 0) return sides
  throw new ServerError(
    'model_unsupported',
    `${model}: modality_config in sentence_bert_config.json has ${Object.keys(outputs).map(showValue).join(', ') || 'nothing'}; the model reads ${own.join(', ')}`,
  )
}

/** Texts may be told to be filled up, which is what is done where it must be. */
function expectNoKwargs(
  { processing_kwargs: kwargs }: z.infer<typeof ModuleConfig>,
  sides: readonly SideName[],
  model: string,
): void {
  const asked = Object.keys(kwargs ?? {}).find(
    (key) => (key === 'image' || key === 'audio') && sides.includes(key),
  )
  if (asked === undefined) return
  throw new ServerError(
    'model_unsupported',
    `${model}: sentence_bert_config.json has processing_kwargs for ${asked}; how media are prepared must stand in preprocessor_config.json`,
  )
}

function expectOutput(
  output: z.infer<typeof Output> | undefined,
  asked: { side: SideName; layout: MediaLayout; isPooled: boolean; model: string },
): void {
  const { side, layout, isPooled, model } = asked
  const { method, method_output_name: name } = output ?? {}
  const read = name === undefined || name === null ? undefined : [name].flat().join('.')
  const allowed = allowedOutputs(side, layout)
  const wanted = isPooled ? 'last_hidden_state' : (read ?? allowed[0])
  const isKnown = wanted !== undefined && allowed.includes(wanted) && (read ?? wanted) === wanted
  const isOwnMethod = !method || method === (hasPair(layout) ? `get_${side}_features` : 'forward')
  if (isKnown && isOwnMethod) return
  const found = isPooled ? `${read ?? 'last_hidden_state'} pooled` : (read ?? 'its output')
  throw new ServerError(
    'model_unsupported',
    `${model}: its modules read ${showValue(found)} of ${method ?? 'forward'} for ${side}; supported is ${allowed.join(', ')}`,
  )
}

/** Whether it compares two kinds of things, and has a method for each. */
function hasPair(layout: MediaLayout): boolean {
  return SIDES.filter((side) => layout[side] !== undefined).length > 1
}

function allowedOutputs(side: SideName, layout: MediaLayout): readonly string[] {
  const { image } = layout
  if (hasPair(layout)) return ['pooler_output']
  if (side !== 'image' || image === undefined) return ['pooler_output', 'text_embeds']
  return image.pooled.map((name) => (name === 'cls' ? 'last_hidden_state' : name))
}
