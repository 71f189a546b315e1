/** What towers of the ViT kind share: patches, layers with norms before their steps, a norm behind them, the first token. */
import type { Value } from '../ir.ts'
import type { PreNormLayers } from '../layers/encoder-plan.ts'
import type { Workshop } from '../layers/encoder.ts'
import { buildLayers } from '../layers/encoder.ts'
import type { PatchesPlan } from '../layers/patch-embeddings.ts'
import { countTokens, embedPatches } from '../layers/patch-embeddings.ts'
import type { PatchGrid } from '../layers/patch-positions.ts'
import type { TowerPlan } from './tower.ts'

export interface VisionPlan {
  readonly patches: PatchesPlan
  /** Of every picture. */
  readonly grid: PatchGrid
  readonly layers: PreNormLayers
}

/** The vector is what becomes of the first learned token. */
export function firstTokenTower({ patches, grid, layers }: VisionPlan): TowerPlan {
  return {
    maxTokens: countTokens(patches.leading) + grid.height * grid.width,
    build(shop) {
      const kept = { ...layers, keptRows: 'first_rows' } as const
      return shop.b.cast(buildLayers(shop, kept, embedPatches(shop, patches)), 'f32')
    },
  }
}

/** Of [T, H] the first token of each row: [B, H] float32. */
export function firstTokens({ b }: Workshop, states: Value): Value {
  return b.cast(b.gather(states, b.input('first_rows')), 'f32')
}
