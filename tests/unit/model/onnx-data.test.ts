/** Crafted exported models: whatever protocol buffers would read as the name of a file is found, checked and rewritten. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openFolder } from '../../../src/model/open-folder.ts'
import { BYTES, FIXED_32, FIXED_64, VARINT, varint } from '../../../src/model/protobuf-file.ts'
import { expectRefusal } from './expect-refusal.ts'
import { copyFixture } from './model-folder.ts'

const FIXTURE = 'exported/exported-dense'
const FILE = 'onnx/model.onnx'
const DATA = 'onnx/model.onnx_data'
const NAME = 'model.onnx_data'
const OUTSIDE = '../config.json'

type Bytes = Uint8Array<ArrayBuffer>

function joined(...parts: readonly Uint8Array[]): Bytes {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** A message or a text as a field. */
function field(number: number, content: Uint8Array | string): Bytes {
  const bytes = Buffer.from(content as string)
  return joined(varint(number * 8 + BYTES), varint(bytes.length), bytes)
}

function numberField(number: number, value: number): Bytes {
  return joined(varint(number * 8 + VARINT), varint(value))
}

/** Of a tensor. */
function entry(key: string, value: string): Bytes {
  return field(13, joined(field(1, key), field(2, value)))
}

const EXTERNAL = numberField(14, 1)

/** Two numbers of 32 bits. */
function tensor(location: string, ...others: readonly Uint8Array[]): Bytes {
  return joined(numberField(1, 2), numberField(2, 1), EXTERNAL, entry('location', location), ...others)
}

/** A model of one tensor. */
function modelOf(content: Uint8Array): Bytes {
  return field(7, field(5, content))
}

async function open(model: Uint8Array, data: string | undefined = '12345678') {
  const folder = await copyFixture(FIXTURE, { [FILE]: Buffer.from(model), [DATA]: data && Buffer.from(data) })
  return { folder, content: Buffer.from((await openFolder(folder)).exported?.content ?? []) }
}

function refused(model: Uint8Array, ...parts: readonly string[]): Promise<void> {
  return expectRefusal(() => open(model), 'model_invalid', FILE, ...parts)
}

const inNode = (attribute: Uint8Array) => field(1, field(5, attribute))
const sparse = (content: Uint8Array) => field(1, content)

describe('the names of files are found', () => {
  test.each<[string, (content: Uint8Array) => Uint8Array]>([
    ['an initializer', modelOf],
    ['values of a sparse initializer', (content) => field(7, field(15, field(1, content)))],
    ['indices of a sparse initializer', (content) => field(7, field(15, field(2, content)))],
    ['a tensor of a node', (content) => field(7, inNode(field(5, content)))],
    ['tensors of a node', (content) => field(7, inNode(field(10, content)))],
    ['a sparse tensor of a node', (content) => field(7, inNode(field(22, sparse(content))))],
    ['sparse tensors of a node', (content) => field(7, inNode(field(23, sparse(content))))],
    ['a graph of a node', (content) => field(7, inNode(field(6, field(5, content))))],
    ['a node in graphs of a node', (content) => field(7, inNode(field(11, inNode(field(5, content)))))],
    ['a node of a function', (content) => field(25, field(7, field(5, field(5, content))))],
    ['a graph in a function', (content) => field(25, field(7, field(5, field(6, field(5, content)))))],
    ['what a function takes for granted', (content) => field(25, field(11, field(5, content)))],
    ['what training begins with', (content) => field(20, field(1, field(5, content)))],
    ['what is trained', (content) => field(20, field(2, field(15, field(1, content))))],
  ])('in %s', async (_, place) => {
    const whole = (location: string) => {
      const made = place(tensor(location))
      return made[0] === 7 * 8 + BYTES ? made : joined(field(7, ''), made)
    }
    await refused(whole(OUTSIDE), JSON.stringify(OUTSIDE), 'no file of its folder')
    const { folder, content } = await open(whole(NAME))
    expect(content.includes(field(2, join(folder, DATA).slice(1)))).toBe(true)
    expect(content.includes(field(2, NAME))).toBe(false)
  })
})

describe('what protocol buffers would read in another way is refused:', () => {
  const hidden = field(1, 'location')
  const content = joined(hidden, field(2, OUTSIDE))
  test.each<[string, Uint8Array, string]>([
    [
      'a tag of which they keep 32 bits',
      joined(Uint8Array.of(0xea, 0x80, 0x80, 0x80, 0x10, content.length), content),
      'is 4294967402',
    ],
    [
      'a tag of six bytes',
      joined(Uint8Array.of(0xea, 0x80, 0x80, 0x80, 0x80, 0, content.length), content),
      'has 6 bytes',
    ],
    ['a field of number 0', Uint8Array.of(BYTES, 0), 'begins a field of number 0'],
    ['the begin of a group', Uint8Array.of(13 * 8 + 3, 13 * 8 + 4), 'wire type 3'],
    ['the end of a group', Uint8Array.of(13 * 8 + 4), 'wire type 4'],
    ['wire type 6', Uint8Array.of(13 * 8 + 6), 'wire type 6'],
    ['a length of six bytes', Uint8Array.of(0x7a, 0x80, 0x80, 0x80, 0x80, 0x80, 0), 'has 6 bytes'],
    ['a length of 32 bits', Uint8Array.of(0x7a, 0x80, 0x80, 0x80, 0x80, 0x08), 'is 2147483648'],
    [
      'a number of 65 bits',
      joined(Uint8Array.of(0x10), new Uint8Array(9).fill(0x80), Uint8Array.of(2)),
      '64 bits',
    ],
  ])('%s', async (_, bytes, part) => {
    await refused(modelOf(joined(tensor(NAME), bytes)), 'is no sound ONNX file', part)
  })

  test.each<[string, Uint8Array, string]>([
    [
      'a second value',
      tensor(NAME, field(13, joined(hidden, field(2, NAME), field(2, OUTSIDE)))),
      'field 2 of one entry',
    ],
    [
      'a second key',
      tensor(NAME, field(13, joined(field(1, 'x'), hidden, field(2, OUTSIDE)))),
      'field 1 of one entry',
    ],
    ['a second location', tensor(NAME, entry('location', OUTSIDE)), 'has a second location'],
    ['a second offset', tensor(NAME, entry('offset', '0'), entry('offset', '9')), 'has a second offset'],
    ['a second data_location', tensor(NAME, numberField(14, 0)), 'field 14 of one tensor'],
  ])('%s', async (_, given, part) => {
    await refused(modelOf(given), part)
  })

  test('a tensor in two parts, of which one names the file', async () => {
    const parts = [EXTERNAL, entry('location', NAME)].map((part) => field(5, part))
    await refused(field(7, inNode(joined(...parts))), 'field 5 of one attribute')
    await refused(joined(modelOf(tensor(NAME)), modelOf(tensor(NAME))), 'field 7 of one model')
  })

  test('but fields that nobody knows are kept, of every kind that is allowed', async () => {
    const strange = joined(
      varint(900 * 8 + FIXED_32),
      new Uint8Array(4),
      varint(900 * 8 + FIXED_64),
      new Uint8Array(8),
      field(2 ** 29 - 1, 'kept'),
    )
    const { content: made } = await open(modelOf(joined(tensor(NAME), strange)))
    expect(made.includes(strange)).toBe(true)
  })
})

test('of an entry nothing goes on but what was understood', async () => {
  const more = joined(field(1, 'length'), field(2, '8'), field(3, 'unknown'))
  const model = modelOf(tensor(NAME, field(13, more), entry('offset', '0'), entry('prepacked_x', 'strange')))
  const { content } = await open(model)
  expect(content.includes(entry('length', '8'))).toBe(true)
  expect(content.includes(entry('offset', '0'))).toBe(true)
  expect(content.includes('unknown')).toBe(false)
  expect(content.includes('prepacked')).toBe(false)
})

describe('weights that the file beside cannot hold are refused:', () => {
  const short = (bytes: number) => `in ${NAME} beside it, which has 8 bytes; ${bytes} are needed`
  test.each<[string, Uint8Array, string]>([
    ['beyond its end', tensor(NAME, entry('offset', '4'), entry('length', '8')), short(12)],
    ['longer than it', tensor(NAME, entry('length', '9')), short(9)],
    ['without a length of their own', tensor(NAME, entry('offset', '1')), short(9)],
    ['at a place below 0', tensor(NAME, entry('offset', '-5')), 'the offset "-5"'],
    ['of a length below 0', tensor(NAME, entry('length', '-1')), 'the length "-1"'],
    ['at no number', tensor(NAME, entry('offset', 'abc')), 'the offset "abc"'],
    ['beyond all numbers', tensor(NAME, entry('offset', '99999999999999999999')), 'the offset "9999'],
  ])('%s', async (_, content, part) => {
    await refused(modelOf(content), part)
  })

  test('none of them where they end with it', async () => {
    await expect(
      open(modelOf(tensor(NAME, entry('offset', '0'), entry('length', '8')))),
    ).resolves.toBeDefined()
    await expect(open(modelOf(tensor(NAME)))).resolves.toBeDefined()
  })

  test('a folder of its name', async () => {
    const folder = await copyFixture(FIXTURE, { [DATA]: undefined })
    await mkdir(join(folder, DATA))
    await expectRefusal(
      () => openFolder(folder),
      'model_invalid',
      FILE,
      'beside it, which is not a regular file',
    )
  })
})

test('a folder of the model’s name is refused as one', async () => {
  const folder = await copyFixture(FIXTURE, { [FILE]: undefined })
  await mkdir(join(folder, FILE))
  await expectRefusal(() => openFolder(folder), 'model_invalid', 'model.onnx is not a regular file')
})

test.each([
  [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], -1],
  [[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], -(2 ** 63)],
  [[0xe0, 0x07], 992],
])('a dimension of the bytes %j is %d', async (bytes, size) => {
  const shape = field(2, field(1, joined(Uint8Array.of(8), Uint8Array.from(bytes))))
  const output = joined(field(1, 'states'), field(2, field(1, joined(numberField(1, 1), shape))))
  const folder = await copyFixture(FIXTURE, { [FILE]: Buffer.from(field(7, field(12, output))) })
  expect((await openFolder(folder)).exported?.outputs).toEqual([
    { name: 'states', type: 'float32', shape: [size] },
  ])
})
