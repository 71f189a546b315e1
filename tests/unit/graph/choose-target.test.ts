import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { CudaDevice, Device } from '../../../src/devices/device.ts'
import { CPU } from '../../../src/devices/device.ts'
import { chooseTarget, fallbackOf } from '../../../src/graph/choose-target.ts'
import { bert } from '../../../src/graph/families/bert.ts'
import type { ModelSpec, RequestedDtype } from '../../../src/model/spec.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { tinyBert } from './tiny-bert.ts'

function gpu(computeCapability: number): CudaDevice {
  const memory = { totalBytes: 16e9, freeBytes: 15e9 }
  return { kind: 'cuda', index: 0, name: 'Tesla T4', computeCapability, ...memory }
}

/** Reads no text. */
const VIT = fileURLToPath(new URL('../../golden/_vision/vit/model', import.meta.url))
const STATIC = fileURLToPath(new URL('../../golden/static/static-model2vec/model', import.meta.url))

const OLD = gpu(75)
const NEW = gpu(90)
const SPEC = tinyBert()
/** A model of a family that is known to leave the range of half precision. */
const WIDE = { ...SPEC, modelType: 'gemma3_text' }

const CPU_REASON = 'the CPU computes in fp32'
const BF16_REASON = 'bf16 needs compute capability 8.0; Tesla T4 has 7.5'
const narrow = (dtype: string) => `ONNX Runtime's CUDA provider computes no whole model in ${dtype}`

type Row = readonly [RequestedDtype, string, string?, string?]

const ON_CPU: readonly Row[] = [
  ['auto', 'cpu-f32'],
  ['fp32', 'cpu-f32'],
  ['fp16', 'cpu-f32', 'fp32', CPU_REASON],
  ['bf16', 'cpu-f32', 'fp32', CPU_REASON],
  ['int8', 'cpu-int8-balanced'],
  ['fp8', 'cpu-f32', 'fp32', CPU_REASON],
]

const ON_NEW: readonly Row[] = [
  ['auto', 'cuda-f16'],
  ['fp32', 'cuda-f32'],
  ['fp16', 'cuda-f16'],
  ['bf16', 'cuda-bf16'],
  ['int8', 'cuda-f16', 'fp16', narrow('int8')],
  ['fp8', 'cuda-f16', 'fp16', narrow('fp8')],
]

const ON_OLD: readonly Row[] = [
  ...ON_NEW.filter(([dtype]) => dtype !== 'bf16'),
  ['bf16', 'cuda-f32', 'fp32', BF16_REASON],
]

const WIDE_ON_NEW: readonly Row[] = [
  ['auto', 'cuda-bf16'],
  ['fp32', 'cuda-f32'],
  ['fp16', 'cuda-f16'],
  ['bf16', 'cuda-bf16'],
  ['int8', 'cuda-bf16', 'bf16', narrow('int8')],
  ['fp8', 'cuda-bf16', 'bf16', narrow('fp8')],
]

const WIDE_ON_OLD: readonly Row[] = [
  ['auto', 'cuda-f32'],
  ['fp32', 'cuda-f32'],
  ['fp16', 'cuda-f16'],
  ['bf16', 'cuda-f32', 'fp32', BF16_REASON],
  ['int8', 'cuda-f32', 'fp32', narrow('int8')],
  ['fp8', 'cuda-f32', 'fp32', narrow('fp8')],
]

const PLACES: readonly (readonly [string, ModelSpec, Device, readonly Row[]])[] = [
  ['the CPU', SPEC, CPU, ON_CPU],
  ['a GPU of compute capability 9.0', SPEC, NEW, ON_NEW],
  ['a GPU of compute capability 7.5', SPEC, OLD, ON_OLD],
  ['the CPU, of a model that overflows', WIDE, CPU, ON_CPU.filter(([dtype]) => dtype !== 'int8')],
  ['a GPU of compute capability 9.0, of a model that overflows', WIDE, NEW, WIDE_ON_NEW],
  ['a GPU of compute capability 7.5, of a model that overflows', WIDE, OLD, WIDE_ON_OLD],
]

describe.each(PLACES)('on %s', (_, spec, device, rows) => {
  for (const [requested, target, used, reason] of rows) {
    test(`${requested} is ${target}`, () => {
      const expected = used === undefined ? { target } : { target, replaced: { used, reason } }
      expect(chooseTarget(spec, requested, device)).toEqual(expected)
    })
  }
})

test('int8 on the CPU is as fast or as faithful as is asked for', () => {
  expect(chooseTarget(SPEC, 'int8', CPU, 'fast')).toEqual({ target: 'cpu-int8-fast' })
  expect(chooseTarget(SPEC, 'int8', CPU, 'faithful')).toEqual({ target: 'cpu-int8-faithful' })
})

test('a model without linear layers stays in fp32, and says so', async () => {
  const replaced = { used: 'fp32', reason: 'the model has no linear layers' }
  const still = await openFolder(STATIC)
  expect(chooseTarget(still, 'int8', CPU)).toEqual({ target: 'cpu-f32', replaced })
})

test('compute capability 8.0 has bf16, 7.9 has not', () => {
  expect(chooseTarget(SPEC, 'bf16', gpu(80)).target).toBe('cuda-bf16')
  expect(chooseTarget(SPEC, 'bf16', gpu(79)).target).toBe('cuda-f32')
})

test('a model of no known family is refused on a GPU as it is everywhere', async () => {
  const strange = { ...SPEC, modelType: 'strange' }
  await expectRefusal(() => chooseTarget(strange, 'auto', NEW), 'model_unsupported', 'strange')
})

test('BERT does not overflow', () => {
  expect(bert.overflowsHalf).toBeUndefined()
})

test('numbers that half precision cannot hold go to bf16 where the GPU has it, to fp32 elsewhere, and no further', () => {
  expect(fallbackOf('cuda-f16', NEW)).toBe('cuda-bf16')
  expect(fallbackOf('cuda-f16', OLD)).toBe('cuda-f32')
  expect(fallbackOf('cuda-bf16', NEW)).toBeUndefined()
  expect(fallbackOf('cuda-f32', OLD)).toBeUndefined()
  expect(fallbackOf('cpu-f32', CPU)).toBeUndefined()
})

test('a model that reads no text is computed in half precision, and in fp32 where int8 is asked for', async () => {
  const spec = await openFolder(VIT)
  expect(chooseTarget(spec, 'auto', NEW)).toEqual({ target: 'cuda-f16' })
  expect(chooseTarget(spec, 'bf16', NEW)).toEqual({ target: 'cuda-bf16' })
  expect(chooseTarget(spec, 'auto', CPU)).toEqual({ target: 'cpu-f32' })
  expect(chooseTarget(spec, 'int8', CPU)).toEqual({
    target: 'cpu-f32',
    replaced: { used: 'fp32', reason: 'int8 is calibrated with texts, and the model reads none' },
  })
})
