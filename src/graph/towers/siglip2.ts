/**
 * transformers 5.23, models/siglip2/modeling_siglip2.py: pictures of any ratio, whose patches lie between the places of the
 * grid that was learned.
 */
import { ServerError } from '../../errors.ts'
import type { ImageProcessing } from '../../model/spec.ts'
import type { Value } from '../ir.ts'
import type { Workshop } from '../layers/encoder.ts'
import { buildBody, readBody } from './siglip.ts'
import type { ImageTowerFamily } from './tower.ts'

export const siglip2Vision: ImageTowerFamily = {
  modelTypes: ['siglip2_vision_model'],
  prefixes: ['vision_model.', ''],
  probe: 'embeddings.patch_embedding.weight',
  body: /^(embeddings|encoder|post_layernorm|head)\./,
  ignored: [],
  plan(config, processing) {
    const patchSize = config.int('patch_size', 16)
    const places = config.int('num_patches', 256)
    const side = Math.floor(Math.sqrt(places))
    if (side ** 2 !== places)
      throw config.invalid(`num_patches in config.json is ${places}; it must be a square of a whole number`)
    const body = readBody(config)
    const patches = { width: body.layers.hiddenSize, patchSize, places }
    return {
      maxTokens: expectPrepared(processing, { patchSize, side }),
      build: (shop) => buildBody(shop, body, embedAnywhere(shop, patches)),
    }
  },
}

interface ReadAs {
  readonly patchSize: number
  /** Places of a side of the learned grid. */
  readonly side: number
}

/** Patches of a picture at most. Throws `graph_invalid` where pictures are prepared for another tower (our own mistake). */
function expectPrepared(processing: ImageProcessing, { patchSize, side }: ReadAs): number {
  const { resize, leadingTokens } = processing
  const fits = processing.patchSize === patchSize && leadingTokens === 0
  if (resize?.kind === 'patches' && resize.places === side && fits) return resize.maxPatches
  throw new ServerError(
    'graph_invalid',
    `the tower reads pictures of any number of patches of ${patchSize} pixels, on a grid of ${side} × ${side}`,
  )
}

interface Patches {
  /** H */
  readonly width: number
  readonly patchSize: number
  /** G */
  readonly places: number
}

/** The batch's patches to the first hidden states [T, H]. */
function embedAnywhere({ b, kernels, tensors }: Workshop, { width, patchSize, places }: Patches): Value {
  const Q = 3 * patchSize ** 2
  const name = 'embeddings.patch_embedding'
  const weight = { values: tensors.tensor(`${name}.weight`, [width, Q]), scale: undefined }
  const bias = tensors.tensor(`${name}.bias`, [width])
  const order = b.constant(channelsLast(patchSize), [Q])
  const patches = b.node('Gather', [b.input('patches', { Q }), order], { axis: { int: 1 } })
  const projected = kernels.linear(b, b.cast(patches, kernels.dtype), { weight, bias }, 'identity')
  const table = tensors.tensor('embeddings.position_embedding.weight', [places, width])
  const shares = b.input('patch_places', { G: places })
  const positions = b.node('MatMul', [shares, b.cast(b.tensor(table), 'f32')])
  return b.node('Add', [projected, b.cast(positions, kernels.dtype)])
}

/** Where each number of a patch stands that this tower reads by y, x and channel, in one by channel, y and x. */
function channelsLast(patchSize: number): Int32Array<ArrayBuffer> {
  const pixels = patchSize ** 2
  return Int32Array.from({ length: 3 * pixels }, (_, index) => (index % 3) * pixels + Math.floor(index / 3))
}
