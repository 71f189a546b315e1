import { expect, test } from 'vitest'
import type { ModelSpec, TensorRef } from '../../../src/model/spec.ts'
import { estimateBatchTokens, weightBytes } from '../../../src/runtime/model-size.ts'
import { fakeModel } from '../../fakes/model.ts'

function tensor(...shape: number[]): TensorRef {
  return { file: '/nowhere', byteOffset: 0, byteLength: 0, dtype: 'F32', shape }
}

/** The widths of bge-large, one layer of it. */
const SPEC: ModelSpec = {
  ...fakeModel().spec,
  tensors: {
    'embeddings.word_embeddings.weight': tensor(30_522, 1024),
    'embeddings.position_embeddings.weight': tensor(512, 1024),
    'encoder.layer.0.attention.self.query.weight': tensor(1024, 1024),
    'encoder.layer.0.attention.self.query.bias': tensor(1024),
    'encoder.layer.0.intermediate.dense.weight': tensor(4096, 1024),
    'encoder.layer.0.output.dense.weight': tensor(1024, 4096),
  },
}

test('weights take what they are computed in, whatever they are stored in', () => {
  const stored = { ...tensor(10, 3), dtype: 'I8' } as const
  const spec = { ...SPEC, tensors: { one: stored, other: tensor(7) } }
  expect(weightBytes(spec, 'fp32')).toBe(148)
  expect(weightBytes(spec, 'fp16')).toBe(74)
  expect(weightBytes(spec, 'bf16')).toBe(74)
})

/** Bytes that a token more asks for. */
function bytesPerToken(spec: ModelSpec, dtype: 'fp32' | 'fp16'): number {
  const [small, large] = [20e9, 60e9]
  return (large - small) / (estimateBatchTokens(spec, dtype, large) - estimateBatchTokens(spec, dtype, small))
}

function withTensor(name: string, ...shape: number[]): ModelSpec {
  return { ...SPEC, tensors: { ...SPEC.tensors, [name]: tensor(...shape) } }
}

test('a token takes at least its widest layer and what attention reads, and less in half precision', () => {
  expect(bytesPerToken(SPEC, 'fp32')).toBeGreaterThan((4 * 1024 + 4096) * 4)
  expect(bytesPerToken(SPEC, 'fp16')).toBeLessThan(bytesPerToken(SPEC, 'fp32'))
  expect(bytesPerToken(withTensor('mlp.up.weight', 16_384, 1024), 'fp16')).toBeGreaterThan(
    2 * bytesPerToken(SPEC, 'fp16'),
  )
})

test('a vocabulary is no layer: it takes memory, but none for each token', () => {
  const larger = withTensor('embeddings.word_embeddings.weight', 250_000, 1024)
  expect(bytesPerToken(larger, 'fp16')).toBeCloseTo(bytesPerToken(SPEC, 'fp16'), 0)
  expect(estimateBatchTokens(larger, 'fp16', 20e9)).toBeLessThan(estimateBatchTokens(SPEC, 'fp16', 20e9))
})

test('a large card is expected to hold more than any batch needs', () => {
  expect(estimateBatchTokens(SPEC, 'fp16', 80e9)).toBeGreaterThan(100_000)
})

test('no memory, no tokens: never fewer than none', () => {
  expect(estimateBatchTokens(SPEC, 'fp16', 1e8)).toBe(0)
})
