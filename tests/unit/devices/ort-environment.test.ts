/** What is set for CUDA and ONNX Runtime, and what is left as it was. */
import { expect, test } from 'vitest'
import type { CudaDevice } from '../../../src/devices/device.ts'
import { CPU } from '../../../src/devices/device.ts'
import {
  applyOrtEnvironment,
  disableTelemetry,
  ortEnvironment,
} from '../../../src/devices/ort-environment.ts'

const EXACT = { allowTf32: false }

function gpu(computeCapability: number): CudaDevice {
  return { kind: 'cuda', index: 0, name: 'x', totalBytes: 1, freeBytes: 1, computeCapability }
}

test('on the CPU nothing is set', () => {
  expect(ortEnvironment([CPU], EXACT)).toEqual({})
})

test('on a GPU numbers follow the PCI bus, fp32 is fp32, and attention makes no plans for every shape', () => {
  expect(ortEnvironment([gpu(89)], EXACT)).toEqual({
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    CUDA_MODULE_LOADING: 'LAZY',
    NVIDIA_TF32_OVERRIDE: '0',
    ORT_ENABLE_CUDNN_FLASH_ATTENTION: '0',
  })
})

test('ALLOW_TF32 leaves the matter to the library', () => {
  expect(ortEnvironment([gpu(89)], { allowTf32: true })).not.toHaveProperty('NVIDIA_TF32_OVERRIDE')
})

test('from compute capability 9.0 on short batches take flash attention too, even beside an older GPU', () => {
  const name = 'ORT_MIN_SEQ_LEN_FLASH_ATTENTION_PACKED_QKV'
  expect(ortEnvironment([gpu(90)], EXACT)).toHaveProperty(name, '0')
  expect(ortEnvironment([gpu(80), gpu(120)], EXACT)).toHaveProperty(name, '0')
  expect(ortEnvironment([gpu(80), gpu(89)], EXACT)).not.toHaveProperty(name)
})

test('what somebody has set stays, empty or not', () => {
  const env: Record<string, string | undefined> = {
    CUDA_DEVICE_ORDER: 'FASTEST_FIRST',
    NVIDIA_TF32_OVERRIDE: '',
  }
  applyOrtEnvironment([gpu(90)], EXACT, env)
  expect(env).toEqual({
    CUDA_DEVICE_ORDER: 'FASTEST_FIRST',
    CUDA_MODULE_LOADING: 'LAZY',
    NVIDIA_TF32_OVERRIDE: '',
    ORT_ENABLE_CUDNN_FLASH_ATTENTION: '0',
    ORT_MIN_SEQ_LEN_FLASH_ATTENTION_PACKED_QKV: '0',
  })
})

test('telemetry is off, whoever has asked for it', () => {
  const env: Record<string, string | undefined> = { ORT_DISABLE_TELEMETRY: '0' }
  disableTelemetry(env)
  expect(env).toEqual({ ORT_DISABLE_TELEMETRY: '1' })
})
