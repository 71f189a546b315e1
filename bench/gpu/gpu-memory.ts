import { execFile } from 'node:child_process'

/** MiB in use on a GPU, by all processes; undefined where nvidia-smi does not tell. */
export function readGpuMemory(gpuId: string | undefined): Promise<number | undefined> {
  if (gpuId === undefined) return Promise.resolve(undefined)
  const args = ['--query-gpu=memory.used', '--format=csv,noheader,nounits', '-i', gpuId]
  return new Promise((resolve) => {
    execFile('nvidia-smi', args, { timeout: 20_000, encoding: 'utf8' }, (error, stdout) => {
      resolve(error === null && /^\d+\s*$/.test(stdout) ? Number(stdout) : undefined)
    })
  })
}
