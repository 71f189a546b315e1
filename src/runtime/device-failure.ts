/** What a message of ONNX Runtime says of the device. There is no code to go by: its errors reach JavaScript as text only. */

export type DeviceFailure = 'out_of_memory' | 'device_lost'

/** Of the arena that all buffers come from, of the CUDA runtime under it, of the libraries beside it, and of plain C++. */
const OUT_OF_MEMORY = [
  /failed to allocate memory for requested buffer/i,
  /available memory of \d+ is smaller than requested bytes/i,
  /failed to find a free memory block/i,
  /\bcudaErrorMemoryAllocation\b/,
  /\bout of memory\b/i,
  /\bCU\w+_STATUS_\w*ALLOC(ATION)?_FAILED\b/,
  /\bbad[_ ]alloc(ation)?\b/,
]

/**
 * Numbers of cudaError_t (CUDA 12.9, driver_types.h). Of most its documentation says that the process is left in an
 * inconsistent state, in which all further work fails alike until it is started anew. Of the others it does not, but a
 * context is just as gone after them.
 */
const LOST_CODES = new Set([
  46, // cudaErrorDevicesUnavailable: no context could be made on a device that another process has, or that fails
  214, // cudaErrorECCUncorrectable
  220, // cudaErrorNvlinkUncorrectable
  226, // cudaErrorContained
  700, // cudaErrorIllegalAddress
  702, // cudaErrorLaunchTimeout
  709, // cudaErrorContextIsDestroyed
  710, // cudaErrorAssert
  714, // cudaErrorHardwareStackError
  715, // cudaErrorIllegalInstruction
  716, // cudaErrorMisalignedAddress
  717, // cudaErrorInvalidAddressSpace
  718, // cudaErrorInvalidPc
  719, // cudaErrorLaunchFailure
  721, // cudaErrorTensorMemoryLeak
  810, // cudaErrorMpsClientTerminated
  999, // cudaErrorUnknown: as after a GPU that fell off the bus, or a driver that was replaced
])

/** The same, where a kernel gives CUDA's sentence without its number. */
const LOST =
  /illegal memory access|device-side assert|unspecified launch failure|uncorrectable (ecc|nvlink) error|misaligned address|illegal instruction was|hardware stack error|launch timed out|context is destroyed/i

/** Undefined: the device is well, and the batch was refused for a reason of its own. */
export function findDeviceFailure(message: string): DeviceFailure | undefined {
  // First: a lost device may refuse memory as well.
  const [, code] = /\bCUDA failure (\d+):/.exec(message) ?? []
  if (LOST_CODES.has(Number(code)) || LOST.test(message)) return 'device_lost'
  return OUT_OF_MEMORY.some((pattern) => pattern.test(message)) ? 'out_of_memory' : undefined
}
