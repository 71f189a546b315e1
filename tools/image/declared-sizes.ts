/** Bytes of what an image holds that is not in the checkout, counted once, each with where it was counted. */
import type { Platform } from './prune-modules.ts'

export interface Declared {
  readonly what: string
  readonly bytes: number
  readonly source: string
}

type Cpu = Platform['cpu']

/** Debian with `ca-certificates`, `curl` and `libatomic1`. */
const SYSTEM: Readonly<Record<Cpu, Declared>> = {
  x64: {
    what: 'Debian 12 slim, ca-certificates, curl, libatomic1',
    bytes: 87_700_000,
    source: 'a minimal Debian 12.15 without documentation, and the packages installed into it',
  },
  arm64: {
    what: 'Debian 12 slim, ca-certificates, curl, libatomic1',
    bytes: 110_300_000,
    source: 'as on amd64, with the difference of Installed-Size of the 107 packages',
  },
}

const NODE: Readonly<Record<Cpu, Declared>> = {
  x64: { what: 'Node 26.10.0', bytes: 149_711_504, source: 'the file bin/node of the release' },
  arm64: { what: 'Node 26.10.0', bytes: 149_852_768, source: 'the file bin/node of the release' },
}

const COMPILE_CACHE: Declared = {
  what: 'compile cache, of two users',
  bytes: 5_743_250,
  source: 'what tools/image/warm-up.ts leaves in Debian 12',
}

/** onnxruntime-gpu 1.30.0 and the packages of cuda-libraries.txt, unpacked. */
const CUDA: readonly Declared[] = [
  {
    what: "ONNX Runtime's CUDA provider, 1.30.0",
    bytes: 272_049_904 + 14_632,
    source: 'libonnxruntime_providers_cuda.so and …_shared.so of the release',
  },
  { what: 'libcublasLt.so.13', bytes: 541_595_600, source: 'nvidia-cublas 13.1.0.3' },
  { what: 'libcurand.so.10', bytes: 132_698_328, source: 'nvidia-curand 10.4.0.35' },
  { what: 'libcublas.so.13', bytes: 54_177_976, source: 'nvidia-cublas 13.1.0.3' },
  { what: 'libcudart.so.13', bytes: 704_288, source: 'nvidia-cuda-runtime 13.0.96' },
]

/** What the image for a device has besides /app and its production modules. */
export function declaredParts(device: 'cpu' | 'cuda', cpu: Cpu): readonly Declared[] {
  return [SYSTEM[cpu], NODE[cpu], COMPILE_CACHE, ...(device === 'cuda' ? CUDA : [])]
}
