/** Whether a machine has room for a model to be packed beside the one that serves. */
import { readFile, statfs } from 'node:fs/promises'
import type { ModelSpec } from '../../model/spec.ts'
import { weightBytes } from '../model-size.ts'

/** Of float32: the weights that were computed, and the same packed. */
const COPIES = 2
/** Of memory, for what is no weight. */
const SPARE_MEMORY_BYTES = 300_000_000
/** Of the disk, for everybody else. */
const SPARE_DISK_BYTES = 1_000_000_000

/** What is lacking; undefined: there is room. */
export async function findLack(spec: ModelSpec, folder: string): Promise<string | undefined> {
  const bytes = COPIES * weightBytes(spec, 'fp32')
  const { bavail, bsize } = await statfs(folder)
  const freeBytes = bavail * bsize
  if (freeBytes < bytes + SPARE_DISK_BYTES)
    return `${megabytes(bytes + SPARE_DISK_BYTES)} of disk are needed, ${megabytes(freeBytes)} are free`
  const memoryBytes = await availableMemory()
  if (memoryBytes < bytes + SPARE_MEMORY_BYTES)
    return `${megabytes(bytes + SPARE_MEMORY_BYTES)} of memory are needed, ${megabytes(memoryBytes)} are free`
  return undefined
}

/**
 * Bytes that can be had without another process being ended: what the machine has, and what the control group of a container
 * leaves. Pages of files count as free, for they are given up first.
 */
async function availableMemory(): Promise<number> {
  const machine = numberIn(await textOf('/proc/meminfo'), /^MemAvailable:\s+(\d+) kB/m)
  // version 2 of control groups, then 1
  const files =
    numberIn(await textOf('/sys/fs/cgroup/memory.stat'), /^file (\d+)/m) ??
    numberIn(await textOf('/sys/fs/cgroup/memory/memory.stat'), /^total_cache (\d+)/m)
  return Math.min(machine === undefined ? Infinity : machine * 1024, process.availableMemory() + (files ?? 0))
}

function numberIn(text: string, pattern: RegExp): number | undefined {
  const [, digits] = pattern.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits)
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
