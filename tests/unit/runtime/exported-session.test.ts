/** An exported model and the head behind it, as they run. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { CPU } from '../../../src/devices/device.ts'
import { encodeGraph } from '../../../src/graph/encode.ts'
import type { Graph, GraphNode, Value } from '../../../src/graph/ir.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { ModelSpec } from '../../../src/model/spec.ts'
import { layOut } from '../../../src/runtime/feeds.ts'
import { loadGraph } from '../../../src/runtime/load-graph.ts'
import { joinRows } from '../../../src/runtime/runner.ts'
import { createSession, exportedOptions } from '../../../src/runtime/session.ts'
import { copyFixture, fixturePath, readObject } from '../model/model-folder.ts'
import { asSnapshot } from '../model/snapshot-folder.ts'

const FIXTURE = 'exported/exported-mean-normalize'
const FILE = 'onnx/model.onnx'
const H = 32
const ROW = { typeStart: 9, unpooledTokens: 0, adapter: -1, wantsTokens: true }

function load(spec: ModelSpec, open?: typeof createSession) {
  return loadGraph({ spec, target: 'cpu-f32', device: CPU, threadCount: 1, share: undefined }, open)
}

/** A model that gives each token a row of a table: number h of token `id` is id + h / 100. */
function tableModel(change: (graph: Graph) => Graph = (graph) => graph): Uint8Array {
  const table = Float32Array.from({ length: 400 * H }, (_, i) => Math.floor(i / H) + (i % H) / 100)
  const input = (name: string): Value => ({ name, dtype: 'i32', shape: ['batch', 'tokens'] })
  const states: Value = { name: 'last_hidden_state', dtype: 'f32', shape: ['batch', 'tokens', H] }
  const node: GraphNode = {
    op: 'Gather',
    inputs: ['table', 'input_ids'],
    attributes: { axis: { int: 0 } },
    outputs: [states],
  }
  const source = new Uint8Array(table.buffer)
  return encodeGraph(
    change({
      inputs: [input('input_ids'), input('attention_mask')],
      initializers: [{ value: { name: 'table', dtype: 'f32', shape: [400, H] }, source }],
      nodes: [node],
      outputs: [states],
    }),
  )
}

async function folderOf(model: Uint8Array): Promise<ModelSpec> {
  return openFolder(await copyFixture(FIXTURE, { [FILE]: model }))
}

test('tokens are those of their rows, in the order of the batch, whatever is padded', async () => {
  const { graph, session } = await load(await folderOf(tableModel()))
  const batch = joinRows([[5], [7, 8, 9], [11, 12]].map((ids) => ({ ...ROW, ids: Int32Array.from(ids) })))
  const { rows: vectors, tokens } = await session.run(layOut(batch, graph.inputs, graph), true)
  await session.release()
  expect([...(tokens ?? [])].filter((_, i) => i % H === 0)).toEqual([5, 7, 8, 9, 11, 12])
  // Its length before normalization stands behind a vector.
  const raw = Array.from(
    { length: 3 },
    (_, b) => (vectors[b * (H + 1)] ?? 0) * (vectors[b * (H + 1) + H] ?? 0),
  )
  for (const [b, value] of [5, 8, 11.5].entries()) expect(raw[b]).toBeCloseTo(value, 4)
})

describe('a model that is not what it says', () => {
  test('is refused where it gives other numbers than it says', async () => {
    // Its output claims as many numbers as config.json has; the table is narrower.
    const narrow = tableModel((graph) => ({
      ...graph,
      initializers: graph.initializers.map(({ value, source }) => ({
        value: { ...value, shape: [800, H / 2] },
        source,
      })),
    }))
    await expect(load(await folderOf(narrow))).rejects.toMatchObject({
      message: expect.stringContaining(FILE) as string,
    })
  })

  test('is refused where it knows no such operator', async () => {
    const strange = tableModel((graph) => ({
      ...graph,
      nodes: graph.nodes.map((node) => ({ ...node, op: 'Gelu' })),
    }))
    await expect(load(await folderOf(strange))).rejects.toMatchObject({
      code: 'load_failed',
      message: expect.stringMatching(/^ONNX Runtime made no session of model: onnx\/model\.onnx: /) as string,
    })
  })

  test('is refused where it takes no row as long as the configuration allows', async () => {
    // Its table has 72 positions.
    const config = await readObject(join(fixturePath(FIXTURE), 'config.json'))
    const tokenizer = await readObject(join(fixturePath(FIXTURE), 'tokenizer_config.json'))
    const folder = await copyFixture(FIXTURE, {
      'config.json': { ...config, max_position_embeddings: 512 },
      'tokenizer_config.json': { ...tokenizer, model_max_length: 512 },
    })
    const failure = await load(await openFolder(folder)).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'model_invalid',
      message: expect.stringMatching(/model\.onnx fails with a row of 512 tokens, .* 72 by 512/) as string,
    })
    // Where the library's sources lie is for the log.
    expect((failure as Error).message).not.toMatch(/\.(cc|h):\d|::/)
    expect(((failure as Error).cause as Error).cause).toMatchObject({
      message: expect.stringMatching(/\.(cc|h):\d/) as string,
    })
  })

  test('gives back the session of its head', async () => {
    const spec = await folderOf(tableModel())
    await writeFile(spec.exported?.file ?? '', 'gone')
    const release = vi.fn<() => Promise<void>>()
    const open: typeof createSession = async (...args) => {
      const session = await createSession(...args)
      return { ...session, release: release.mockImplementation(session.release) }
    }
    await expect(load(spec, open)).rejects.toMatchObject({ code: 'load_failed' })
    expect(release).toHaveBeenCalledOnce()
  })
})

test('ONNX Runtime itself refuses what a file names outside its folder', async () => {
  // As if the file had been changed since it was read.
  const spec = await openFolder(await copyFixture('exported/exported-dense'))
  const { content: _, ...exported } = spec.exported ?? {}
  const path = join(spec.exported?.file ?? '')
  const bytes = await readFile(path, 'latin1')
  await writeFile(path, Buffer.from(bytes.replaceAll('model.onnx_data', '../../../abc.de'), 'latin1'))
  await expect(load({ ...spec, exported } as ModelSpec)).rejects.toMatchObject({ code: 'load_failed' })
})

test('a model with weights beside it runs from the links of a snapshot as from a folder', async () => {
  const name = 'exported/exported-dense'
  const made = await Promise.all(
    [fixturePath(name), await asSnapshot(name)].map(async (folder) => {
      const { graph, session } = await load(await openFolder(folder))
      const batch = joinRows([{ ...ROW, ids: Int32Array.of(2, 40, 50, 3) }])
      const { rows } = await session.run(layOut(batch, graph.inputs, graph))
      await session.release()
      return [...rows]
    }),
  )
  expect(made[1]).toEqual(made[0])
  expect(made[0]).toHaveLength(24)
})

test('bytes that look like ONNX Runtime’s own format are read as what was checked', async () => {
  const name = 'exported/exported-dense'
  const bytes = await readFile(join(fixturePath(name), FILE))
  // A name of whoever made the file, so that the mark of that format stands where it is looked for.
  const mark = Buffer.from('\x12\x08..ORTM..', 'latin1')
  const folder = await copyFixture(name, { [FILE]: Buffer.concat([mark, bytes]) })
  const spec = await openFolder(folder)
  expect(Buffer.from(spec.exported?.content ?? []).toString('latin1', 4, 8)).toBe('ORTM')
  const { session } = await load(spec)
  await session.release()
})

test('only a model whose data was checked may name files of the whole machine', () => {
  const entries = (namesData: boolean) =>
    (exportedOptions({ device: CPU, threadCount: 1 }, namesData).extra as { session: object }).session
  const key = 'model_external_initializers_file_folder_path'
  expect(entries(true)).toHaveProperty(key, '/')
  expect(entries(false)).not.toHaveProperty(key)
  expect(entries(false)).toHaveProperty('force_spinning_stop', '1')
})
