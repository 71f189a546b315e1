import { describe, expect, test } from 'vitest'
import { findDeviceFailure } from '../../../src/runtime/device-failure.ts'

const NODE = "Non-zero status code returned while running FusedMatMul node. Name:'n1' Status Message: "
const CALL = '/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:121 CudaCall '

describe('a device without room is told by', () => {
  test.each([
    [
      'the arena',
      `${NODE}/src/core/framework/bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, ` +
        'onnxruntime::Stream*) Failed to allocate memory for requested buffer of size 939524096',
    ],
    ['an arena with a limit', `${NODE}Available memory of 1024 is smaller than requested bytes of 4096`],
    [
      'an arena in pieces',
      `${NODE}Failed to find a free memory block despite calling Extend. rounded_bytes=512`,
    ],
    [
      'CUDA',
      `${NODE}${CALL}CUDA failure 2: out of memory ; GPU=0 ; hostname=worker ; file=cuda_allocator.cc ; line=58 ; ` +
        'expr=cudaMalloc((void**)&p, size);',
    ],
    [
      'cuBLAS',
      `${NODE}${CALL}CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=worker ; ` +
        'expr=cublasCreate(&cublas_handle_);',
    ],
    [
      'cuDNN',
      `${NODE}CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0 ; expr=cudnnCreate(&cudnn_handle_);`,
    ],
    [
      'newer cuDNN',
      `${NODE}CUDNN failure 5003: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0`,
    ],
    ['the name of the error', `${NODE}cudaErrorMemoryAllocation`],
    ['C++', `${NODE}std::bad_alloc`],
    ['C++ elsewhere', `${NODE}bad allocation`],
  ])('%s', (_, message) => expect(findDeviceFailure(message)).toBe('out_of_memory'))
})

describe('a device that is lost is told by', () => {
  test.each([
    [700, 'an illegal memory access was encountered'],
    [710, 'device-side assert triggered'],
    [719, 'unspecified launch failure'],
    [214, 'uncorrectable ECC error encountered'],
    [46, 'CUDA-capable device(s) is/are busy or unavailable'],
    [999, 'unknown error'],
  ])('CUDA failure %i: %s', (code, sentence) => {
    const message = `${NODE}${CALL}CUDA failure ${code}: ${sentence} ; GPU=0 ; hostname=worker ; expr=cudaMemcpyAsync(out);`
    expect(findDeviceFailure(message)).toBe('device_lost')
  })

  test.each([
    'CUDA error (/src/flash_fwd_launch_template.h:88): an illegal memory access was encountered',
    'CUDA error: device-side assert triggered',
    'an illegal instruction was encountered',
    'the launch timed out and was terminated',
  ])('a kernel that says: %s', (message) => expect(findDeviceFailure(message)).toBe('device_lost'))

  test('its number, though it may say that memory ran out', () => {
    expect(findDeviceFailure('CUDA failure 700: out of memory')).toBe('device_lost')
  })
})

describe('a device that is well is told by', () => {
  test.each([
    `${NODE}CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; GPU=0 ; expr=cublasGemmHelper(`,
    `${NODE}CUDA failure 1: invalid argument ; GPU=0 ; expr=cudaGetLastError();`,
    `${NODE}CUDA failure 98: invalid device function ; GPU=0 ; expr=cudaGetLastError();`,
    `${NODE}indices element out of data bounds, idx=70000 must be within the inclusive range [-30522,30521]`,
    "Got invalid dimensions for input: 'ids' for the following indices",
    '',
  ])('%j', (message) => expect(findDeviceFailure(message)).toBeUndefined())
})
