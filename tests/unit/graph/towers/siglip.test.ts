import { describe, expect, test } from 'vitest'
import { ConfigReader } from '../../../../src/graph/config-reader.ts'
import { jinaClipVision } from '../../../../src/graph/towers/jina-clip.ts'
import { siglipVision } from '../../../../src/graph/towers/siglip.ts'
import { siglip2Vision } from '../../../../src/graph/towers/siglip2.ts'
import type { ImageTowerFamily } from '../../../../src/graph/towers/tower.ts'
import type { ImageProcessing } from '../../../../src/model/spec.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'

type Settings = Readonly<Record<string, unknown>>

const SQUARE: ImageProcessing = {
  resize: { kind: 'exact', height: 224, width: 224 },
  resample: 'bicubic',
  crop: undefined,
  scale: 1 / 255,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
  patchSize: 16,
  leadingTokens: 0,
}
const ANY_RATIO: ImageProcessing = {
  ...SQUARE,
  resize: { kind: 'patches', maxPatches: 1024, places: 16 },
}
const AFTER_ONE: ImageProcessing = { ...SQUARE, leadingTokens: 1 }

function planner(tower: ImageTowerFamily, usual: ImageProcessing, settings: Settings = {}) {
  return (config: Settings, processing: Partial<ImageProcessing> = {}) =>
    tower.plan(new ConfigReader('tiny', { ...settings, ...config }), { ...usual, ...processing })
}

describe('SigLIP', () => {
  const plan = planner(siglipVision, SQUARE)

  test('has the sizes of transformers where a folder says nothing, and a token for each patch', () => {
    expect(plan({}).maxTokens).toBe(14 ** 2)
    expect(plan({ image_size: 384, patch_size: 14 }, resized(384, 14)).maxTokens).toBe(27 ** 2)
  })

  test('is refused where it pools nothing, and where positions are of other pictures', async () => {
    await expectRefusal(() => plan({ vision_use_head: false }), 'model_unsupported', 'vision_use_head false')
    await expectRefusal(() => plan({ image_size: 256 }), 'model_invalid', '16 × 16', '14 × 14')
    await expectRefusal(() => plan({}, { leadingTokens: 1 }), 'graph_invalid', 'after 1 lines')
  })
})

describe('SigLIP 2', () => {
  const plan = planner(siglip2Vision, ANY_RATIO)

  test('takes as many patches as pictures are prepared to have', () => {
    expect(plan({}).maxTokens).toBe(1024)
  })

  test('is refused with places that make no square, and pictures of one size', async () => {
    await expectRefusal(() => plan({ num_patches: 250 }), 'model_invalid', '250', 'square')
    for (const wrong of [SQUARE, { patchSize: 14 }, { leadingTokens: 1 }])
      await expectRefusal(() => plan({}, wrong), 'graph_invalid', '16 pixels', '16 × 16')
    await expectRefusal(() => plan({ num_patches: 100 }), 'graph_invalid', '10 × 10')
  })
})

describe('jina-clip', () => {
  /** What its folders say of it. */
  const FORM = { naive_swiglu: true, subln: true, rope_embeddings: true, pt_hw_seq_len: 14 }
  const plan = planner(jinaClipVision, AFTER_ONE, FORM)

  test('has a token before its patches', () => {
    expect(plan({}).maxTokens).toBe(1 + 14 ** 2)
    const larger = { image_size: 512, patch_size: 14, intp_freq: true }
    expect(plan(larger, { ...resized(512, 14) }).maxTokens).toBe(1 + 36 ** 2)
  })

  test('is refused in forms of which no model is known', async () => {
    const other = {
      naive_swiglu: false,
      subln: false,
      rope_embeddings: false,
      qkv_bias: false,
      post_norm: true,
    }
    for (const [key, value] of Object.entries({ ...other, ls_init_value: 0.1, proj_type: 'mlp' }))
      await expectRefusal(() => plan({ [key]: value }), 'model_unsupported', `${key} `)
    for (const key of ['naive_swiglu', 'subln', 'rope_embeddings'])
      await expectRefusal(() => plan({ [key]: null }), 'model_invalid', key)
  })

  test('is refused with sizes that do not fit', async () => {
    await expectRefusal(() => plan({ pt_hw_seq_len: 16 }), 'model_invalid', 'pt_hw_seq_len 16', '14')
    await expectRefusal(() => plan({ embed_dim: 512 }), 'model_invalid', 'embed_dim')
    await expectRefusal(() => plan({ head_width: 50 }), 'model_invalid', 'head_width 50')
    await expectRefusal(() => plan({ head_width: 40 }), 'model_invalid', 'head_width')
  })
})

function resized(size: number, patchSize: number): Partial<ImageProcessing> {
  return { resize: { kind: 'exact', height: size, width: size }, patchSize }
}
