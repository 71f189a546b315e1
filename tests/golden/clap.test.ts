/**
 * CLAP's tower against transformers: for equal features vectors within 2e-5, on ONNX Runtime alone and in a batch, and on every
 * target through the interpreter. What its texts give is among all other fixtures.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildGraph } from '../../src/graph/build.ts'
import { buildTower } from '../../src/graph/build-tower.ts'
import { OUTPUT } from '../../src/graph/contract.ts'
import type { TargetName } from '../../src/graph/target.ts'
import { TARGETS } from '../../src/graph/target.ts'
import { openFolder } from '../../src/model/open-folder.ts'
import type { ModelSpec } from '../../src/model/spec.ts'
import { prepare } from '../interpreter/interpret.ts'
import type { Rounding } from '../interpreter/tensor.ts'
import { leftToCpu } from '../unit/graph/cuda-kernels.ts'
import { runGraph } from '../unit/graph/run-graph.ts'
import { makeFolder } from '../unit/model/model-folder.ts'
import { safetensors } from '../unit/model/safetensors-bytes.ts'
import type { SoundCase, TextCase } from './media-golden.ts'
import { runRows, soundRow, textRow } from './media-golden.ts'

const TOLERANCE = 2e-5

/** About twice of what is measured: 6.9e-4 and 9.2e-3. Targets of 8 bits compute towers in float32. */
const ROUNDED = { fp32: TOLERANCE, int8: TOLERANCE, fp16: 1.5e-3, bf16: 2e-2 }

const targets = Object.keys(TARGETS) as TargetName[]
const fixtures = ['clap-unfused', 'clap-unfused-whole', 'clap-fused'].map((name) => {
  const path = join(import.meta.dirname, 'clap', name)
  const golden = JSON.parse(readFileSync(join(path, 'golden.json'), 'utf8')) as {
    sounds: readonly SoundCase[]
  }
  return { name, folder: join(path, 'model'), sounds: golden.sounds }
})

describe.each(fixtures)('$name', ({ folder, sounds }) => {
  let spec: ModelSpec
  beforeAll(async () => {
    spec = await openFolder(folder)
  })

  test.each(sounds)('hears "$name" alone', async (sound) => {
    const { graph } = buildTower(spec, 'audio', 'cpu-f32')
    const { dims, data } = await runGraph(graph, feeds([sound], spec))
    expect(dims).toEqual([1, sound.vector.length + 1])
    expect(distance([sound], data)).toBeLessThanOrEqual(TOLERANCE)
  })

  test('hears all sounds in one batch', async () => {
    const { graph } = buildTower(spec, 'audio', 'cpu-f32')
    const { data } = await runGraph(graph, feeds(sounds, spec))
    expect(distance(sounds, data)).toBeLessThanOrEqual(TOLERANCE)
  })

  test.each(targets)('means the same on %s', (target) => {
    const isHalf = ['fp16', 'bf16'].includes(TARGETS[target].dtype)
    const data = interpret(spec, target, sounds, isHalf ? 'none' : 'declared')
    expect(distance(sounds, data)).toBeLessThanOrEqual(TOLERANCE)
  })

  test.each(targets)('loses no more than its precision on %s', (target) => {
    const data = interpret(spec, target, sounds, 'declared')
    expect(distance(sounds, data)).toBeLessThanOrEqual(ROUNDED[TARGETS[target].dtype])
  })

  test.each(targets.filter((target) => TARGETS[target].provider === 'cuda'))(
    'leaves nothing to the CPU on %s',
    (target) => {
      expect(leftToCpu(buildTower(spec, 'audio', target).graph)).toEqual([])
    },
  )
})

describe('a side that is saved alone, with its projection, gives what it gives as a part of the whole:', () => {
  const [{ folder }] = fixtures as [(typeof fixtures)[number]]
  const golden = JSON.parse(readFileSync(join(folder, '../golden.json'), 'utf8')) as {
    readonly cases: readonly TextCase[]
    readonly sounds: readonly SoundCase[]
  }
  const greatest = (actual: readonly number[][], expected: readonly { vector: readonly number[] }[]) =>
    Math.max(...actual.flatMap((row, b) => row.map((x, d) => Math.abs(x - (expected[b]?.vector[d] ?? NaN)))))

  test('texts', async () => {
    const spec = await openFolder(await saveSide(folder, 'text'))
    expect([spec.modelType, spec.audio]).toEqual(['clap_text_model', undefined])
    const rows = golden.cases.map(({ ids }) => textRow(ids))
    const compiled = buildGraph(spec, 'cpu-f32')
    expect(compiled.unusedTensors).toEqual([])
    expect(greatest(await runRows(compiled, rows), golden.cases)).toBeLessThanOrEqual(TOLERANCE)
  })

  test('sounds', async () => {
    const spec = await openFolder(await saveSide(folder, 'audio'))
    expect(spec.tokenizer).toBeUndefined()
    const rows = golden.sounds.map((sound) => soundRow(sound, spec))
    const compiled = buildTower(spec, 'audio', 'cpu-f32')
    expect(compiled.unusedTensors).toEqual([])
    expect(greatest(await runRows(compiled, rows), golden.sounds)).toBeLessThanOrEqual(TOLERANCE)
  })
})

/** As transformers saves ClapTextModelWithProjection and ClapAudioModelWithProjection: `<side>_config` is all of config.json. */
async function saveSide(folder: string, side: 'text' | 'audio'): Promise<string> {
  const names = readdirSync(folder).filter((name) => !['config.json', 'model.safetensors'].includes(name))
  const { tensors } = await openFolder(folder)
  const own = Object.entries(tensors).filter(([name]) => name.startsWith(`${side}_`))
  const raw = own.map(([name, { file, byteOffset, byteLength, dtype, shape }]) => {
    const bytes = readFileSync(file).subarray(byteOffset, byteOffset + byteLength)
    return [name, { dtype, shape, bytes }] as const
  })
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, object>
  return makeFolder({
    ...Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))])),
    'config.json': config[`${side}_config`],
    'model.safetensors': safetensors(Object.fromEntries(raw)),
  })
}

function interpret(
  spec: ModelSpec,
  target: TargetName,
  sounds: readonly SoundCase[],
  rounding: Rounding,
): readonly number[] {
  const { graph } = buildTower(spec, 'audio', target)
  return [...(prepare(graph, rounding)(feeds(sounds, spec)).get(OUTPUT)?.data ?? [])]
}

function feeds(sounds: readonly SoundCase[], spec: ModelSpec) {
  const rows = sounds.map((sound) => soundRow(sound, spec).media?.values ?? new Float32Array())
  const dims = [sounds.length, rows[0]?.length ?? 0]
  return [['features', { data: Float32Array.from(rows.flatMap((row) => [...row])), dims }]] as const
}

/** The largest of any number of the vectors; what stands behind each, its length, is not told. */
function distance(sounds: readonly SoundCase[], data: readonly number[]): number {
  const width = data.length / sounds.length
  const differences = sounds.flatMap(({ vector }, row) =>
    vector.map((value, index) => Math.abs(value - (data[row * width + index] ?? NaN))),
  )
  return Math.max(...differences)
}
