/** What CUDA and ONNX Runtime read from the environment of the process. */
import type { Device } from './device.ts'

export interface OrtSettings {
  /** Lets fp32 models multiply in TF32: several times faster, with 10 bits of mantissa for 23. */
  readonly allowTf32: boolean
}

/**
 * ONNX Runtime would keep a device id and a database of events in the home folder, and its reader of the command line
 * crashes on one of 16 kB.
 */
export const TELEMETRY_OFF = { ORT_DISABLE_TELEMETRY: '1' } as const

/** Variable → value for these devices; nothing where all is computed on the CPU. */
export function ortEnvironment(
  devices: readonly Device[],
  { allowTf32 }: OrtSettings,
): Readonly<Record<string, string>> {
  const gpus = devices.filter((device) => device.kind === 'cuda')
  if (gpus.length === 0) return {}
  return {
    // nvidia-smi counts so, and whoever writes DEVICES has read its list
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    // the provider has kernels for everything; most are never called
    CUDA_MODULE_LOADING: 'LAZY',
    // cuDNN would plan anew for every exact shape, and keep each plan for ever
    ORT_ENABLE_CUDNN_FLASH_ATTENTION: '0',
    ...(allowTf32 ? {} : { NVIDIA_TF32_OVERRIDE: '0' }),
    // Short packed batches have TensorRT's kernels below compute capability 9.0, and above it nothing faster than flash
    // attention. The variable is the process's: of unlike GPUs the newer have the say, since the older lose less by it.
    ...(gpus.some(({ computeCapability }) => computeCapability >= 90)
      ? { ORT_MIN_SEQ_LEN_FLASH_ATTENTION_PACKED_QKV: '0' }
      : {}),
  }
}

/** To be called on the main thread, before the first other one: a worker's environment is a copy, which native libraries do not read. */
export function disableTelemetry(env: Record<string, string | undefined> = process.env): void {
  Object.assign(env, TELEMETRY_OFF)
}

/** Sets them before the first session, on the main thread too; what is set already stays. */
export function applyOrtEnvironment(
  devices: readonly Device[],
  settings: OrtSettings,
  env: Record<string, string | undefined> = process.env,
): void {
  for (const [name, value] of Object.entries(ortEnvironment(devices, settings))) env[name] ??= value
}
