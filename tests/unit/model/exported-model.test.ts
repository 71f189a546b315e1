/** Folders that have exported models in place of weights: which is taken, and what is found wrong with it before it is run. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { IntegerUnit } from '../../../src/model/export-names.ts'
import { dtypeOfName, exportPaths } from '../../../src/model/export-names.ts'
import type { RequestedDtype } from '../../../src/model/spec.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import { expectRefusal } from './expect-refusal.ts'
import { eventsOf, isCdn, openFetching, readTree } from './fetching.ts'
import { copyFixture, fixturePath } from './model-folder.ts'
import { asSnapshot } from './snapshot-folder.ts'

const PLAIN = 'exported/exported-mean-normalize'
const WITH_DATA = 'exported/exported-dense'
const FILE = 'onnx/model.onnx'
const DATA = 'onnx/model.onnx_data'

function bytesOf(fixture: string, file = FILE): Promise<Buffer> {
  return readFile(join(fixturePath(fixture), file))
}

describe('of several exported models', () => {
  /** Each under names that stand for other files here: what is in them does not matter. */
  const chosen = async (names: readonly string[], dtype: RequestedDtype) => {
    const bytes = await bytesOf(PLAIN)
    const files = Object.fromEntries(names.map((name) => [name, bytes]))
    const folder = await copyFixture(PLAIN, { [FILE]: undefined, ...files })
    return (await openFolder(folder, 'model', dtype)).exported
  }

  const ALL = [
    FILE,
    'onnx/model_fp16.onnx',
    'onnx/model_quantized.onnx',
    'onnx/model_q4.onnx',
    'onnx/model_O3.onnx',
  ]

  test.each([
    ['auto', FILE, 'fp32'],
    ['fp32', FILE, 'fp32'],
    ['bf16', FILE, 'fp32'],
    ['fp16', 'onnx/model_fp16.onnx', 'fp16'],
    ['fp8', 'onnx/model_fp16.onnx', 'fp16'],
    ['int8', 'onnx/model_quantized.onnx', 'int8'],
  ] as const)('%s takes %s', async (asked, name, dtype) => {
    expect(await chosen(ALL, asked)).toMatchObject({ name, dtype })
  })

  test('the nearest that is more exact stands for what is not there', async () => {
    expect(await chosen([FILE, 'onnx/model_q4.onnx'], 'int8')).toMatchObject({ name: FILE })
    expect(await chosen([FILE, 'onnx/model_fp16.onnx'], 'int8')).toMatchObject({
      name: 'onnx/model_fp16.onnx',
    })
    expect(await chosen(['onnx/model_O3.onnx', 'onnx/model_fp16.onnx'], 'fp32')).toMatchObject({
      name: 'onnx/model_O3.onnx',
    })
  })

  test('a less exact one is taken where there is no other', async () => {
    expect(await chosen(['onnx/model_q4.onnx'], 'fp32')).toMatchObject({
      name: 'onnx/model_q4.onnx',
      dtype: 'int4',
    })
  })

  test('one beside config.json is found too, behind that in the folder onnx', async () => {
    expect(await chosen(['model.onnx'], 'auto')).toMatchObject({ name: 'model.onnx' })
    expect(await chosen(['model.onnx', FILE], 'auto')).toMatchObject({ name: FILE })
  })

  test('one whose name says nothing is what its weights are', async () => {
    const half = await bytesOf('_dynamic/exported-model_fp16', 'onnx/model_fp16.onnx')
    const folder = await copyFixture(PLAIN, { [FILE]: half })
    expect((await openFolder(folder)).exported).toMatchObject({ name: FILE, dtype: 'fp16' })
  })
})

test.each<[IntegerUnit, string]>([
  ['vnni', 'model_qint8_avx512_vnni'],
  ['avx2', 'model_quint8_avx2'],
  ['arm64', 'model_qint8_arm64'],
])('int8 for %s is %s, and any other rather than a more exact file', (unit, first) => {
  const paths = exportPaths('int8', unit)
  expect(paths[0]).toBe(`onnx/${first}.onnx`)
  const exact = paths.indexOf('onnx/model_fp16.onnx')
  const quantized = paths.filter((path) => dtypeOfName(path) === 'int8')
  expect(quantized).toHaveLength(16)
  expect(paths.slice(0, exact)).toEqual(quantized)
})

test('every order has every file once', () => {
  const orders = (['auto', 'fp32', 'fp16', 'bf16', 'int8', 'fp8'] as const).map((dtype) =>
    exportPaths(dtype, 'vnni'),
  )
  const [first = []] = orders
  expect(new Set(first).size).toBe(first.length)
  for (const order of orders) expect(order.toSorted()).toEqual(first.toSorted())
})

test.each([
  ['bert/bert-mean-normalize', 'tensors'],
  ['repositories/torch-checkpoint', 'tensors'],
])('weights win over an exported model, those of %s too', async (fixture) => {
  const folder = await copyFixture(fixture, { [FILE]: 'not even read' })
  const { exported, tensors } = await openFolder(folder, 'model', 'int8')
  expect(exported).toBeUndefined()
  expect(Object.keys(tensors).length).toBeGreaterThan(10)
})

test('a folder tells what its exported model takes, gives and weighs', async () => {
  const { exported, tensors } = await openFolder(fixturePath(PLAIN))
  expect(tensors).toEqual({})
  expect(exported).toEqual({
    file: join(fixturePath(PLAIN), FILE),
    name: FILE,
    dtype: 'fp32',
    inputs: ['input_ids', 'attention_mask', 'token_type_ids'].map((name) => ({
      name,
      type: 'int64',
      shape: [undefined, undefined],
    })),
    outputs: [{ name: 'last_hidden_state', type: 'float32', shape: [undefined, undefined, 32] }],
    stored: { float32: expect.any(Number) as number },
  })
  const bytes = (await bytesOf(PLAIN)).length
  expect(exported?.stored['float32']).toBeLessThan(bytes)
  expect(exported?.stored['float32']).toBeGreaterThan(bytes / 2)
})

describe('weights beside the model', () => {
  test('are named by their absolute paths, and nothing else of the model changes', async () => {
    const folder = fixturePath(WITH_DATA)
    const { exported } = await openFolder(folder)
    const own = (await bytesOf(WITH_DATA)).toString('latin1')
    const made = Buffer.from(exported?.content ?? []).toString('latin1')
    const path = join(folder, DATA).slice(1)
    expect(own.split('model.onnx_data').length).toBeGreaterThan(10)
    expect(made).not.toContain('\x12\x0fmodel.onnx_data')
    expect(made.split(path)).toHaveLength(own.split('model.onnx_data').length)
    expect(made.length - own.length).toBeGreaterThan(0)
    expect(exported?.stored).toEqual({ float32: expect.any(Number) as number })
  })

  test('are found behind the links of a snapshot', async () => {
    const folder = await asSnapshot(WITH_DATA)
    const { exported } = await openFolder(folder)
    expect(Buffer.from(exported?.content ?? []).toString('latin1')).toContain(
      '/blobs/blob-of-onnx-model.onnx_data',
    )
  })

  // The names are as long as the true one, so that nothing else of the file changes.
  test.each([
    ['../../../passwd', 'no file of its folder'],
    ['/etc/..//passwd', 'no file of its folder'],
    ['x/../../../pass', 'no file of its folder'],
    ['..\\..\\..\\passwd', 'no file of its folder'],
    ['elsewhere.onnxd', 'weights in elsewhere.onnxd beside it, which is missing'],
  ])('are refused where the model names them %j', async (name, message) => {
    const text = (await bytesOf(WITH_DATA)).toString('latin1')
    const bytes = Buffer.from(text.replaceAll('model.onnx_data', name.slice(0, 15)), 'latin1')
    const folder = await copyFixture(WITH_DATA, { [FILE]: bytes })
    await expectRefusal(() => openFolder(folder), 'model_invalid', FILE, message)
  })

  test('are refused where they are missing', async () => {
    const folder = await copyFixture(WITH_DATA, { [DATA]: undefined })
    await expectRefusal(
      () => openFolder(folder),
      'model_invalid',
      `model: ${FILE} has weights in model.onnx_data`,
    )
  })
})

describe('a file that is no model', () => {
  const load = async (bytes: Uint8Array | string) => {
    const folder = await copyFixture(PLAIN, { [FILE]: bytes })
    return openFolder(folder)
  }

  test.each([0, 1, 100, 5000, 60_000, 120_000])('cut off at byte %i is refused', async (length) => {
    const bytes = (await bytesOf(PLAIN)).subarray(0, length)
    await expectRefusal(() => load(bytes), 'model_invalid', `model: ${FILE} is no sound ONNX file`)
  })

  test.each([
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\n'],
    ['a web page', '<!DOCTYPE html><html>not found</html>'],
    ['zeros', new Uint8Array(100)],
    ['a length beyond the end', field(7, new Uint8Array(4)).with(1, 0x7f)],
    ['a number without end', new Uint8Array(30).fill(0x88)],
  ])('but %s is refused', async (_, bytes) => {
    await expectRefusal(() => load(bytes), 'model_invalid', `model: ${FILE} is no sound ONNX file`)
  })

  test('whose messages are nested without end is refused', async () => {
    let graph = new Uint8Array()
    for (let depth = 0; depth < 100; depth++) graph = field(1, field(5, field(6, graph)))
    await expectRefusal(() => load(field(7, graph)), 'model_invalid', 'more than 100 deep')
  })

  test('whose fields would take minutes to walk is refused', async () => {
    await expectRefusal(
      () => load(new Uint8Array(3_000_000).map((_, i) => 8 * ((i + 1) % 2))),
      'model_invalid',
      'fields',
    )
  })
})

/** A message within another: both short. */
function field(number: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const length: number[] = []
  let rest = content.length
  for (; rest > 0x7f; rest >>= 7) length.push((rest & 0x7f) | 0x80)
  return Uint8Array.from([(number << 3) | 2, ...length, rest, ...content])
}

describe('of a repository without weights', () => {
  const open = async (fixture = WITH_DATA) => {
    const fetching = await openFetching({ fixture })
    const files = fetching.repository.files as Map<string, Uint8Array>
    for (const name of ['model_quantized', 'model_fp16', 'model_q4']) {
      files.set(`onnx/${name}.onnx`, files.get(FILE) as Uint8Array)
      files.set(`onnx/${name}.onnx_data`, Buffer.from(name))
    }
    files.set('README.md', Buffer.from('x'))
    return { ...fetching, files }
  }

  test.each([
    ['auto', 'model'],
    ['int8', 'model_quantized'],
    ['fp16', 'model_fp16'],
  ] as const)('%s fetches %s and its data, and no other', async (dtype, name) => {
    const { fetch } = await open()
    const fetched = Object.keys(await readTree(await fetch({ dtype })))
    expect(fetched.filter((path) => /^onnx\/|README/.test(path)).toSorted()).toEqual(
      [`onnx/${name}.onnx`, `onnx/${name}.onnx_data`].toSorted(),
    )
  })

  test('data in several files is fetched whole', async () => {
    const { files, fetch } = await open()
    for (const index of [1, 2]) files.set(`${DATA}_${index}`, Buffer.from(`part ${index}`))
    const fetched = Object.keys(await readTree(await fetch()))
    expect(fetched).toEqual(expect.arrayContaining([FILE, DATA, `${DATA}_1`, `${DATA}_2`]))
  })

  test('another dtype than before is fetched beside what is there', async () => {
    const { hub, fetch, events } = await open()
    const path = await fetch()
    hub.requests.length = 0
    expect(await fetch()).toBe(path)
    expect(hub.requests.filter(isCdn)).toEqual([])
    expect(await fetch({ dtype: 'int8' })).toBe(path)
    expect(Object.keys(await readTree(path))).toEqual(
      expect.arrayContaining([FILE, 'onnx/model_quantized.onnx']),
    )
    expect(eventsOf(events, 'model_fetched')).toHaveLength(2)
  })

  test('offline, what is there stands for what was never fetched', async () => {
    const { fetch } = await open()
    const path = await fetch()
    expect(await fetch({ dtype: 'int8', offline: true })).toBe(path)
  })

  test('weights are fetched alone where there are some', async () => {
    const { files, fetch } = await open()
    files.set('model.safetensors', Buffer.from('weights'))
    const fetched = Object.keys(await readTree(await fetch()))
    expect(fetched).toContain('model.safetensors')
    expect(fetched.filter((path) => path.startsWith('onnx/'))).toEqual([])
  })

  test('one of a name that nobody knows is refused by it before anything large is fetched', async () => {
    const { hub, files, fetch } = await open()
    for (const path of files.keys()) if (path.startsWith('onnx/')) files.delete(path)
    files.set('onnx/decoder_model_merged.onnx', Buffer.from('x'))
    await expectRefusal(fetch, 'model_unsupported', 'onnx/decoder_model_merged.onnx only', 'onnx/model.onnx')
    expect(hub.requests.filter(isCdn)).toEqual([])
  })
})
