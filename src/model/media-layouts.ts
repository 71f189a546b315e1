/** Models that read pictures or sound, as transformers 5.23 saves them: which sides each has, and where those stand. */
import type { Activation, PoolingStep } from './spec.ts'

/** A linear layer behind a side's pooled vector, by the names of its tensors. */
export interface ProjectionLayout {
  readonly kind: 'projection'
  /** Without `.weight` and `.bias`. */
  readonly tensor: string
  readonly hasBias: boolean
  /** `named`: what `projection_hidden_act` of the side's settings says. */
  readonly activation: Activation | 'named'
  /** What says its length: config.json as a whole, or the settings of the side. */
  readonly length: 'projection_dim' | 'projection_size' | 'unsaid'
  /** Of a side that is saved alone: a folder with none of these tensors is one without projection. */
  readonly isOptional?: true
}

export interface SideLayout {
  /** Names its family. */
  readonly modelType: string
  /** Where in config.json its settings stand; undefined: they are the whole of it. */
  readonly section?: string
  readonly steps: readonly (PoolingStep | ProjectionLayout)[]
}

export interface TextLayout extends SideLayout {
  /** Where its settings do not say. */
  readonly maxPositions?: number
  readonly vocabularySize?: number
  /** Every text is filled up with the padding token; what the folder does not say of it, the class of its tokenizer does. */
  readonly fill?: { readonly token: string; readonly side: 'left' | 'right' }
  readonly lowerCase?: true
}

export interface ImageLayout extends SideLayout {
  readonly patchSize: number
  /** Of image processors, the one that is used where the folder names none. */
  readonly processor: string
  /** Tokens before the patches; `registers`: as many more as its settings say. */
  readonly leadingTokens: 0 | 1 | 'registers'
  /** Whether places are learned for one size of pictures, and others are refused; or any ratio has its own. */
  readonly sizes: 'one' | 'interpolated' | 'patches'
  /** Which outputs of transformers the pooled vector is; `cls`: the first of last_hidden_state. */
  readonly pooled: readonly ('cls' | 'pooler_output' | 'image_embeds')[]
}

export interface MediaLayout {
  readonly text?: TextLayout
  readonly image?: ImageLayout
  readonly audio?: SideLayout
}

const LAST: PoolingStep = { kind: 'pooling', modes: ['lasttoken'], includePrompt: true }
const MEAN: PoolingStep = { kind: 'pooling', modes: ['mean'], includePrompt: true }
const FIRST: PoolingStep = { kind: 'pooling', modes: ['cls'], includePrompt: true }

type ProjectionForm = Partial<Pick<ProjectionLayout, 'hasBias' | 'activation' | 'length'>>

function projection(
  tensor: string,
  { hasBias = false, activation = 'identity', length = 'projection_dim' }: ProjectionForm = {},
): ProjectionLayout {
  return { kind: 'projection', tensor, hasBias, activation, length }
}

/** As a part of a whole model. */
function within<S extends SideLayout>(section: string, side: S): S {
  const steps = side.steps.map((step): PoolingStep | ProjectionLayout => {
    if (step.kind === 'pooling') return step
    const { isOptional: _, ...needed } = step
    return needed
  })
  return { ...side, section, steps }
}

/** Of a side that may be saved with its projection or without. */
function optional(tensor: string, form?: ProjectionForm): ProjectionLayout {
  return { ...projection(tensor, form), isOptional: true }
}

const CLIP_TEXT: TextLayout = {
  modelType: 'clip_text_model',
  maxPositions: 77,
  vocabularySize: 49_408,
  steps: [LAST, optional('text_projection')],
}

const CLIP_IMAGE: ImageLayout = {
  modelType: 'clip_vision_model',
  patchSize: 32,
  processor: 'CLIPImageProcessor',
  leadingTokens: 1,
  sizes: 'one',
  pooled: ['pooler_output', 'image_embeds'],
  steps: [optional('visual_projection')],
}

const SIGLIP_TEXT: TextLayout = {
  modelType: 'siglip_text_model',
  maxPositions: 64,
  vocabularySize: 32_000,
  fill: { token: '</s>', side: 'right' },
  steps: [LAST, projection('text_model.head', { hasBias: true, length: 'projection_size' })],
}

const SIGLIP_IMAGE: ImageLayout = {
  modelType: 'siglip_vision_model',
  patchSize: 16,
  processor: 'SiglipImageProcessor',
  leadingTokens: 0,
  sizes: 'one',
  pooled: ['pooler_output'],
  steps: [],
}

const SIGLIP2_TEXT: TextLayout = {
  ...SIGLIP_TEXT,
  modelType: 'siglip2_text_model',
  fill: { token: '<pad>', side: 'left' },
  lowerCase: true,
}

const SIGLIP2_IMAGE: ImageLayout = {
  ...SIGLIP_IMAGE,
  modelType: 'siglip2_vision_model',
  processor: 'Siglip2ImageProcessor',
  sizes: 'patches',
}

const CLAP_TEXT: TextLayout = {
  modelType: 'clap_text_model',
  maxPositions: 514,
  vocabularySize: 50_265,
  steps: [
    FIRST,
    projection('text_model.pooler.dense', { hasBias: true, activation: 'tanh', length: 'unsaid' }),
    optional('text_projection.linear1', { hasBias: true, activation: 'named' }),
    optional('text_projection.linear2', { hasBias: true }),
  ],
}

const CLAP_AUDIO: SideLayout = {
  modelType: 'clap_audio_model',
  steps: [
    optional('audio_projection.linear1', { hasBias: true, activation: 'named' }),
    optional('audio_projection.linear2', { hasBias: true }),
  ],
}

/** Of Jina's own code: jina-clip-v2. */
const JINA_TEXT: TextLayout = {
  modelType: 'jina_clip_text',
  section: 'text_config',
  steps: [MEAN, optional('text_projection')],
}

const JINA_IMAGE: ImageLayout = {
  modelType: 'jina_clip_vision',
  section: 'vision_config',
  patchSize: 16,
  processor: 'JinaCLIPImageProcessor',
  leadingTokens: 1,
  sizes: 'one',
  pooled: [],
  steps: [optional('visual_projection')],
}

const VIT: ImageLayout = {
  modelType: 'vit',
  patchSize: 16,
  processor: 'ViTImageProcessor',
  leadingTokens: 1,
  sizes: 'one',
  pooled: ['cls'],
  steps: [],
}

const DINOV2: ImageLayout = {
  modelType: 'dinov2',
  patchSize: 14,
  processor: 'BitImageProcessor',
  leadingTokens: 1,
  sizes: 'interpolated',
  pooled: ['cls', 'pooler_output'],
  steps: [],
}

/** By `model_type` of config.json. */
const LAYOUTS: Readonly<Record<string, MediaLayout>> = {
  clip: { text: within('text_config', CLIP_TEXT), image: within('vision_config', CLIP_IMAGE) },
  siglip: { text: within('text_config', SIGLIP_TEXT), image: within('vision_config', SIGLIP_IMAGE) },
  siglip2: { text: within('text_config', SIGLIP2_TEXT), image: within('vision_config', SIGLIP2_IMAGE) },
  jina_clip: { text: JINA_TEXT, image: JINA_IMAGE },
  clap: { text: within('text_config', CLAP_TEXT), audio: within('audio_config', CLAP_AUDIO) },
  clip_text_model: { text: CLIP_TEXT },
  siglip_text_model: { text: SIGLIP_TEXT },
  siglip2_text_model: { text: SIGLIP2_TEXT },
  clap_text_model: { text: CLAP_TEXT },
  clap_audio_model: { audio: CLAP_AUDIO },
  clip_vision_model: { image: CLIP_IMAGE },
  siglip_vision_model: { image: SIGLIP_IMAGE },
  siglip2_vision_model: { image: SIGLIP2_IMAGE },
  vit: { image: VIT },
  dinov2: { image: DINOV2 },
  dinov2_with_registers: {
    image: { ...DINOV2, modelType: 'dinov2_with_registers', patchSize: 16, leadingTokens: 'registers' },
  },
}

/** Undefined for a model of texts alone. */
export function mediaLayout(modelType: string): MediaLayout | undefined {
  return Object.hasOwn(LAYOUTS, modelType) ? LAYOUTS[modelType] : undefined
}
