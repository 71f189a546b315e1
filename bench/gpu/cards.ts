/**
 * What the tensor cores of a card reach at best: dense products of float16 with sums in float32, in units of 10¹² operations
 * a second; of cards that ONNX Runtime's CUDA provider has code for. Data sheets mostly print twice as much, for matrices
 * half of whose entries are zero; those are halved here.
 */

export interface Card {
  /** Matched against the name that the driver gives; the first that fits counts. */
  readonly pattern: RegExp
  readonly tflops: number
  readonly source: string
}

export const CARDS: readonly Card[] = [
  { pattern: /\bH200 NVL\b/, tflops: 835.5, source: 'NVIDIA H200 data sheet, NVL: 1,671 sparse' },
  { pattern: /\bH200\b/, tflops: 989.5, source: 'NVIDIA H200 data sheet, SXM: 1,979 sparse' },
  { pattern: /\bH100 NVL\b/, tflops: 835.5, source: 'NVIDIA H100 data sheet, NVL: 1,671 sparse' },
  { pattern: /\bH100 PCIe\b/i, tflops: 756.5, source: 'NVIDIA H100 data sheet, PCIe: 1,513 sparse' },
  { pattern: /\bH100\b/, tflops: 989.5, source: 'NVIDIA H100 data sheet, SXM: 1,979 sparse' },
  { pattern: /\bA100\b/, tflops: 312, source: 'NVIDIA A100 data sheet: 312 dense' },
  { pattern: /\bA30\b/, tflops: 165, source: 'NVIDIA A30 data sheet: 165 dense' },
  { pattern: /\bA40\b/, tflops: 149.7, source: 'NVIDIA A40 data sheet: 149.7 dense' },
  { pattern: /\bA10\b/, tflops: 125, source: 'NVIDIA A10 data sheet: 125 dense' },
  { pattern: /\bL40S\b/, tflops: 362.05, source: 'NVIDIA L40S data sheet: 362.05 dense' },
  { pattern: /\bL40\b/, tflops: 181.05, source: 'NVIDIA L40 data sheet: 181.05 dense' },
  { pattern: /\bL4\b/, tflops: 121, source: 'NVIDIA L4 data sheet: 242 sparse' },
  {
    pattern: /\bRTX 6000 Ada\b/,
    tflops: 364.2,
    source: 'NVIDIA RTX 6000 Ada data sheet: 1,457 sparse in fp8',
  },
  { pattern: /\bRTX A6000\b/, tflops: 154.8, source: 'NVIDIA RTX A6000 data sheet: 309.7 sparse' },
  {
    pattern: /\bRTX 5090(?! (?:D|Laptop))\b/,
    tflops: 209.5,
    source: 'NVIDIA RTX Blackwell white paper, sums in fp32',
  },
  { pattern: /\bRTX 4090(?! (?:D|Laptop))\b/, tflops: 165.2, source: 'NVIDIA Ada white paper, sums in fp32' },
  { pattern: /\bRTX 3090(?! Ti)\b/, tflops: 71, source: 'NVIDIA GA102 white paper, sums in fp32' },
  { pattern: /\bT4\b/, tflops: 65, source: 'NVIDIA T4 data sheet: 65 dense' },
]

/** Undefined for a card that is not in the table, and for a slice of one. */
export function findCard(name: string): Card | undefined {
  return / MIG /.test(name) ? undefined : CARDS.find(({ pattern }) => pattern.test(name))
}
