/** What the driver tells of one GPU. */
export interface Gpu {
  /** Place by which nvidia-smi counts it: by the address on the PCI bus. */
  readonly place: number
  /** `GPU-…`, or `MIG-…` for a slice of a GPU. */
  readonly uuid: string
  readonly name: string
  readonly totalBytes: number
  readonly freeBytes: number
  /** Compute capability times ten: 90 for 9.0. */
  readonly computeCapability: number
  /** What nvidia-smi says in place of a number; nothing can be computed on such a GPU. */
  readonly broken?: string | undefined
  /** Slices of a GPU in MIG mode, which cannot be used as a whole. Undefined outside that mode. */
  readonly slices?: readonly GpuSlice[] | undefined
}

export interface GpuSlice {
  readonly uuid: string
  /** `1g.10gb` */
  readonly profile: string
}

/** `9.0` for 90. */
export function formatCapability(computeCapability: number): string {
  return (computeCapability / 10).toFixed(1)
}
