/** A folder whose model reads pictures or sound, or is the text side of one that does: its sides, of one space. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readAudioProcessing } from './audio-processing.ts'
import type { ConfigJson } from './config-json.ts'
import { readSection } from './config-json.ts'
import { readImageProcessing } from './image-processing.ts'
import { expectForm, readJson } from './json-file.ts'
import type { ImageLayout, MediaLayout, SideLayout, TextLayout } from './media-layouts.ts'
import { readMediaOutputs } from './media-outputs.ts'
import { expectOneSpace, readSteps } from './media-steps.ts'
import type { Pipeline } from './modules-json.ts'
import { showValue } from './show-value.ts'
import type { EmbeddingStep, ModelSpec, TensorRef, TokenizerSpec } from './spec.ts'
import { readSpecialTokens } from './special-tokens.ts'
import { readTokenIds } from './token-ids.ts'
import { readTokenizerSpec } from './tokenizer-files.ts'
import type { AudioTower, ImageTower } from './tower-spec.ts'

export interface MediaModelFacts {
  /** What errors call the model. */
  readonly model: string
  readonly layout: MediaLayout
  readonly pipeline: Pipeline
  readonly config: ConfigJson
  readonly tensors: Readonly<Record<string, TensorRef>>
}

type Sides = Pick<ModelSpec, 'modelType' | 'config' | 'head' | 'tokenizer' | 'image' | 'audio'> & {
  /** Those that its own settings have. */
  readonly ownPrompts: ModelSpec['prompts']
}

/** Of Jina's models: what stands before the texts of a task. */
const TextConfig = z.looseObject({
  hf_model_config_kwargs: z
    .looseObject({ task_instructions: z.record(z.string(), z.string()).nullish() })
    .nullish(),
})

/** Throws `model_invalid` or `model_unsupported`, naming the file. */
export async function readMediaModel(facts: MediaModelFacts): Promise<Sides> {
  const { config, layout, model } = facts
  if (config.quantization_config) {
    throw new ServerError(
      'model_unsupported',
      `${model}: config.json has quantization_config; models of pictures or sound are supported without`,
    )
  }
  const { sides, steps } = await readMediaOutputs(facts)
  const used: MediaLayout = Object.fromEntries(sides.map((side) => [side, layout[side]]))
  const text = used.text && (await readText(facts, used.text, steps))
  const image = used.image && (await readImage(facts, used.image, steps))
  const audio = used.audio && (await readAudio(facts, used.audio, steps))
  expectOneSpace({ text: text?.head.steps, image: image?.steps, audio: audio?.steps }, model)
  const [tower] = [image, audio].filter((found) => found !== undefined)
  return {
    ...(text ?? {
      modelType: tower?.modelType ?? config.model_type,
      config: tower?.config ?? config,
      head: { kind: 'embedding', steps: [] },
      tokenizer: undefined,
      ownPrompts: {},
    }),
    ...(image && { image }),
    ...(audio && { audio }),
  }
}

interface TextSide extends Pick<Sides, 'modelType' | 'config' | 'tokenizer' | 'ownPrompts'> {
  readonly head: { readonly kind: 'embedding'; readonly steps: readonly EmbeddingStep[] }
}

async function readText(
  facts: MediaModelFacts,
  layout: TextLayout,
  rest: readonly EmbeddingStep[],
): Promise<TextSide> {
  const { pipeline, model } = facts
  const section = settingsOf(facts, layout)
  const config = {
    ...section,
    ...withDefaults(section, {
      max_position_embeddings: layout.maxPositions,
      vocab_size: layout.vocabularySize,
      tokenizer_class: facts.config['tokenizer_class'],
    }),
  }
  const { transformer, hasModules: useModuleConfig } = pipeline
  const kwargs = expectForm(section, TextConfig, placeOf(facts, layout))
  const tokenizer = await readTokenizerSpec(transformer, { model, config, useModuleConfig })
  return {
    modelType: layout.modelType,
    config,
    ownPrompts: kwargs.hf_model_config_kwargs?.task_instructions ?? {},
    head: { kind: 'embedding', steps: [...readSteps(facts, layout, config), ...rest] },
    tokenizer: {
      ...tokenizer,
      ...(layout.lowerCase && { lowerCase: true }),
      ...(layout.fill && { fill: await readFill(facts, tokenizer, layout.fill) }),
    },
  }
}

/** What is not said of a side's settings. */
function withDefaults(settings: ConfigJson, defaults: Readonly<Record<string, unknown>>): object {
  const missing = Object.entries(defaults).filter(
    ([key, value]) => value !== undefined && (settings[key] ?? undefined) === undefined,
  )
  return Object.fromEntries(missing)
}

const Padding = z.looseObject({ padding_side: z.enum(['left', 'right']).nullish() })

async function readFill(
  { pipeline, model }: MediaModelFacts,
  tokenizer: TokenizerSpec,
  { token, side }: NonNullable<TextLayout['fill']>,
): Promise<NonNullable<TokenizerSpec['fill']>> {
  const { transformer } = pipeline
  const config = (await readJson(join(transformer, 'tokenizer_config.json'), Padding)) ?? {}
  if ((config.padding_side ?? side) === 'left') {
    throw new ServerError(
      'model_unsupported',
      `${model}: texts are filled up at their end only; tokenizer_config.json must have padding_side right`,
    )
  }
  const { roles } = await readSpecialTokens(transformer, { pad_token: token })
  const name = roles.pad_token ?? token
  const id = (await readTokenIds(tokenizer))(name)
  const { maxTokens: tokens = 0, vocabularySize = Infinity } = tokenizer
  if (id !== undefined && id < vocabularySize) return { id, tokens }
  const what = id === undefined ? 'is not in the vocabulary' : `has id ${id}, which the model lacks`
  throw new ServerError(
    'model_invalid',
    `${model}: texts are filled up with pad_token ${showValue(name)}, which ${what}`,
  )
}

async function readImage(
  facts: MediaModelFacts,
  layout: ImageLayout,
  rest: readonly EmbeddingStep[],
): Promise<ImageTower> {
  const { model, pipeline } = facts
  const settings = settingsOf(facts, layout)
  const where = placeOf(facts, layout)
  const { image_size: imageSize, ...own } = expectForm(settings, ImageConfig, where)
  const { patch_size: patchSize = layout.patchSize, num_channels: channels, num_register_tokens } = own
  if ((channels ?? 3) !== 3)
    throw new ServerError('model_unsupported', `${where} has num_channels ${channels}; supported is 3`)
  const leadingTokens =
    layout.leadingTokens === 'registers' ? 1 + (num_register_tokens ?? 4) : layout.leadingTokens
  const sizes = { imageSize: toSide(imageSize ?? 224), patchSize: toSide(patchSize ?? layout.patchSize) }
  const places = Math.floor(Math.sqrt(own.num_patches ?? 256))
  return {
    modelType: layout.modelType,
    config: { ...settings, image_size: sizes.imageSize, patch_size: sizes.patchSize },
    steps: [...readSteps(facts, layout, settings), ...rest],
    processing: await readImageProcessing(pipeline.transformer, {
      model,
      layout,
      leadingTokens,
      places,
      ...sizes,
      imageSizeFrom: originOf(facts, layout, 'image_size'),
    }),
  }
}

const Side = z.int().positive().max(4096)
const Sides = z
  .union([Side, z.array(Side)])
  .refine((side) => typeof side === 'number' || (side.length === 2 && side[0] === side[1]), {
    error: 'it must be one number, or two that are equal',
  })

const ImageConfig = z.looseObject({
  image_size: Sides.nullish(),
  patch_size: Sides.nullish(),
  num_channels: z.int().nullish(),
  num_patches: z.int().positive().nullish(),
  num_register_tokens: z.int().nonnegative().max(1000).nullish(),
})

function toSide(side: number | number[]): number {
  return [side].flat()[0] ?? 0
}

const AudioConfig = z.looseObject({
  num_mel_bins: z.int().positive().nullish(),
  enable_fusion: z.boolean().nullish(),
})

async function readAudio(
  facts: MediaModelFacts,
  layout: SideLayout,
  rest: readonly EmbeddingStep[],
): Promise<AudioTower> {
  const { model, pipeline } = facts
  const config = settingsOf(facts, layout)
  const own = expectForm(config, AudioConfig, placeOf(facts, layout))
  return {
    modelType: layout.modelType,
    config,
    steps: [...readSteps(facts, layout, config), ...rest],
    processing: await readAudioProcessing(pipeline.transformer, {
      model,
      melBands: own.num_mel_bins ?? 64,
      fuses: own.enable_fusion ?? false,
    }),
  }
}

function settingsOf({ config, model }: MediaModelFacts, { section, modelType }: SideLayout): ConfigJson {
  return section === undefined ? config : readSection(config, section, modelType, model)
}

/** What errors call the settings of a side. */
function placeOf({ model }: MediaModelFacts, { section }: SideLayout): string {
  return section === undefined ? `${model}: config.json` : `${model}: ${section} in config.json`
}

/** Where a setting of a side stands, or why a default is in its place. */
function originOf(facts: MediaModelFacts, layout: SideLayout, key: string): string {
  const { section } = layout
  if ((settingsOf(facts, layout)[key] ?? undefined) !== undefined) return `${key} in config.json`
  const isMissing = section !== undefined && !facts.config[section] && !facts.config[`${section}_dict`]
  if (isMissing) return `${key} by default, as config.json has no ${section}`
  const place = section === undefined ? 'config.json' : `${section} in config.json`
  return `${key} by default, as ${place} does not say it`
}
