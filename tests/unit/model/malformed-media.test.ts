/**
 * Folders of models that read pictures or sound, broken each in one way: one clear error before anything runs. Every case is a
 * whole model but for its fault.
 */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/errors.ts'
import { buildTower } from '../../../src/graph/build-tower.ts'
import { buildGraph } from '../../../src/graph/build.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import { tokenizerOf } from '../../../src/model/spec.ts'
import { TokenizerThread } from '../../../src/tokenize/tokenizer.ts'
import { clapFolder } from './clap-folder.ts'
import { expectRefusal } from './expect-refusal.ts'
import type { Files } from './model-folder.ts'
import { copyFixture, fixturePath, patched, readObject } from './model-folder.ts'

const tokenizers = new TokenizerThread()
afterAll(() => tokenizers.close())

/** All that happens to a folder of texts and pictures before its sessions are made. */
async function load(folder: string): Promise<void> {
  const spec = await openFolder(folder)
  if (spec.tokenizer !== undefined) {
    buildGraph(spec, 'cpu-f32')
    await tokenizers.open(tokenizerOf(spec))
  }
  if (spec.image !== undefined) buildTower(spec, 'image', 'cpu-f32')
}

const CLIP = '_vision/clip'
const VIT = '_vision/vit'
const DINOV2 = '_vision/dinov2'
const SIGLIP = '_siglip/siglip'
const SIGLIP2 = '_siglip/siglip2'

test.each([CLIP, VIT, DINOV2, SIGLIP, SIGLIP2])(
  'the folder %s that faults are made in is sound',
  async (name) => {
    expect(await load(await copyFixture(name))).toBeUndefined()
  },
)

type Case = readonly [fault: string, changes: object, code: ErrorCode, ...parts: string[]]

const PREPARATION: readonly Case[] = [
  ['a text as size', { size: 'large' }, 'model_invalid', 'size', 'an object'],
  ['half a pixel', { size: 32.5 }, 'model_invalid', 'size'],
  ['no pixel', { crop_size: 0 }, 'model_invalid', 'crop_size'],
  ['an absurd size', { size: { shortest_edge: 1e9 } }, 'model_invalid', 'size', 'at most 4096'],
  ['an absurd crop', { crop_size: 5000 }, 'model_invalid', 'crop_size', 'at most 4096'],
  [
    'three sides',
    { crop_size: [32, 32, 3] },
    'model_invalid',
    'crop_size: it must be a number, or a list of height and width',
  ],
  ['a size without sides', { size: { depth: 3 } }, 'model_unsupported', 'depth', 'shortest_edge'],
  ['a longest edge', { size: { longest_edge: 32 } }, 'model_unsupported', 'longest_edge'],
  [
    'a bound for the longer edge',
    { size: { shortest_edge: 32, longest_edge: 64 } },
    'model_unsupported',
    'longest_edge',
  ],
  ['a crop of one side', { crop_size: { height: 32 } }, 'model_invalid', 'crop_size', 'height and width'],
  [
    'another crop than the tower reads',
    { crop_size: 24 },
    'model_invalid',
    '24 × 24',
    '32 × 32',
    'image_size',
  ],
  [
    'pictures that keep their ratio',
    { do_center_crop: false },
    'model_invalid',
    'leaves pictures their ratio',
    '32 × 32',
  ],
  ['pictures as they come', { do_center_crop: false, do_resize: false }, 'model_invalid', '32 × 32'],
  ['an unknown filter', { resample: 6 }, 'model_invalid', 'resample', 'at most 5'],
  ['a filter by name', { resample: 'bicubic' }, 'model_invalid', 'resample'],
  [
    'a mean of two numbers',
    { image_mean: [0.5, 0.5] },
    'model_invalid',
    'image_mean: it must be a number, or a list of three, one for each channel',
  ],
  [
    'a deviation of four numbers',
    { image_std: [0.5, 0.5, 0.5, 0.5] },
    'model_invalid',
    'image_std: it must be a number, or a list of three, one for each channel',
  ],
  ['a mean in words', { image_mean: 'half' }, 'model_invalid', 'image_mean'],
  ['a deviation of 0', { image_std: [0.5, 0, 0.5] }, 'model_invalid', 'image_std', 'above 0'],
  ['a deviation of 0 for all', { image_std: 0 }, 'model_invalid', 'image_std', 'above 0'],
  ['a factor of 0', { rescale_factor: 0 }, 'model_invalid', 'rescale_factor', 'above 0'],
  ['a step in words', { do_resize: 'yes' }, 'model_invalid', 'do_resize', 'true or false'],
  ['padding', { do_pad: true }, 'model_unsupported', 'do_pad'],
  ['other colours than RGB', { do_convert_rgb: false }, 'model_unsupported', 'do_convert_rgb'],
  ['blue before red', { do_flip_channel_order: true }, 'model_unsupported', 'do_flip_channel_order'],
  ['a crop by share', { crop_pct: 0.875 }, 'model_unsupported', 'crop_pct', '0.875'],
  [
    'a processor that we lack',
    { image_processor_type: 'DonutImageProcessor' },
    'model_unsupported',
    'DonutImageProcessor',
    'CLIPImageProcessor',
  ],
  [
    'a processor called like a property',
    { image_processor_type: 'toString' },
    'model_unsupported',
    'toString',
  ],
  [
    'the processor of another kind of tower',
    { image_processor_type: 'Siglip2ImageProcessor' },
    'model_unsupported',
    'Siglip2ImageProcessor',
    'CLIPImageProcessor',
  ],
]

test.each(PREPARATION.map(([fault, ...rest]) => ({ fault, rest })))(
  'a preprocessor_config.json with $fault is refused',
  async ({ rest: [changes, code, ...parts] }) => {
    const file = 'preprocessor_config.json'
    const folder = await copyFixture(CLIP, { [file]: await patched(CLIP, file, changes) })
    await expectRefusal(() => load(folder), code, file, ...parts)
  },
)

test('a folder that does not say how pictures are prepared is refused, whatever else its processor_config.json says', async () => {
  const missing = { 'preprocessor_config.json': undefined }
  const parts = ['preprocessor_config.json is missing', 'image_processor'] as const
  await expectRefusal(async () => load(await copyFixture(CLIP, missing)), 'model_invalid', ...parts)
  const legacy = { ...missing, 'processor_config.json': { processor_class: 'CLIPProcessor' } }
  await expectRefusal(async () => load(await copyFixture(CLIP, legacy)), 'model_invalid', ...parts)
  const broken = { ...missing, 'processor_config.json': { image_processor: { size: 'large' } } }
  const place = ['processor_config.json', 'image_processor.size'] as const
  await expectRefusal(async () => load(await copyFixture(CLIP, broken)), 'model_invalid', ...place)
})

/** `section`: of config.json, which is changed; the whole where there is none. */
const SETTINGS: readonly (readonly [
  fault: string,
  name: string,
  section: string,
  changes: object,
  code: ErrorCode,
  ...parts: string[],
])[] = [
  ['a patch of 0', CLIP, 'vision_config', { patch_size: 0 }, 'model_invalid', 'patch_size'],
  [
    'a patch larger than pictures',
    CLIP,
    'vision_config',
    { patch_size: 64 },
    'model_invalid',
    '0 patches of 64',
  ],
  ['another patch than the weights', CLIP, 'vision_config', { patch_size: 16 }, 'model_invalid', 'patch'],
  [
    'a picture of one side',
    CLIP,
    'vision_config',
    { image_size: [32] },
    'model_invalid',
    'two that are equal',
  ],
  [
    'a picture of three sides',
    CLIP,
    'vision_config',
    { image_size: [32, 32, 32] },
    'model_invalid',
    'two that are equal',
  ],
  [
    'no section of pictures',
    CLIP,
    '',
    { vision_config: undefined },
    'model_invalid',
    '32 × 32',
    '224 × 224 (image_size by default, as config.json has no vision_config)',
  ],
  [
    'null as its section of pictures',
    CLIP,
    '',
    { vision_config: null },
    'model_invalid',
    '224 × 224 (image_size by default, as config.json has no vision_config)',
  ],
  [
    'no size of pictures',
    CLIP,
    'vision_config',
    { image_size: null },
    'model_invalid',
    '224 × 224 (image_size by default, as vision_config in config.json does not say it)',
  ],
  [
    'no size of pictures',
    VIT,
    '',
    { image_size: undefined },
    'model_invalid',
    '(image_size by default, as config.json does not say it)',
  ],
  [
    'another length of vectors than the weights',
    CLIP,
    '',
    { projection_dim: 5 },
    'model_invalid',
    'config.json has projection_dim 5, and text_projection.weight has 24 rows; they must be the same',
  ],
  ['a length of vectors in words', CLIP, '', { projection_dim: '24' }, 'model_invalid', 'projection_dim'],
  [
    'another length of vectors than the weights',
    SIGLIP,
    'text_config',
    { projection_size: 5 },
    'model_invalid',
    'projection_size 5',
    'text_model.head.weight',
  ],
  ['patches that are not square', CLIP, 'vision_config', { patch_size: [8, 4] }, 'model_invalid', 'equal'],
  [
    'an absurd picture',
    CLIP,
    'vision_config',
    { image_size: 1e9 },
    'model_invalid',
    'image_size',
    '100000000',
  ],
  ['a large picture', CLIP, 'vision_config', { image_size: 5000 }, 'model_invalid', 'image_size', '4096'],
  [
    'pictures of another size',
    CLIP,
    'vision_config',
    { image_size: 48 },
    'model_invalid',
    '32 × 32',
    '48 × 48',
  ],
  ['a picture in words', CLIP, 'vision_config', { image_size: 'large' }, 'model_invalid', 'image_size'],
  ['grey pictures', CLIP, 'vision_config', { num_channels: 1 }, 'model_unsupported', 'num_channels 1'],
  [
    'more layers than the weights',
    CLIP,
    'vision_config',
    { num_hidden_layers: 3 },
    'model_invalid',
    'layers.2.',
  ],
  [
    'ten million layers',
    CLIP,
    'vision_config',
    { num_hidden_layers: 1e7 },
    'model_invalid',
    'num_hidden_layers',
  ],
  [
    'fewer layers than the weights',
    CLIP,
    'vision_config',
    { num_hidden_layers: 1 },
    'model_invalid',
    'layers.1.',
  ],
  ['another width', CLIP, 'text_config', { hidden_size: 64 }, 'model_invalid', '64]'],
  ['an unknown activation', CLIP, 'vision_config', { hidden_act: 'snake' }, 'model_invalid', 'snake'],
  [
    'positions in words',
    CLIP,
    'text_config',
    { max_position_embeddings: 'all' },
    'model_invalid',
    'text_config',
  ],
  ['a list as a section', CLIP, '', { vision_config: [] }, 'model_invalid', 'vision_config', 'an object'],
  ['no section at all', CLIP, '', { text_config: undefined }, 'model_invalid', '[49408'],
  [
    'codes for weights',
    CLIP,
    '',
    { quantization_config: { quant_method: 'fp8' } },
    'model_unsupported',
    'quantization_config',
  ],
  ['a patch of 0', VIT, '', { patch_size: 0 }, 'model_invalid', 'patch_size'],
  ['heads that do not share the width', VIT, '', { num_attention_heads: 5 }, 'model_invalid', 'hidden_size'],
  ['another size of learned pictures', DINOV2, '', { image_size: 56 }, 'model_invalid', 'position'],
  [
    'a pooling of others',
    SIGLIP,
    'vision_config',
    { vision_use_head: false },
    'model_unsupported',
    'vision_use_head',
  ],
  [
    'a vocabulary without padding',
    SIGLIP,
    'text_config',
    { vocab_size: 1 },
    'model_invalid',
    'pad_token',
    'id 1',
  ],
  [
    'another patch than its processor',
    SIGLIP2,
    'vision_config',
    { patch_size: 4 },
    'model_invalid',
    'patch_size 8',
    '4',
  ],
]

test.each(SETTINGS.map(([fault, name, section, ...rest]) => ({ fault, name, section, rest })))(
  'a config.json of $name with $fault in $section is refused',
  async ({ name, section, rest: [changes, code, ...parts] }) => {
    const config = await readObject(join(fixturePath(name), 'config.json'))
    const whole =
      section === ''
        ? { ...config, ...changes }
        : { ...config, [section]: { ...Object(config[section]), ...changes } }
    const folder = await copyFixture(name, { 'config.json': whole })
    await expectRefusal(() => load(folder), code, ...parts)
  },
)

const SIGLIP_TOKENS = 'tokenizer_config.json'

test.each([
  ['filled up at the beginning', { padding_side: 'left' }, 'model_unsupported', ['padding_side right']],
  [
    'filled up with no token',
    { pad_token: '<nowhere>' },
    'model_invalid',
    ['<nowhere>', 'not in the vocabulary'],
  ],
] as const)('texts that are %s are refused', async (_, changes, code, parts) => {
  const folder = await copyFixture(SIGLIP, { [SIGLIP_TOKENS]: await patched(SIGLIP, SIGLIP_TOKENS, changes) })
  await expectRefusal(() => load(folder), code, ...parts)
})

test('NaFlex pictures that are not resized, or have an absurd number of patches, are refused', async () => {
  const file = 'preprocessor_config.json'
  for (const [changes, code, part] of [
    [{ do_resize: false }, 'model_unsupported', 'do_resize false'],
    [{ max_num_patches: 1e6 }, 'model_invalid', 'at most 20000'],
    [{ max_num_patches: 0 }, 'model_invalid', 'max_num_patches'],
    [{ image_processor_type: 'SiglipImageProcessor' }, 'model_unsupported', 'Siglip2ImageProcessor does'],
  ] as const) {
    const folder = await copyFixture(SIGLIP2, { [file]: await patched(SIGLIP2, file, changes) })
    await expectRefusal(() => load(folder), code, part)
  }
})

test('sides are missed by the names of their tensors', async () => {
  const folder = await copyFixture('_vision/clip', {
    'config.json': await patched(SIGLIP, 'config.json', {}),
  })
  await expectRefusal(
    () => load(folder),
    'model_invalid',
    'there is no matrix text_model.head.weight with text_model.head.bias',
  )
  const texts = await copyFixture(CLIP, { 'tokenizer.json': undefined, 'tokenizer_config.json': {} })
  await expectRefusal(() => load(texts), 'model_invalid', 'tokenizer.json is missing')
  const weights = await copyFixture(CLIP, { 'model.safetensors': undefined })
  await expectRefusal(() => load(weights), 'model_invalid', 'model.safetensors')
})

const MODULES = 'modules.json'
const ST = 'sentence_transformers.models'

const PIPELINES: readonly (readonly [
  fault: string,
  name: string,
  modules: readonly string[],
  module: object,
  code: ErrorCode,
  ...parts: string[],
])[] = [
  ['Pooling behind CLIP', CLIP, ['CLIPModel', 'Pooling'], {}, 'model_unsupported', 'pooled', 'pooler_output'],
  [
    'an average of patches',
    VIT,
    ['Transformer', 'Pooling'],
    {},
    'model_unsupported',
    'read tokens or patches',
  ],
  ['a module that we lack', CLIP, ['CLIPModel', 'WordWeights'], {}, 'model_unsupported', 'WordWeights'],
  [
    'another output than one vector',
    CLIP,
    ['Transformer'],
    { modality_config: { image: { method: 'get_image_features', method_output_name: 'last_hidden_state' } } },
    'model_unsupported',
    'last_hidden_state',
    'pooler_output',
  ],
  [
    'another method',
    CLIP,
    ['Transformer'],
    { modality_config: { image: { method: 'forward', method_output_name: 'pooler_output' } } },
    'model_unsupported',
    'forward',
  ],
  [
    'films alone',
    CLIP,
    ['Transformer'],
    { modality_config: { video: {} } },
    'model_unsupported',
    'video',
    'text, image',
  ],
  [
    'a preparation of its own',
    CLIP,
    ['Transformer'],
    { processing_kwargs: { image: { do_resize: false } } },
    'model_unsupported',
    'processing_kwargs',
  ],
]

test.each(
  PIPELINES.map(([fault, name, modules, module, ...rest]) => ({ fault, name, modules, module, rest })),
)('a modules.json with $fault is refused', async ({ name, modules, module, rest: [code, ...parts] }) => {
  const files: Files = {
    [MODULES]: modules.map((type, index) => ({
      name: String(index),
      path: index === 0 ? '' : `${index}_${type}`,
      type: `${ST}.${type}`,
    })),
    '1_Pooling/config.json': { pooling_mode_mean_tokens: true },
    'sentence_bert_config.json': module,
  }
  const folder = await copyFixture(name, files)
  await expectRefusal(() => load(folder), code, ...parts)
})

const SOUND: readonly Case[] = [
  [
    'another extractor',
    { feature_extractor_type: 'WhisperFeatureExtractor' },
    'model_unsupported',
    'Whisper',
  ],
  ['no sample a second', { sampling_rate: 0 }, 'model_invalid', 'sampling_rate'],
  ['an absurd rate', { sampling_rate: 1e12 }, 'model_invalid', 'sampling_rate', 'at most 768000'],
  ['an absurd window', { fft_window_size: 1e9 }, 'model_invalid', 'fft_window_size', 'at most 65536'],
  [
    'a window of no power of two',
    { fft_window_size: 1000 },
    'model_unsupported',
    'fft_window_size 1000',
    'powers of two',
  ],
  ['no step', { hop_length: 0 }, 'model_invalid', 'hop_length'],
  ['a day of sound', { max_length_s: 86_400 }, 'model_invalid', 'max_length_s', 'at most 600'],
  ['bands in words', { feature_size: 'many' }, 'model_invalid', 'feature_size'],
  ['other bands than the tower', { feature_size: 80 }, 'model_invalid', 'feature_size 80', 'num_mel_bins 64'],
  ['frequencies the wrong way round', { frequency_min: 20_000 }, 'model_invalid', 'frequency_min 20000'],
  ['frequencies above the half', { frequency_max: 30_000 }, 'model_invalid', 'half of sampling_rate 48000'],
  ['unknown truncation', { truncation: 'middle' }, 'model_invalid', 'truncation', 'rand_trunc'],
  ['unknown padding', { padding: 'noise' }, 'model_invalid', 'padding', 'repeatpad'],
  ['four views of a tower for one', { truncation: 'fusion' }, 'model_invalid', 'fusion', 'rand_trunc'],
  ['noise for silence', { padding_value: 1 }, 'model_unsupported', 'padding_value 1'],
  ['a floor of loudness', { top_db: 80 }, 'model_unsupported', 'top_db 80'],
]

test.each(SOUND.map(([fault, ...rest]) => ({ fault, rest })))(
  'a feature extractor with $fault is refused',
  async ({ rest: [changes, code, ...parts] }) => {
    const folder = await clapFolder({ extractor: changes })
    await expectRefusal(() => openFolder(folder), code, 'preprocessor_config.json', ...parts)
  },
)

test('a model of sound whose sides do not fit is refused', async () => {
  await expectRefusal(
    async () => openFolder(await clapFolder({ audioWidth: 24 })),
    'model_invalid',
    'text 16, audio 24',
  )
  await expectRefusal(
    async () => openFolder(await clapFolder({ text: { projection_hidden_act: 'snake' } })),
    'model_unsupported',
    'projection_hidden_act',
    'snake',
  )
  const missing = { 'preprocessor_config.json': undefined }
  await expectRefusal(
    async () => openFolder(await clapFolder({ files: missing })),
    'model_invalid',
    'how sound is prepared',
  )
})
