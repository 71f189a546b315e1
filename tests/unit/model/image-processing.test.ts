/** How pictures are prepared, in every spelling of the years, with the defaults of transformers 5.23. */
import { expect, test } from 'vitest'
import { readAudioProcessing } from '../../../src/model/audio-processing.ts'
import { readImageProcessing } from '../../../src/model/image-processing.ts'
import type { ImageLayout } from '../../../src/model/media-layouts.ts'
import { mediaLayout } from '../../../src/model/media-layouts.ts'
import type { ImageProcessing } from '../../../src/model/spec.ts'
import { makeFolder } from './model-folder.ts'

const FILE = 'preprocessor_config.json'
const SIZES = { imageSize: 224, imageSizeFrom: 'image_size', patchSize: 32, leadingTokens: 1, places: 16 }

async function read(settings: object, modelType = 'clip', sizes = {}, file = FILE): Promise<ImageProcessing> {
  const folder = await makeFolder({ [file]: settings })
  const layout = mediaLayout(modelType)?.image as ImageLayout
  return readImageProcessing(folder, { model: 'model', layout, ...SIZES, ...sizes })
}

const CLIP: ImageProcessing = {
  resize: { kind: 'shortest_edge', edge: 224 },
  crop: { height: 224, width: 224 },
  resample: 'bicubic',
  scale: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  patchSize: 32,
  leadingTokens: 1,
}

test.each([
  ['nothing', {}],
  ['a class of before version 5', { feature_extractor_type: 'CLIPFeatureExtractor' }],
  ['a fast class', { image_processor_type: 'CLIPImageProcessorFast' }],
  ['numbers as sizes', { size: 224, crop_size: 224 }],
  ['objects as sizes', { size: { shortest_edge: 224 }, crop_size: { height: 224, width: 224 } }],
  ['a list as crop', { crop_size: [224, 224] }],
  ['null for everything', { size: null, crop_size: null, do_resize: null, resample: null, image_mean: null }],
  ['keys that mean nothing here', { do_pad: false, _valid_processor_keys: ['size'], crop_pct: null }],
])("CLIP's settings are what they are with %s said", async (_, settings) => {
  expect(await read(settings)).toEqual(CLIP)
})

test('what a file says counts before what its class does', async () => {
  const settings = {
    size: { height: 256, width: 200 },
    resample: 1,
    do_center_crop: true,
    rescale_factor: 0.5,
    image_mean: 0.25,
    image_std: [0.1, 0.2, 0.3],
  }
  expect(await read(settings)).toEqual({
    ...CLIP,
    resize: { kind: 'exact', height: 256, width: 200 },
    resample: 'lanczos',
    scale: 0.5,
    mean: [0.25, 0.25, 0.25],
    std: [0.1, 0.2, 0.3],
  })
})

test('steps that are switched off are left out', async () => {
  const settings = { do_resize: false, do_rescale: false, do_normalize: false }
  expect(await read(settings)).toMatchObject({
    resize: undefined,
    scale: undefined,
    mean: undefined,
    std: undefined,
  })
})

test.each([
  [0, 'nearest'],
  [1, 'lanczos'],
  [2, 'bilinear'],
  [3, 'bicubic'],
  [4, 'box'],
  [5, 'hamming'],
])("filter %i is Pillow's %s", async (resample, name) => {
  expect(await read({ resample })).toMatchObject({ resample: name })
})

test('processor_config.json of transformers 5 holds the same, and counts before the older file', async () => {
  const nested = { image_processor: { image_mean: [0, 0, 0] }, processor_class: 'CLIPProcessor' }
  expect(await read(nested, 'clip', {}, 'processor_config.json')).toEqual({ ...CLIP, mean: [0, 0, 0] })
  const layout = mediaLayout('clip')?.image as ImageLayout
  const folder = await makeFolder({ 'processor_config.json': nested, [FILE]: { image_mean: [1, 1, 1] } })
  const read5 = await readImageProcessing(folder, { model: 'model', layout, ...SIZES })
  expect(read5.mean).toEqual([0, 0, 0])
})

test('a number is both sides of a picture for ViT, and the shorter one for SigLIP, whose pictures are not cropped', async () => {
  const exact = { kind: 'exact', height: 224, width: 224 }
  expect(await read({ size: 224 }, 'vit')).toMatchObject({
    resize: exact,
    resample: 'bilinear',
    crop: undefined,
  })
  expect(await read({ size: [224, 224] }, 'siglip')).toMatchObject({ resize: exact, mean: [0.5, 0.5, 0.5] })
  await expect(read({ size: 224 }, 'siglip')).rejects.toThrow('leaves pictures their ratio')
})

test('places of DINOv2 are made for whatever crop there is, but pictures must be of one size', async () => {
  const settings = { size: { shortest_edge: 512 }, crop_size: { height: 448, width: 336 } }
  expect(await read(settings, 'dinov2')).toMatchObject({ crop: { height: 448, width: 336 } })
  await expect(read({ do_center_crop: false }, 'dinov2')).rejects.toThrow('pictures of one size')
})

test('SigLIP 2 keeps the ratio within a number of patches, and lays them over its grid', async () => {
  const sizes = { patchSize: 16, leadingTokens: 0, places: 16 }
  expect(await read({}, 'siglip2', sizes)).toMatchObject({
    resize: { kind: 'patches', maxPatches: 256, places: 16 },
    crop: undefined,
    resample: 'bilinear',
  })
  const more = await read({ max_num_patches: 1024, patch_size: 16 }, 'siglip2', sizes)
  expect(more.resize).toMatchObject({ maxPatches: 1024 })
})

test('Jina names the same steps otherwise', async () => {
  const settings = {
    image_processor_type: 'JinaCLIPImageProcessor',
    size: 512,
    mean: [0.1, 0.2, 0.3],
    std: [0.4, 0.5, 0.6],
    resize_mode: 'shortest',
    interpolation: 'bilinear',
    fill_color: 0,
  }
  const sizes = { imageSize: 512, patchSize: 14 }
  expect(await read(settings, 'jina_clip', sizes)).toEqual({
    ...CLIP,
    resize: { kind: 'shortest_edge', edge: 512 },
    crop: { height: 512, width: 512 },
    resample: 'bilinear',
    mean: [0.1, 0.2, 0.3],
    std: [0.4, 0.5, 0.6],
    patchSize: 14,
  })
  await expect(read({ ...settings, resize_mode: 'longest' }, 'jina_clip', sizes)).rejects.toThrow(
    'resize_mode',
  )
})

const SOUND = {
  samplingRate: 48_000,
  hopLength: 480,
  fftWindowSize: 1024,
  featureSize: 64,
  frequencyMin: 0,
  frequencyMax: 14_000,
  maxSamples: 480_000,
  truncation: 'fusion',
  padding: 'repeatpad',
}

test('sound is prepared as CLAP does where nothing is said', async () => {
  const tower = { model: 'model', melBands: 64, fuses: true }
  expect(await readAudioProcessing(await makeFolder({ [FILE]: {} }), tower)).toEqual(SOUND)
  const nested = { feature_extractor: { feature_extractor_type: 'ClapFeatureExtractor' } }
  expect(await readAudioProcessing(await makeFolder({ 'processor_config.json': nested }), tower)).toEqual(
    SOUND,
  )
})

test('what is heard at once is seconds times samples a second, whatever else a file says of it', async () => {
  const settings = {
    feature_size: 32,
    sampling_rate: 16_000,
    max_length_s: 7,
    nb_max_samples: 1,
    hop_length: 320,
    fft_window_size: 512,
    frequency_min: 50,
    frequency_max: 8000,
    truncation: 'rand_trunc',
    padding: 'pad',
  }
  const folder = await makeFolder({ [FILE]: settings })
  expect(await readAudioProcessing(folder, { model: 'model', melBands: 32, fuses: false })).toEqual({
    samplingRate: 16_000,
    hopLength: 320,
    fftWindowSize: 512,
    featureSize: 32,
    frequencyMin: 50,
    frequencyMax: 8000,
    maxSamples: 112_000,
    truncation: 'rand_trunc',
    padding: 'pad',
  })
})
