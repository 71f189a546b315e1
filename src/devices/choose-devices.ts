import type { Devices } from './device.ts'
import { CPU } from './device.ts'
import { hasGpu, hidesAllGpus } from './has-gpu.ts'
import type { Machine } from './machine.ts'
import { THIS_MACHINE } from './machine.ts'
import { unavailable } from './unavailable.ts'

export interface DeviceSettings {
  readonly executionProvider: 'auto' | 'cpu' | 'cuda'
  /** Numbers are GPUs, as CUDA counts them. */
  readonly devices: 'auto' | 'cpu' | readonly number[]
}

/**
 * What the models run on: every visible GPU or the CPU, or what the settings ask for. Throws `provider_unavailable` where
 * that is not there, or where a GPU is that CUDA cannot use: one that somebody pays for must not idle in silence.
 */
export async function chooseDevices(
  settings: DeviceSettings,
  machine: Machine = THIS_MACHINE,
): Promise<Devices> {
  const { executionProvider, devices } = settings
  if (executionProvider === 'cpu' || devices === 'cpu') return [CPU]
  if (!hasGpu(machine)) return noGpu(settings, 'no NVIDIA GPU is visible to this machine or container')
  const hiding = machine.env['CUDA_VISIBLE_DEVICES']
  if (hidesAllGpus(hiding)) return noGpu(settings, `CUDA_VISIBLE_DEVICES="${hiding}" hides all`)
  const [{ inspectCuda }, { chooseGpus }] = await Promise.all([
    import('./inspect-cuda.ts'),
    import('./choose-gpus.ts'),
  ])
  const report = await inspectCuda(machine)
  const isEmpty = report.listed.length === 0 && report.gpuProblems.length === 0
  return isEmpty ? noGpu(settings, 'the driver lists none') : chooseGpus(devices, report)
}

function noGpu({ executionProvider, devices }: DeviceSettings, reason: string): Devices {
  if (executionProvider === 'auto' && devices === 'auto') return [CPU]
  const asking = executionProvider === 'cuda' ? 'EXECUTION_PROVIDER=cuda' : `DEVICES=${String(devices)}`
  throw unavailable(`${asking} asks for a GPU, but ${reason}`)
}
