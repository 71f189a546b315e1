import { describe, expect, test } from 'vitest'
import type { InputRole } from '../../../src/graph/contract.ts'
import { INPUTS } from '../../../src/graph/contract.ts'
import { layOut } from '../../../src/runtime/feeds.ts'
import type { BatchMedia, RaggedBatch } from '../../../src/runtime/runner.ts'

type MediaRole = 'patches' | 'features' | 'patch_places'
type TextRole = Exclude<InputRole, MediaRole>

const MEDIA_ROLES: readonly string[] = ['patches', 'features', 'patch_places'] satisfies MediaRole[]
const ROLES = Object.keys(INPUTS).filter((role) => !MEDIA_ROLES.includes(role)) as TextRole[]

/** B = 3 rows of 4, 2 and 3 tokens: T = 9, S = 4. The second is all of type 0, the third of type 1 from its second on. */
const BATCH: RaggedBatch = {
  ids: Int32Array.of(11, 12, 13, 14, 21, 22, 31, 32, 33),
  bounds: Int32Array.of(0, 4, 6, 9),
  typeStarts: Int32Array.of(2, 2, 1),
  unpooledTokens: Int32Array.of(0, 0, 0),
  adapters: Int32Array.of(1, -1, 0),
  wantsTokens: false,
}

/** The prompt of the first row is one token long; that of the second fills the row; the third has none. */
const PROMPTED: RaggedBatch = { ...BATCH, unpooledTokens: Int32Array.of(1, 2, 0) }

/** What every role holds; of matrices, one line for each row. */
const PLAIN = {
  ids: [11, 12, 13, 14, 21, 22, 31, 32, 33],
  types: [0, 0, 1, 1, 0, 0, 0, 1, 1],
  adapters: [1, 1, 1, 1, -1, -1, 0, 0, 0],
  positions: [0, 1, 2, 3, 0, 1, 0, 1, 2],
  counted_positions: [1, 2, 3, 4, 1, 2, 1, 2, 3],
  padded_rows: [
    [0, 1, 2, 3],
    [4, 5, 4, 4],
    [6, 7, 8, 6],
  ],
  packed_rows: [0, 1, 2, 3, 4, 5, 8, 9, 10],
  bounds: [0, 4, 6, 9],
  // The nine tokens in order, then what is past the ends of the second row and the third.
  padded_places: [
    [0, 1, 2, 3],
    [4, 5, 8, 9],
    [10, 6, 7, 11],
  ],
  last_positions: [3, 1, 2],
  // No graph says which tokens are not seen.
  last_seen_positions: [3, 1, 2],
  unseen_distances: [0, 0, 0, 0, 0, 0, 0, 0, 0],
  steps: [0, 1, 2, 3],
  max_length: [4],
  // Without a window, pieces are rows.
  padded_pieces: [
    [0, 1, 2, 3],
    [4, 5, 4, 4],
    [6, 7, 8, 6],
  ],
  packed_pieces: [0, 1, 2, 3, 4, 5, 8, 9, 10],
  last_piece_positions: [3, 1, 2],
  last_seen_piece_positions: [3, 1, 2],
  piece_steps: [0, 1, 2, 3],
  max_piece_length: [4],
  first_rows: [0, 4, 6],
  last_rows: [3, 5, 8],
  end_rows: [0, 4, 6],
  last_counted_rows: [3, 5, 8],
  pooled_rows: [
    [0, 1, 2, 3],
    [4, 5, 4, 4],
    [6, 7, 8, 6],
  ],
  mean_weights: [
    [1 / 4, 1 / 4, 1 / 4, 1 / 4, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 1 / 2, 1 / 2, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3],
  ],
  mean_sqrt_weights: [
    [1 / 2, 1 / 2, 1 / 2, 1 / 2, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, Math.SQRT1_2, Math.SQRT1_2, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3)],
  ],
  position_weights: [
    [1 / 10, 2 / 10, 3 / 10, 4 / 10, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 1 / 3, 2 / 3, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / 6, 2 / 6, 3 / 6],
  ],
  padded_ids: [
    [11, 12, 13, 14],
    [21, 22, 0, 0],
    [31, 32, 33, 0],
  ],
  padded_types: [
    [0, 0, 1, 1],
    [0, 0, 0, 0],
    [0, 1, 1, 0],
  ],
  padded_positions: [
    [0, 1, 2, 3],
    [0, 1, 2, 3],
    [0, 1, 2, 3],
  ],
  padded_seen: [
    [1, 1, 1, 1],
    [1, 1, 0, 0],
    [1, 1, 1, 0],
  ],
} satisfies Record<TextRole, readonly (number | readonly number[])[]>

/** What prompts change: pooling leaves them out, but the last token of a row always takes part. */
const WITHOUT_PROMPTS = {
  ...PLAIN,
  first_rows: [1, 5, 6],
  pooled_rows: [
    [1, 2, 3, 1],
    [5, 5, 5, 5],
    [6, 7, 8, 6],
  ],
  mean_weights: [
    [0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 1, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3],
  ],
  mean_sqrt_weights: [
    [0, 1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3), 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 1, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3)],
  ],
  position_weights: [
    [0, 2 / 9, 3 / 9, 4 / 9, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 1, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1 / 6, 2 / 6, 3 / 6],
  ],
} satisfies typeof PLAIN

const DIMS = {
  ids: [9],
  types: [9],
  adapters: [9],
  positions: [9],
  counted_positions: [9],
  padded_rows: [3, 4],
  packed_rows: [9],
  bounds: [4],
  padded_places: [3, 4],
  last_positions: [3],
  last_seen_positions: [3],
  unseen_distances: [9],
  steps: [4],
  max_length: [],
  padded_pieces: [3, 4],
  packed_pieces: [9],
  last_piece_positions: [3],
  last_seen_piece_positions: [3],
  piece_steps: [4],
  max_piece_length: [],
  first_rows: [3],
  last_rows: [3],
  end_rows: [3],
  last_counted_rows: [3],
  pooled_rows: [3, 4],
  mean_weights: [3, 9],
  mean_sqrt_weights: [3, 9],
  position_weights: [3, 9],
  padded_ids: [3, 4],
  padded_types: [3, 4],
  padded_positions: [3, 4],
  padded_seen: [3, 4],
} satisfies Record<TextRole, readonly number[]>

function feedOf(batch: RaggedBatch, role: InputRole) {
  const feed = layOut(batch, [role]).get(role)
  if (feed === undefined) throw new Error(`${role} was not laid out`)
  return feed
}

function rowsOf(batch: RaggedBatch, role: InputRole): number[][] {
  const { data, dims } = feedOf(batch, role)
  const [rows = 0, columns = 0] = dims
  return Array.from({ length: rows }, (_, b) => Array.from(data.subarray(b * columns, (b + 1) * columns)))
}

test.each(ROLES)('%s has the dtype and the sizes of the contract', (role) => {
  const { data, dims } = feedOf(BATCH, role)
  expect(dims).toEqual(DIMS[role])
  expect(data).toBeInstanceOf(INPUTS[role].dtype === 'f32' ? Float32Array : Int32Array)
  expect(data).toHaveLength(DIMS[role].reduce((product, dim) => product * dim, 1))
})

describe.each([
  ['without prompts', BATCH, PLAIN],
  ['with prompts that pooling leaves out', PROMPTED, WITHOUT_PROMPTS],
  [
    'with a prompt longer than its row',
    { ...PROMPTED, unpooledTokens: Int32Array.of(1, 90, 0) },
    WITHOUT_PROMPTS,
  ],
])('a batch %s', (_, batch, expected) => {
  test.each(ROLES)('lays out %s', (role) => {
    const numbers = expected[role].flat()
    const { data } = feedOf(batch, role)
    expect(data).toEqual(data instanceof Int32Array ? Int32Array.from(numbers) : Float32Array.from(numbers))
  })

  test.each(['mean_weights', 'position_weights'] as const)('has %s whose sum is 1 in every row', (role) => {
    for (const row of rowsOf(batch, role)) expect(sum(row)).toBeCloseTo(1, 6)
  })

  test('has mean_sqrt_weights whose squares sum to 1 in every row', () => {
    for (const row of rowsOf(batch, 'mean_sqrt_weights')) expect(sum(row.map((x) => x * x))).toBeCloseTo(1, 6)
  })

  test('has packed_rows that undo padded_rows', () => {
    const padded = feedOf(batch, 'padded_rows').data
    const packed = feedOf(batch, 'packed_rows').data
    expect([...packed].map((place) => padded[place])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })
})

describe('a graph whose rows are a multiple of 8 long', () => {
  const feeds = layOut(BATCH, ROLES, { lengthStep: 8 })
  const feed = (role: InputRole) => feeds.get(role) ?? { data: [], dims: [] }

  test('has S rounded up wherever S stands, and nowhere else', () => {
    const rows = { padded_rows: [3, 8], pooled_rows: [3, 8], padded_places: [3, 8] }
    const exported = {
      padded_ids: [3, 8],
      padded_types: [3, 8],
      padded_positions: [3, 8],
      padded_seen: [3, 8],
    }
    const dims = { ...DIMS, steps: [8], ...rows, ...exported }
    expect(Object.fromEntries(ROLES.map((role) => [role, feed(role).dims]))).toEqual(dims)
    expect([...feed('steps').data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect([...feed('max_length').data]).toEqual([8])
    expect([...feed('last_positions').data]).toEqual([3, 1, 2])
  })

  test('repeats the first token of each row in the padding', () => {
    const row = (...tokens: number[]) => Array.from({ length: 8 }, (_, s) => tokens[s] ?? tokens[0])
    const expected = [row(0, 1, 2, 3), row(4, 5), row(6, 7, 8)]
    expect([...feed('padded_rows').data]).toEqual(expected.flat())
  })

  test('finds every token where the padded rows have it', () => {
    const padded = feed('padded_rows').data
    expect([...feed('packed_rows').data].map((place) => padded[place])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    const places = [...feed('padded_places').data]
    expect(places.slice(0, 9)).toEqual([...feed('packed_rows').data])
    expect(places.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, index) => index))
  })
})

test('a row that is as long as a step allows is not padded', () => {
  const even = { ...BATCH, bounds: Int32Array.of(0, 4, 8, 9) }
  expect(layOut(even, ['steps'], { lengthStep: 4 }).get('steps')?.dims).toEqual([4])
})

test('a row of one token whose prompt fills it pools that token', () => {
  const batch: RaggedBatch = {
    ids: Int32Array.of(7),
    bounds: Int32Array.of(0, 1),
    typeStarts: Int32Array.of(1),
    unpooledTokens: Int32Array.of(1),
    adapters: Int32Array.of(-1),
    wantsTokens: false,
  }
  expect([...feedOf(batch, 'first_rows').data]).toEqual([0])
  expect([...feedOf(batch, 'pooled_rows').data]).toEqual([0])
  for (const role of ['mean_weights', 'mean_sqrt_weights', 'position_weights'] as const) {
    expect([...feedOf(batch, role).data]).toEqual([1])
  }
})

test('a padding token that a text holds has place 0, and those behind it are counted without it', () => {
  const ids = Int32Array.of(11, 0, 13, 0, 0, 22, 31, 32, 0)
  const { data } =
    layOut({ ...BATCH, ids }, ['counted_positions'], { padId: 0 }).get('counted_positions') ?? {}
  expect(data).toEqual(Int32Array.of(1, 0, 2, 0, 0, 1, 1, 2, 0))
})

test('a row whose types start at 0 is of type 1 throughout', () => {
  const batch = { ...BATCH, typeStarts: Int32Array.of(0, 2, 0) }
  expect([...feedOf(batch, 'types').data]).toEqual([1, 1, 1, 1, 0, 0, 1, 1, 1])
})

test('the first token that ends a text is found in each row, and the first of a row without one', () => {
  const ids = Int32Array.of(11, 9, 13, 13, 21, 22, 9, 32, 9)
  const ends = (endId?: number | 'greatest') =>
    layOut({ ...BATCH, ids }, ['end_rows'], { endId }).get('end_rows')?.data
  expect(ends(9)).toEqual(Int32Array.of(1, 4, 6))
  expect(ends('greatest')).toEqual(Int32Array.of(2, 5, 7))
})

describe('a batch of media', () => {
  const shared = (...numbers: number[]) => {
    const values = new Float32Array(new SharedArrayBuffer(4 * numbers.length))
    values.set(numbers)
    return values
  }
  // Of two, one and two tokens, each with two numbers and three places.
  const media: BatchMedia = {
    modality: 'image',
    values: [shared(1, 2, 3, 4), shared(5, 6), shared(7, 8, 9, 10)],
    places: [shared(1, 0, 0, 0, 1, 0), shared(0, 0, 1), shared(0.5, 0.5, 0, 0, 0, 1)],
  }
  const batch: RaggedBatch = {
    ids: new Int32Array(5),
    bounds: Int32Array.of(0, 2, 3, 5),
    typeStarts: Int32Array.of(2, 1, 2),
    unpooledTokens: new Int32Array(3),
    adapters: Int32Array.of(-1, -1, -1),
    wantsTokens: false,
    media,
  }

  test('is fed as one line of numbers for each token, in memory that is not shared', () => {
    const { data, dims } = feedOf(batch, 'patches')
    expect(dims).toEqual([5, 2])
    expect(data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))
    expect(data.buffer).toBeInstanceOf(ArrayBuffer)
  })

  test('is fed with what each token gets of every place', () => {
    const { data, dims } = feedOf(batch, 'patch_places')
    expect(dims).toEqual([5, 3])
    expect(data).toEqual(Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 0.5, 0.5, 0, 0, 0, 1))
  })

  test('is fed as one line of features for each row, where a graph asks for that', () => {
    const sounds = {
      ...media,
      modality: 'audio' as const,
      values: [shared(1, 2), shared(3, 4), shared(5, 6)],
    }
    const { data, dims } = feedOf({ ...batch, media: sounds }, 'features')
    expect(dims).toEqual([3, 2])
    expect(data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6))
  })

  test('is not made of texts, nor places of pictures that have none', () => {
    expect(() => layOut(BATCH, ['patches'])).toThrow('a tower was given a batch of texts')
    const placeless = { ...batch, media: { ...media, places: undefined } }
    expect(() => layOut(placeless, ['patch_places'])).toThrow('the batch says nothing of the places')
  })
})

test('only the roles asked for are laid out, in their order', () => {
  const roles: InputRole[] = ['last_rows', 'ids', 'mean_weights']
  expect([...layOut(BATCH, roles).keys()]).toEqual(roles)
  expect(layOut(BATCH, []).size).toBe(0)
})

test('ids are fed as they are, without a copy', () => {
  expect(feedOf(BATCH, 'ids').data).toBe(BATCH.ids)
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

describe('rows of a graph whose attention sees one token to each side', () => {
  // Nine tokens are more than eight windows; a piece has four, of which the first and the last are neighbours.
  const bounds = Int32Array.of(0, 9, 10, 15)
  const batch: RaggedBatch = {
    ids: Int32Array.from({ length: 15 }, (_, t) => t),
    bounds,
    typeStarts: Int32Array.of(9, 1, 5),
    unpooledTokens: new Int32Array(3),
    adapters: Int32Array.of(-1, -1, -1),
    wantsTokens: false,
  }
  const feeds = layOut(batch, ROLES, { window: 1 })

  test('are cut into pieces that overlap', () => {
    expect(feeds.get('padded_pieces')).toEqual({
      dims: [7, 4],
      data: Int32Array.from(
        [
          [0, 1, 2, 3],
          [2, 3, 4, 5],
          [4, 5, 6, 7],
          [6, 7, 8, 6],
          [9, 9, 9, 9],
          [10, 11, 12, 13],
          [12, 13, 14, 12],
        ].flat(),
      ),
    })
    expect(feeds.get('last_piece_positions')?.data).toEqual(Int32Array.of(3, 3, 3, 2, 0, 3, 2))
    expect(feeds.get('piece_steps')?.data).toEqual(Int32Array.of(0, 1, 2, 3))
    expect(feeds.get('max_piece_length')?.data).toEqual(Int32Array.of(4))
  })

  test('give each token from the piece that holds its neighbours', () => {
    const expected = [0, 1, 2, 5, 6, 9, 10, 13, 14, 16, 20, 21, 22, 25, 26]
    expect(feeds.get('packed_pieces')?.data).toEqual(Int32Array.from(expected))
  })

  test('are whole to all other parts of the graph', () => {
    expect(feeds.get('padded_rows')?.dims).toEqual([3, 9])
    expect(feeds.get('steps')?.dims).toEqual([9])
  })
})

describe('tokens at the end of a row that are not seen', () => {
  const batch: RaggedBatch = {
    // a row of them alone, one that has one inside, one without, and a long one
    ids: Int32Array.from([
      7,
      7,
      7,
      1,
      7,
      2,
      7,
      7,
      3,
      ...Array.from({ length: 9 }, (_, t) => (t < 2 ? 5 : 7)),
    ]),
    bounds: Int32Array.of(0, 3, 8, 9, 18),
    typeStarts: Int32Array.of(3, 5, 1, 9),
    unpooledTokens: new Int32Array(4),
    adapters: Int32Array.of(-1, -1, -1, -1),
    wantsTokens: false,
  }
  const numbers = (role: InputRole, window?: number) => [
    ...(layOut(batch, [role], { unseenId: 7, window }).get(role)?.data ?? []),
  ]

  test('are not counted, but the first of a row is always seen', () => {
    expect(numbers('last_seen_positions')).toEqual([0, 2, 0, 1])
    expect(numbers('last_positions')).toEqual([2, 4, 0, 8])
  })

  test('have their distance from the last that is seen', () => {
    const distances = [0, 1, 2, 0, 0, 0, 1, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7]
    expect(numbers('unseen_distances')).toEqual(distances)
  })

  test('are not counted in pieces either, and a piece of them alone counts its first', () => {
    expect(numbers('last_seen_piece_positions', 1)).toEqual([0, 2, 0, 0, 1, 0, 0, 0])
    expect(numbers('last_piece_positions', 1)).toHaveLength(8)
  })
})

test('exported models are fed their padding token past the end of a row, and see no token that none sees', () => {
  const feeds = layOut(BATCH, ['padded_ids', 'padded_seen'], { padId: 7, unseenId: 33 })
  expect([...(feeds.get('padded_ids')?.data ?? [])]).toEqual([11, 12, 13, 14, 21, 22, 7, 7, 31, 32, 33, 7])
  expect([...(feeds.get('padded_seen')?.data ?? [])]).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0])
})
