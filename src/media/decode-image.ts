import sharp from 'sharp'
import type { Sharp } from 'sharp'
import { ServerError } from '../errors.ts'
import { findHiddenColor } from './gif-color.ts'
import type { ImageFormat } from './image-format.ts'
import { findImageFormat } from './image-format.ts'
import type { MediaLimits } from './protocol.ts'
import type { Picture } from './resample.ts'

// A core for each picture: the others compute models. Nothing is read twice, so nothing is kept.
sharp.concurrency(1)
sharp.cache(false)
// The signature decides before; this holds where libvips sees another format in the same bytes.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map((format) => `VipsForeignLoad${format}`),
})

/** What is known of a picture before any of it is decoded. */
export interface ImageHeader {
  readonly format: ImageFormat
  readonly pixels: number
  readonly isCmyk: boolean
}

/** Throws `invalid_request` for what is no picture, and for more pixels than `limits` allow. */
export async function readHeader(bytes: Uint8Array, limits: MediaLimits): Promise<ImageHeader> {
  const format = findImageFormat(bytes)
  const { width, height, space } = await open(bytes, false)
    .metadata()
    .catch((cause) => Promise.reject(unreadable(format, cause)))
  const pixels = width * height
  if (pixels > limits.maxPixels) {
    throw new ServerError(
      'invalid_request',
      `the ${format} picture has ${width} × ${height} = ${pixels} pixels; at most ${limits.maxPixels} are allowed (MEDIA_MAX_PIXELS)`,
    )
  }
  return { format, pixels, isCmyk: space === 'cmyk' }
}

/**
 * Pixels as Pillow's `convert('RGB')` has them, turned as EXIF says: alpha is dropped and the colour under it stays,
 * profiles are not applied, of a moving picture it is the first one. Throws `invalid_request` for a file that ends early or
 * is damaged.
 */
export async function decodeImage(
  bytes: Uint8Array,
  { format, isCmyk }: ImageHeader,
  limits: MediaLimits,
): Promise<Picture> {
  const image = open(bytes, limits.maxPixels)
  const hiddenColor = format === 'GIF' ? findHiddenColor(bytes) : undefined
  if (isCmyk) image.pipelineColourspace('cmyk').toColourspace('cmyk')
  else if (hiddenColor === undefined) image.removeAlpha()
  const { data, info } = await image
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((cause) => Promise.reject(unreadable(format, cause)))
  return {
    width: info.width,
    height: info.height,
    pixels: toRgb(data, info.channels, { isCmyk, hiddenColor }),
  }
}

/** Without a limit only its header is asked for: what is wrong with it is then ours to say. */
function open(bytes: Uint8Array, limitInputPixels: number | false): Sharp {
  return sharp(bytes, { failOn: 'error', limitInputPixels, ignoreIcc: true, autoOrient: true })
}

function toRgb(
  data: Buffer,
  channels: number,
  { isCmyk, hiddenColor }: { isCmyk: boolean; hiddenColor: readonly number[] | undefined },
): Uint8Array {
  if (channels === 3) return data
  if (channels < 3) return spreadGrey(data, channels)
  if (isCmyk) return mixInks(data, channels)
  return showHidden(data, channels, hiddenColor)
}

function spreadGrey(data: Uint8Array, channels: number): Uint8Array {
  const pixels = new Uint8Array((data.length / channels) * 3)
  for (let from = 0, to = 0; to < pixels.length; from += channels, to += 3) {
    pixels.fill(data[from] as number, to, to + 3)
  }
  return pixels
}

/** Pillow's formula, src/libImaging/Convert.c: no profile. */
function mixInks(data: Uint8Array, channels: number): Uint8Array {
  const pixels = new Uint8Array((data.length / channels) * 3)
  for (let from = 0, to = 0; to < pixels.length; from += channels, to += 3) {
    const light = 255 - (data[from + 3] as number)
    for (let channel = 0; channel < 3; channel++) {
      const product = (data[from + channel] as number) * light + 128
      pixels[to + channel] = Math.max(light - (((product >> 8) + product) >> 8), 0)
    }
  }
  return pixels
}

/** libvips has black where nothing is seen, Pillow the palette's colour. */
function showHidden(data: Uint8Array, channels: number, color: readonly number[] = [0, 0, 0]): Uint8Array {
  const pixels = new Uint8Array((data.length / channels) * 3)
  for (let from = 0, to = 0; to < pixels.length; from += channels, to += 3) {
    if (data[from + 3] === 0) pixels.set(color, to)
    else for (let channel = 0; channel < 3; channel++) pixels[to + channel] = data[from + channel] as number
  }
  return pixels
}

/** libvips keeps what it says of errors in one place for all threads: with others beside it, it may be of another file. */
function unreadable(format: ImageFormat, cause: unknown): ServerError {
  return new ServerError(
    'invalid_request',
    `the ${format} picture cannot be decoded: it is damaged, ends early, or is of a kind that is not supported`,
    { cause },
  )
}
