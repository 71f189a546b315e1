import { describe, expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { clapAudio } from '../../../../src/graph/towers/clap.ts'
import { readSizes, readSwin } from '../../../../src/graph/towers/clap-settings.ts'
import type { AudioProcessing } from '../../../../src/model/spec.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'

type Settings = Readonly<Record<string, unknown>>

/** Of laion/clap-htsat-unfused. */
const PROCESSING: AudioProcessing = {
  samplingRate: 48_000,
  hopLength: 480,
  fftWindowSize: 1024,
  featureSize: 64,
  frequencyMin: 50,
  frequencyMax: 14_000,
  maxSamples: 480_000,
  truncation: 'rand_trunc',
  padding: 'repeatpad',
}

function plan(config: Settings, processing: Partial<AudioProcessing> = {}) {
  return clapAudio.plan(new ConfigReader('tiny', config), { ...PROCESSING, ...processing })
}

test('a folder that says nothing has the sizes of transformers', () => {
  const config = new ConfigReader('tiny', {})
  const sizes = readSizes(config, PROCESSING)
  expect(sizes).toEqual({ mels: 64, frames: 1001, side: 256, patch: 4 })
  const { stages, activation } = readSwin(config, sizes)
  expect(activation).toBe('gelu')
  expect(stages.map(({ side, width, heads, blocks }) => [side, width, heads, blocks.length])).toEqual([
    [64, 96, 4, 2],
    [32, 192, 8, 2],
    [16, 384, 16, 6],
    [8, 768, 32, 2],
  ])
  expect(stages.map(({ blocks }) => blocks.map(({ shift }) => shift))).toEqual([
    [0, 4],
    [0, 4],
    [0, 4, 0, 4, 0, 4],
    [0, 0],
  ])
  expect(stages.map(({ merge }) => merge !== undefined)).toEqual([true, true, true, false])
  expect(stages[0]?.blocks[0]?.upWidth).toBe(384)
})

test('a row counts for as many tokens of the last width as its patches take room', () => {
  // 64² patches, an eighth as wide as what comes out.
  expect(plan({}).maxTokens).toBe(512)
  expect(plan({ patch_size: [4, 4], patch_stride: 4 }).maxTokens).toBe(512)
  expect(plan({ depths: [2, 2], num_attention_heads: [4, 8] }).maxTokens).toBe(2048)
})

test('samples that fill no step of the window begin no frame', () => {
  expect(readSizes(new ConfigReader('tiny', {}), { ...PROCESSING, maxSamples: 480_479 }).frames).toBe(1001)
})

test('as many frames as the picture takes are as good as fewer', () => {
  expect(() => plan({}, { maxSamples: 1023 * 480 })).not.toThrow()
})

describe('refused is', () => {
  test.each<[string, Settings, Partial<AudioProcessing>, string[]]>([
    ['a frame too many', {}, { maxSamples: 1024 * 480 }, ['1025 frames', '491520', '1024']],
    ['another number of mel bands', {}, { featureSize: 32 }, ['feature_size 32', '64']],
    ['a picture of broken pieces', { spec_size: 250 }, {}, ['spec_size 250', 'num_mel_bins 64']],
    ['a patch of two pieces', { patch_size: 5, patch_stride: 5 }, {}, ['patch_size 5', '64']],
    ['a patch that overlaps its neighbour', { patch_size: 8 }, {}, ['patch_size 8', 'patch_stride 4']],
    ['a patch that is no square', { patch_size: [4, 8] }, {}, ['patch_size', '4 by 8']],
    ['a patch of three sides', { patch_size: [4, 4, 4] }, {}, ['patch_size', '[4,4,4]']],
    ['a picture without end', { spec_size: 1e9 }, {}, ['spec_size', '1000000000', '1024']],
    ['a stage without end', { depths: [2, 1e9, 2, 2] }, {}, ['depths', '1000000000', '100']],
    ['stages without end', { depths: Array.from({ length: 9 }, () => 1) }, {}, ['depths', '1 to 8']],
    ['heads for another number of stages', { depths: [2, 2] }, {}, ['4 entries', 'depths 2']],
    ['a window that cuts off tokens', { window_size: 7 }, {}, ['stage 0', '64 by 64', 'window_size 7']],
    ['a stage that is smaller than a window', { window_size: 16 }, {}, ['stage 3', '8 by 8', '16']],
    [
      'a stage whose heads are no whole numbers',
      { num_attention_heads: [4, 8, 16, 36] },
      {},
      ['stage 3', '36'],
    ],
    [
      'a stage of many small windows',
      { window_size: 2 },
      {},
      ['stage 0 has 4096 heads', 'window_size 2', '1024'],
    ],
    ['one view where four are read', { enable_fusion: true }, {}, ['"rand_trunc"', 'takes "fusion"']],
    ['four views where one is read', {}, { truncation: 'fusion' }, ['"fusion"', 'takes "rand_trunc"']],
    ['another activation', { hidden_act: 'cubic' }, {}, ['hidden_act', '"cubic"', 'gelu']],
  ])('%s', async (_, config, processing, parts) => {
    await expectRefusal(() => plan(config, processing), 'model_invalid', 'tiny: ', ...parts)
  })

  test.each<[string, Settings, Partial<AudioProcessing>, string]>([
    [
      'another fusion',
      { enable_fusion: true, fusion_type: 'channel_map' },
      { truncation: 'fusion' },
      'channel_map',
    ],
    ['pictures of several layers', { patch_embed_input_channels: 3 }, {}, 'patch_embed_input_channels 3'],
    ['patches that are not put in a line', { flatten_patch_embeds: false }, {}, 'flatten_patch_embeds false'],
  ])('%s, as unsupported', async (_, config, processing, part) => {
    await expectRefusal(() => plan(config, processing), 'model_unsupported', 'tiny: ', part)
  })
})
