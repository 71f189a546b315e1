/** Apart from what finds out more, since a machine without a GPU must lose no time on it. */
import { existsSync } from 'node:fs'
import type { Machine } from './machine.ts'

/**
 * Whether a driver shows a GPU here: a look at two or three files. Windows' `/dev/dxg`
 * stands for any maker's GPU, so NVIDIA's library must lie beside it.
 */
export function hasGpu({ root }: Machine): boolean {
  const isWsl = () => existsSync(`${root}/dev/dxg`) && existsSync(`${root}/usr/lib/wsl/lib/libcuda.so.1`)
  return existsSync(`${root}/dev/nvidiactl`) || existsSync(`${root}/dev/nvidia0`) || isWsl()
}

/** Whether somebody meant to hide every GPU, rather than to name one and failed. */
export function hidesAllGpus(value: string | undefined): boolean {
  const words = ['', 'none', 'void', 'nodevfiles']
  return value !== undefined && (words.includes(value.trim().toLowerCase()) || /^\s*-\d/.test(value))
}
