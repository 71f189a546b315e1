/**
 * Other kernels, and other ways to feed them, each against the program as it is. A variant is an environment: ONNX Runtime
 * reads its own variables when a session is made, and so does this program with its settings. So a new switch is a new line.
 */
import type { Settings } from './jobs.ts'

export interface Variant {
  readonly name: string
  /** What it shows. */
  readonly question: string
  /** On which devices it says anything. */
  readonly on: 'cuda' | 'cpu'
  /** Of this program. */
  readonly settings?: Settings
  /** Of ONNX Runtime and CUDA. */
  readonly env?: Readonly<Record<string, string>>
}

const BF16 = { DTYPES: 'bf16' }
const FP32 = { DTYPES: 'fp32' }

export const VARIANTS: readonly Variant[] = [
  {
    name: 'no-flash',
    question: 'packed attention: flash or memory-efficient (cutlass)?',
    on: 'cuda',
    env: { ORT_DISABLE_FLASH_ATTENTION: '1' },
  },
  {
    name: 'unfused',
    question: 'packed attention: what does any fused kernel save?',
    on: 'cuda',
    env: {
      ORT_DISABLE_FLASH_ATTENTION: '1',
      ORT_DISABLE_MEMORY_EFFICIENT_ATTENTION: '1',
      ORT_DISABLE_FUSED_ATTENTION: '1',
      ORT_DISABLE_TRT_FLASH_ATTENTION: '1',
    },
  },
  {
    name: 'flash-from-513',
    question: "packed attention: ONNX Runtime's own threshold for flash",
    on: 'cuda',
    env: { ORT_MIN_SEQ_LEN_FLASH_ATTENTION_PACKED_QKV: '513' },
  },
  {
    name: 'bf16',
    question: 'packed in fp16, or padded in bf16?',
    on: 'cuda',
    settings: BF16,
  },
  {
    name: 'bf16-cudnn',
    question: "padded attention: cuDNN's kernel, which plans for every shape",
    on: 'cuda',
    settings: BF16,
    env: { ORT_ENABLE_CUDNN_FLASH_ATTENTION: '1' },
  },
  {
    name: 'bf16-no-flash',
    question: 'padded attention: flash or memory-efficient?',
    on: 'cuda',
    settings: BF16,
    env: { ORT_DISABLE_FLASH_ATTENTION: '1' },
  },
  { name: 'fp32', question: 'what does half precision save?', on: 'cuda', settings: FP32 },
  {
    name: 'fp32-tf32',
    question: 'and TF32, against fp32?',
    on: 'cuda',
    settings: { ...FP32, ALLOW_TF32: '1' },
  },
  {
    name: 'f16-sums',
    question: 'matrix products that add up in fp16',
    on: 'cuda',
    env: { ORT_CUDA_GEMM_OPTIONS: '1' },
  },
  { name: 'rows-32', question: 'the default BATCH_SIZES', on: 'cuda', settings: { BATCH_SIZES: '32' } },
  {
    name: 'tokens-16k',
    question: 'a smaller batch than the search finds',
    on: 'cuda',
    settings: { MAX_BATCH_TOKENS: '16384' },
  },
  {
    name: 'tokens-256',
    question: 'a smaller batch',
    on: 'cpu',
    settings: { MAX_BATCH_TOKENS: '256' },
  },
  {
    name: 'tokens-2048',
    question: 'a larger batch',
    on: 'cpu',
    settings: { MAX_BATCH_TOKENS: '2048' },
  },
]

/** Names that begin so are settings of this program; all others are ONNX Runtime's, CUDA's or the system's. */
const SETTING = /^(?:DTYPES|BATCH_SIZES|MAX_BATCH_TOKENS|ALLOW_TF32|CACHE_DIR|STRICT_DTYPES)$/

/** `name:KEY=VALUE,KEY=VALUE`, for a switch that has no line above. Throws where it is not written so. */
export function parseVariant(text: string, on: Variant['on']): Variant {
  const [, name, list] = /^([\w-]+):(.+)$/.exec(text) ?? []
  const pairs = list?.split(',').map((pair) => /^(\w+)=(.*)$/.exec(pair)?.slice(1, 3) as [string, string])
  if (name === undefined || pairs === undefined || pairs.some((pair) => pair === undefined)) {
    throw new Error(`--variant: "${text}" is not written as name:KEY=VALUE,KEY=VALUE`)
  }
  const pick = (isSetting: boolean) =>
    Object.fromEntries(pairs.filter(([key]) => SETTING.test(key) === isSetting))
  return { name, question: list ?? '', on, settings: pick(true), env: pick(false) }
}
