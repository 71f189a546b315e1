/** Where the patches of a picture of any size lie on the grid of positions that a model has learned. */

/** In patches. */
export interface PatchGrid {
  readonly rows: number
  readonly columns: number
}

/**
 * Weights of each patch over the places of the learned grid, [rows · columns, places] row by row, so that a product with the
 * learned positions [places, H] is what torch makes of them: bilinear, antialiased, with corners not aligned.
 */
export function patchPlaces(picture: PatchGrid, learned: PatchGrid): Float32Array<SharedArrayBuffer> {
  const down = axisWeights(picture.rows, learned.rows)
  const across = axisWeights(picture.columns, learned.columns)
  const places = learned.rows * learned.columns
  const count = picture.rows * picture.columns * places
  const weights = new Float32Array(new SharedArrayBuffer(count * Float32Array.BYTES_PER_ELEMENT))
  let line = 0
  for (const rows of down) {
    for (const columns of across) {
      for (const [row, share] of rows)
        for (const [column, part] of columns) weights[line + row * learned.columns + column] = share * part
      line += places
    }
  }
  return weights
}

/** A place of one axis, and its weight. */
type PlaceWeight = readonly [place: number, weight: number]

/** Of each of `count` patches along one axis: the places it lies on, with weights that sum to 1. */
function axisWeights(count: number, places: number): PlaceWeight[][] {
  const scale = places / count
  // The filter widens where positions are left out, so that each has its share in the patches near it.
  const reach = Math.max(scale, 1)
  return Array.from({ length: count }, (_, index) => {
    const centre = (index + 0.5) * scale
    const first = Math.max(Math.floor(centre - reach + 0.5), 0)
    const end = Math.min(Math.floor(centre + reach + 0.5), places)
    const near: PlaceWeight[] = []
    for (let place = first; place < end; place += 1) {
      const weight = 1 - Math.abs(place + 0.5 - centre) / reach
      if (weight > 0) near.push([place, weight])
    }
    const total = near.reduce((sum, [, weight]) => sum + weight, 0)
    return near.map(([place, weight]) => [place, weight / total])
  })
}
