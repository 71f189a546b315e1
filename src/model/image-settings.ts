/** What image processors say of themselves, and what their classes do where they are silent (transformers 5.23). */
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { expectForm } from './json-file.ts'
import { processorClass, readProcessor } from './read-processor.ts'
import { showValue } from './show-value.ts'
import type { Channels, Resample } from './tower-spec.ts'

/** Patches of a picture, and pixels of a side, far above what any model has: pictures are made as large as a folder says. */
export const MOST_PATCHES = 20_000
const MOST_SIDE = 4096

const Side = z.int().positive().max(MOST_SIDE)
const SizeObject = z.looseObject({
  shortest_edge: Side.nullish(),
  height: Side.nullish(),
  width: Side.nullish(),
})
const Size = z.union([Side, listOf(2, Side, 'a list of height and width'), SizeObject])
const PER_CHANNEL = 'a list of three, one for each channel'
const Mean = z.union([z.number(), listOf(3, z.number(), PER_CHANNEL)])
const Positive = z.number().positive()
const Deviation = z.union([Positive, listOf(3, Positive, PER_CHANNEL)])

const ImageSettings = z.looseObject({
  image_processor_type: z.string().nullish(),
  feature_extractor_type: z.string().nullish(),
  do_resize: z.boolean().nullish(),
  size: Size.nullish(),
  resample: z.int().min(0).max(5).nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: Size.nullish(),
  do_rescale: z.boolean().nullish(),
  rescale_factor: z.number().positive().nullish(),
  do_normalize: z.boolean().nullish(),
  image_mean: Mean.nullish(),
  image_std: Deviation.nullish(),
  do_convert_rgb: z.boolean().nullish(),
  patch_size: Side.nullish(),
  max_num_patches: z.int().positive().max(MOST_PATCHES).nullish(),
})

/** Of so many: what zod says of a list that is too short does not say that it means places. */
function listOf<S extends z.ZodType>(length: number, of: S, form: string) {
  return z.array(of).refine((list) => list.length === length, { error: `it must be a number, or ${form}` })
}

export type ImageSettings = z.infer<typeof ImageSettings>

/** Pillow's numbers of its filters. */
export const FILTERS: readonly Resample[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming']

export interface ProcessorDefaults {
  readonly size?: ImageSettings['size']
  /** Of the middle; undefined: the picture is not cropped unless its file says so. */
  readonly cropSize?: number
  readonly resample: Resample
  readonly mean: Channels
  readonly std: Channels
  /** What one number as `size` is: both sides, or the shorter one. */
  readonly isSquare?: true
  /** Patches at most, of pictures that keep their ratio. */
  readonly maxPatches?: number
}

const HALF: Channels = [0.5, 0.5, 0.5]

const CLIP: ProcessorDefaults = {
  size: { shortest_edge: 224 },
  cropSize: 224,
  resample: 'bicubic',
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
}

const SIGLIP: ProcessorDefaults = {
  size: { height: 224, width: 224 },
  resample: 'bicubic',
  mean: HALF,
  std: HALF,
}

const PROCESSORS: Readonly<Record<string, ProcessorDefaults>> = {
  CLIPImageProcessor: CLIP,
  BitImageProcessor: CLIP,
  SiglipImageProcessor: SIGLIP,
  ViTImageProcessor: { ...SIGLIP, resample: 'bilinear', isSquare: true },
  Siglip2ImageProcessor: { resample: 'bilinear', mean: HALF, std: HALF, maxPatches: 256 },
}

/** What would make other pictures, and is not done here. */
const REFUSED: readonly string[] = [
  'do_pad',
  'do_thumbnail',
  'do_align_long_axis',
  'do_flip_channel_order',
  'rescale_offset',
  'use_square_size',
  'crop_pct',
  'max_size',
]

/** Jina's own, which has other names for the same. */
const JINA = 'JinaCLIPImageProcessor'

const JinaSettings = z.looseObject({
  size: Side,
  mean: Mean,
  std: Deviation,
  resize_mode: z.literal('shortest').nullish(),
  interpolation: z.enum(['bicubic', 'bilinear']).nullish(),
})

export interface FoundSettings {
  readonly settings: ImageSettings
  /** Of the class that reads them. */
  readonly defaults: ProcessorDefaults
  readonly className: string
  /** What errors call the place. */
  readonly where: string
}

/** `usual`: the class of a folder that names none. Throws `model_invalid`, or `model_unsupported` for what is not done here. */
export async function readImageSettings(
  folder: string,
  { usual, model }: { usual: string; model: string },
): Promise<FoundSettings> {
  const { settings, where } = await readProcessor(folder, {
    key: 'image_processor',
    schema: ImageSettings,
    model,
  })
  const named = settings.image_processor_type ?? settings.feature_extractor_type ?? usual
  const className = processorClass(named)
  if (className === JINA) return { settings: jinaSettings(settings, where), defaults: CLIP, className, where }
  const defaults = defaultsOf(className, where)
  expectDone(settings, where)
  return { settings, defaults, className, where }
}

function jinaSettings(settings: ImageSettings, where: string): ImageSettings {
  const { size, mean, std, interpolation } = expectForm(settings, JinaSettings, where)
  const resample = FILTERS.indexOf(interpolation ?? 'bicubic')
  return { size, crop_size: size, image_mean: mean, image_std: std, resample }
}

function defaultsOf(name: string, where: string): ProcessorDefaults {
  const defaults = Object.hasOwn(PROCESSORS, name) ? PROCESSORS[name] : undefined
  if (defaults !== undefined) return defaults
  const supported = [...Object.keys(PROCESSORS), JINA].join(', ')
  throw new ServerError(
    'model_unsupported',
    `${where} is of ${showValue(name)}, which is not supported; supported are ${supported}`,
  )
}

function expectDone(settings: ImageSettings, where: string): void {
  const found = REFUSED.find((name) => ![undefined, null, false].includes(settings[name] as null))
  const asked = found ?? (settings.do_convert_rgb === false ? 'do_convert_rgb' : undefined)
  if (asked === undefined) return
  throw new ServerError(
    'model_unsupported',
    `${where} has ${asked} ${showValue(settings[asked])}; pictures are read as RGB, resized, cropped, scaled and normalized, and nothing else`,
  )
}
