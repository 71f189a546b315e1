/** What a model can run on. */
export type Device = CpuDevice | CudaDevice

export interface CpuDevice {
  readonly kind: 'cpu'
}

export interface CudaDevice {
  readonly kind: 'cuda'
  /** As the CUDA runtime counts the GPUs that this process can see; CUDA_VISIBLE_DEVICES has been applied. */
  readonly index: number
  readonly name: string
  readonly totalBytes: number
  /** Memory that nobody had taken when the process started. */
  readonly freeBytes: number
  /** Compute capability times ten: 80 for 8.0. bfloat16 needs 80. */
  readonly computeCapability: number
}

/** At least one. */
export type Devices = readonly [Device, ...Device[]]

export const CPU: CpuDevice = { kind: 'cpu' }

/** `cpu`, or `cuda:0`: as logs and `/v1/models` show it. */
export function describeDevice(device: Device): string {
  return device.kind === 'cpu' ? 'cpu' : `cuda:${device.index}`
}
