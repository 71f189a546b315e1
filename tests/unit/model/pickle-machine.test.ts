import { expect, test } from 'vitest'
import type { PickleValue } from '../../../src/model/pickle-machine.ts'
import { PickleGlobal, readPickle } from '../../../src/model/pickle-machine.ts'
import { global, pickle, text } from './torch-bytes.ts'

const seen: PickleValue[] = []

/** Of a pickle that may call `m.f`, whose result is its arguments, and load anything, which gives the id itself. */
function read(...codes: readonly string[]): PickleValue {
  return readPickle(Buffer.from(pickle(codes)), {
    name: 'p',
    find: (path) => (path === 'm.f' ? new PickleGlobal(path) : undefined),
    call: (_, args) => [...args],
    load: (id) => {
      seen.push(id)
      return 'loaded'
    },
  })
}

const F = global('m', 'f')

test.each([
  ['None', 'N', undefined],
  ['True', '\x88', true],
  ['False', '\x89', false],
  ['a byte', 'K\xfe', 254],
  ['two bytes', 'M\x01\x02', 513],
  ['four bytes with a sign', 'J\xfe\xff\xff\xff', -2],
  ['a long number', '\x8a\x05\x00\x00\x00\x00\x01', 2 ** 32],
  ['a negative long number', '\x8a\x01\xff', -1],
  ['a long zero', '\x8a\x00', 0],
  ['the largest whole number', `\x8a\x07${'\xff'.repeat(6)}\x1f`, Number.MAX_SAFE_INTEGER],
  ['a float', 'G\x3f\xf8\x00\x00\x00\x00\x00\x00', 1.5],
  ['text', text('é😀'), 'é😀'],
  ['short text', '\x8c\x02\xc3\xa9', 'é'],
  ['bytes of Python 2', 'U\x02a\xe9', 'aé'],
  ['long bytes of Python 2', 'T\x02\x00\x00\x00a\xe9', 'aé'],
  ['an empty tuple', ')', []],
  ['a tuple of one', 'K\x01\x85', [1]],
  ['a tuple of two', 'K\x01K\x02\x86', [1, 2]],
  ['a tuple of three', 'K\x00K\x01K\x02\x87', [0, 1, 2]],
  ['a tuple of a tuple', '((K\x01tK\x02t', [[1], 2]],
  ['a list', '](K\x01K\x02e', [1, 2]],
  ['a list grown one by one', ']K\x01aK\x02a', [1, 2]],
  ['a list of a mark', '(K\x01K\x02l', [1, 2]],
  [
    'a dictionary',
    '}(K\x01K\x02K\x03K\x04u',
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
  ['a dictionary grown one by one', '}K\x01K\x02s', new Map([[1, 2]])],
  ['a dictionary of a mark', '(K\x01K\x02d', new Map([[1, 2]])],
  ['a value taken twice', '(K\x052t', [5, 5]],
  ['a value thrown away', '(K\x05K\x060t', [5]],
  ['values thrown away to a mark', 'K\x05(K\x06K\x071', 5],
  ['what was kept', '(K\x05q\x09K\x06h\x09t', [5, 6, 5]],
  ['what was kept under a long number', '(K\x05r\x00\x01\x00\x00j\x00\x01\x00\x00t', [5, 5]],
  ['what was kept under the next number', '(K\x05\x94K\x06\x94h\x00h\x01t', [5, 6, 5, 6]],
  ['a frame', `\x95${'\x00'.repeat(8)}K\x05`, 5],
  ['a call', `${F}(K\x01tR`, [1]],
  ['a call by a name on the stack', `${text('m')}${text('f')}\x93(K\x01t\x81`, [1]],
])('%s is read', (_, code, value) => {
  expect(read(code)).toEqual(value)
})

test('bytes are read', () => {
  expect(Buffer.from(read('C\x02\x00\xff') as Uint8Array)).toEqual(Buffer.of(0, 255))
  expect(Buffer.from(read('B\x02\x00\x00\x00\x00\xff') as Uint8Array)).toEqual(Buffer.of(0, 255))
})

test('the state of a dictionary leaves its items as they are', () => {
  expect(read('}K\x01K\x02s}K\x08K\x09sb')).toEqual(new Map([[1, 2]]))
})

test('a persistent id is handed to who knows it', () => {
  expect(read('K\x07Q')).toBe('loaded')
  expect(seen).toEqual([7])
})

test('a list that holds itself is no danger', () => {
  const list = read(']q\x00h\x00a') as PickleValue[]
  expect(list[0]).toBe(list)
})

test.each([
  ['dictionaries', '}'],
  ['marks', '('],
  ['numbers thrown away', 'N0'],
  ['entries of the memory', '\x94'],
])('more %s than a checkpoint needs are refused with the limit', (_, code) => {
  expect(() => read('N', code.repeat(1_000_001))).toThrow(
    expect.objectContaining({
      code: 'model_invalid',
      message: expect.stringContaining('more than 1000000 values'),
    }),
  )
})

test('a number longer than any that counts is refused before it is reckoned', () => {
  expect(() => read(`\x8a\xff${'\x00'.repeat(255)}`)).toThrow('a number of 255 bytes is too large')
})
