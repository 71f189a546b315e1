import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { buildGraph } from '../../../../src/graph/build.ts'
import { buildTower } from '../../../../src/graph/build-tower.ts'
import type { CompiledGraph } from '../../../../src/graph/contract.ts'
import { findFamily } from '../../../../src/graph/families/registry.ts'
import { openFolder } from '../../../../src/model/open-folder.ts'
import type { ModelSpec, TensorRef } from '../../../../src/model/spec.ts'
import { expectRefusal } from '../../model/expect-refusal.ts'

const PREFIX = 'audio_model.audio_encoder.'
const TABLE = 'layers.0.blocks.1.attention.self.relative_position_bias_table'

let spec: ModelSpec
beforeAll(async () => {
  spec = await openFolder(join(import.meta.dirname, '../../../golden/clap/clap-unfused/model'))
})

function withTensors(change: Readonly<Record<string, TensorRef | undefined>>): ModelSpec {
  const entries = Object.entries({ ...spec.tensors, ...change }).flatMap(([name, tensor]) =>
    tensor === undefined ? [] : [[name, tensor] as const],
  )
  return { ...spec, tensors: Object.fromEntries(entries) }
}

test('what is fed is the features of each row, as many numbers as the folder makes of a sound', () => {
  const { graph, inputs, vectorWidth, outputWidth } = buildTower(spec, 'audio', 'cpu-f32')
  expect(inputs).toEqual(['features'])
  expect(graph.inputs).toEqual([{ name: 'features', dtype: 'f32', shape: ['B', 120 * 8] }])
  expect([vectorWidth, outputWidth]).toEqual([24, 25])
})

test('a spectrogram as long as the picture is not stretched: its lines are only put in order', async () => {
  const folder = join(import.meta.dirname, '../../../golden/clap/clap-unfused-whole/model')
  const whole = buildTower(await openFolder(folder), 'audio', 'cpu-f32')
  expect(gathersOf(whole, 128)).toBe(1)
  expect(gathersOf(buildTower(spec, 'audio', 'cpu-f32'), 120)).toBe(4)
})

/** How often lines are taken out of so many. */
function gathersOf({ graph: { nodes } }: CompiledGraph, lines: number): number {
  const values = new Map(nodes.flatMap(({ outputs }) => outputs.map(({ name, shape }) => [name, shape])))
  const shapes = nodes.filter(({ op }) => op === 'Gather').map(({ inputs }) => values.get(inputs[0] ?? ''))
  return shapes.filter((shape) => shape?.join() === `B,${lines},8`).length
}

test('an audio tower alone has no prefix of the whole model', () => {
  const entries = Object.entries(spec.tensors).map(
    ([name, tensor]) => [name.replace('audio_model.', ''), tensor] as const,
  )
  const alone = { ...spec, tensors: Object.fromEntries(entries) }
  const count = buildTower(spec, 'audio', 'cpu-f32').graph.nodes.length
  expect(buildTower(alone, 'audio', 'cpu-f32').graph.nodes).toHaveLength(count)
})

test('texts are read by RoBERTa under the name of their side', () => {
  expect(findFamily(spec).modelTypes).toEqual(['clap_text_model'])
  expect(buildGraph(spec, 'cpu-f32').padId).toBe(1)
})

test('neither side complains about tensors of the other', () => {
  const [text, audio] = [buildGraph(spec, 'cpu-f32'), buildTower(spec, 'audio', 'cpu-f32')]
  expect(text.unusedTensors.some((name) => name.startsWith(PREFIX))).toBe(true)
  expect(audio.unusedTensors.some((name) => name.startsWith('text_model.encoder.'))).toBe(true)
  expect(audio.unusedTensors.filter((name) => name.startsWith(PREFIX))).toEqual([])
})

test('a tensor that the tower lacks is refused by its name', async () => {
  const [some] = Object.values(spec.tensors)
  const name = `${PREFIX}layers.0.blocks.0.attention.self.query.scale`
  await expectRefusal(
    () => buildTower(withTensors({ [name]: some }), 'audio', 'cpu-f32'),
    'model_invalid',
    'tensors that this architecture lacks',
    name,
  )
})

test('a tensor that is missing is told by its name', async () => {
  await expectRefusal(
    () => buildTower(withTensors({ [PREFIX + TABLE]: undefined }), 'audio', 'cpu-f32'),
    'model_invalid',
    `tensor ${PREFIX}${TABLE} is missing`,
  )
})

test('buffers that old checkpoints hold as numbers are not read', () => {
  const [some] = Object.values(spec.tensors)
  const names = ['layers.0.blocks.0.attention.self.relative_position_index', 'batch_norm.num_batches_tracked']
  const buffers = Object.fromEntries(names.map((name) => [PREFIX + name, some]))
  expect(() => buildTower(withTensors(buffers), 'audio', 'cpu-f32')).not.toThrow()
})
