/** preprocessor_config.json of image processors, in all the spellings that transformers 5.23 reads: how pictures become patches. */
import { ServerError } from '../errors.ts'
import type { ImageSettings, ProcessorDefaults } from './image-settings.ts'
import { FILTERS, MOST_PATCHES, readImageSettings } from './image-settings.ts'
import type { ImageLayout } from './media-layouts.ts'
import { showValue } from './show-value.ts'
import type { Channels, ImageProcessing, Resize } from './tower-spec.ts'

interface Tower {
  readonly model: string
  readonly layout: ImageLayout
  readonly imageSize: number
  /** Where that stands: what errors say behind it. */
  readonly imageSizeFrom: string
  readonly patchSize: number
  readonly leadingTokens: number
  /** Of a side of the grid that patches of any ratio are laid over. */
  readonly places: number
}

/**
 * How pictures become patches. Throws `model_invalid` for a file that is missing, broken, or makes pictures that the tower cannot
 * read; `model_unsupported` for a processor or a step that we lack.
 */
export async function readImageProcessing(folder: string, tower: Tower): Promise<ImageProcessing> {
  const { model, layout } = tower
  const found = await readImageSettings(folder, { usual: layout.processor, model })
  const { settings, defaults, className, where } = found
  const isNaFlex = layout.sizes === 'patches'
  if (isNaFlex !== (defaults.maxPatches !== undefined)) {
    throw new ServerError(
      'model_unsupported',
      `${where} is of ${className}, which does not go with ${layout.modelType}; ${layout.processor} does`,
    )
  }
  const processing: ImageProcessing = {
    ...(defaults.maxPatches === undefined
      ? readSizes(settings, defaults, where)
      : { resize: readPatches(settings, defaults.maxPatches, { ...tower, where }), crop: undefined }),
    resample: FILTERS[settings.resample ?? -1] ?? defaults.resample,
    scale: settings.do_rescale === false ? undefined : (settings.rescale_factor ?? 1 / 255),
    ...readNorm(settings, defaults),
    patchSize: tower.patchSize,
    leadingTokens: tower.leadingTokens,
  }
  if (!isNaFlex) expectFit(processing, tower, where)
  return processing
}

function readSizes(
  settings: ImageSettings,
  defaults: ProcessorDefaults,
  where: string,
): Pick<ImageProcessing, 'resize' | 'crop'> {
  const resize =
    settings.do_resize === false
      ? undefined
      : readResize(settings.size ?? defaults.size, { isSquare: defaults.isSquare === true, where })
  if (!(settings.do_center_crop ?? defaults.cropSize !== undefined)) return { resize, crop: undefined }
  const size = settings.crop_size ?? defaults.cropSize
  const crop = size === undefined || size === null ? undefined : readSides(size)
  if (crop !== undefined) return { resize, crop }
  throw new ServerError(
    'model_invalid',
    `${where} has do_center_crop, and crop_size ${showValue(size)}; it must be a number, or height and width`,
  )
}

function readResize(
  size: ImageSettings['size'],
  { isSquare, where }: { isSquare: boolean; where: string },
): Resize {
  if (typeof size === 'number' && !isSquare) return { kind: 'shortest_edge', edge: size }
  const sides = readSides(size)
  if (sides !== undefined) return { kind: 'exact', ...sides }
  const { shortest_edge: edge, ...others } = Object(size) as Record<string, unknown>
  const [other] = Object.entries(others).filter(([, value]) => value !== null && value !== undefined)
  if (typeof edge === 'number' && other === undefined) return { kind: 'shortest_edge', edge }
  throw new ServerError(
    'model_unsupported',
    `${where} has size ${showValue(size)}; supported are a number, height and width, and shortest_edge`,
  )
}

/** Undefined where it does not say both. */
function readSides(size: ImageSettings['size']): { height: number; width: number } | undefined {
  if (typeof size === 'number') return { height: size, width: size }
  const [height, width] = Array.isArray(size) ? size : [size?.height, size?.width]
  return typeof height === 'number' && typeof width === 'number' ? { height, width } : undefined
}

function readPatches(
  settings: ImageSettings,
  usual: number,
  { patchSize, places, where }: { patchSize: number; places: number; where: string },
): Resize {
  const own = settings.patch_size ?? 16
  if (own !== patchSize) {
    throw new ServerError(
      'model_invalid',
      `${where} has patch_size ${own}, and config.json ${patchSize}; they must be the same`,
    )
  }
  if (settings.do_resize === false) {
    throw new ServerError(
      'model_unsupported',
      `${where} has do_resize false; pictures must be resized to whole patches`,
    )
  }
  return { kind: 'patches', maxPatches: settings.max_num_patches ?? usual, places }
}

function readNorm(
  settings: ImageSettings,
  { mean, std }: ProcessorDefaults,
): Pick<ImageProcessing, 'mean' | 'std'> {
  if (settings.do_normalize === false) return { mean: undefined, std: undefined }
  return { mean: channels(settings.image_mean) ?? mean, std: channels(settings.image_std) ?? std }
}

function channels(value: number | number[] | null | undefined): Channels | undefined {
  if (typeof value === 'number') return [value, value, value]
  return value ? (value as unknown as Channels) : undefined
}

/** Of pictures that the tower has places for, or makes them for. */
function expectFit({ resize, crop }: ImageProcessing, tower: Tower, where: string): void {
  const { layout, imageSize, imageSizeFrom, patchSize } = tower
  const made = crop ?? (resize?.kind === 'exact' ? resize : undefined)
  const needs =
    layout.sizes === 'one'
      ? `the tower reads ${imageSize} × ${imageSize} (${imageSizeFrom})`
      : 'the tower reads pictures of one size'
  if (made === undefined) {
    throw new ServerError(
      'model_invalid',
      `${where} leaves pictures their ratio, without crop_size; ${needs}`,
    )
  }
  const { height, width } = made
  if (layout.sizes === 'one' && (height !== imageSize || width !== imageSize)) {
    const what = crop === undefined ? 'size' : 'crop_size'
    throw new ServerError('model_invalid', `${where} has ${what} ${height} × ${width}; ${needs}`)
  }
  const patches = Math.floor(height / patchSize) * Math.floor(width / patchSize)
  if (patches >= 1 && patches <= MOST_PATCHES) return
  throw new ServerError(
    'model_invalid',
    `${where} makes pictures of ${height} × ${width}, which have ${patches} patches of ${patchSize}; at least 1 and at most ${MOST_PATCHES} are possible`,
  )
}
