/** Names of exported models in a folder, and which of them stands for a dtype that is asked for. */
import { readFile } from 'node:fs/promises'
import type { ExportedDtype } from './exported-spec.ts'
import type { RequestedDtype } from './spec.ts'

/** How a processor multiplies integers of 8 bits: which of a model's quantized files it is quick and exact with. */
export type IntegerUnit = 'vnni' | 'avx2' | 'arm64'

/** Without a dtype in its name a file is what its weights are. */
const WHOLE = ['model', 'model_O1', 'model_O2', 'model_O3', 'model_optimized']
const HALF = ['model_fp16', 'model_O4', 'model_f16']
const BRAIN = ['model_bf16']
const NIBBLE = ['model_q4', 'model_q4f16', 'model_int4', 'model_bnb4']

const ANY_INT8 = ['model_quantized', 'model_int8', 'model_uint8']
const VNNI_INT8 = ['model_qint8_avx512_vnni', 'model_qint8_avx512']
const AVX2_INT8 = ['model_quint8_avx2', 'model_qint8_avx2']
const ARM_INT8 = ['model_qint8_arm64']

/**
 * Without VNNI products of unsigned and signed bytes overflow their 16 bits where weights use all of 8: files with unsigned
 * weights come first there.
 */
const INT8: Readonly<Record<IntegerUnit, readonly string[]>> = {
  vnni: [...VNNI_INT8, ...ANY_INT8, ...AVX2_INT8, ...ARM_INT8],
  avx2: [...AVX2_INT8, 'model_uint8', 'model_quantized', 'model_int8', ...VNNI_INT8, ...ARM_INT8],
  arm64: [...ARM_INT8, ...ANY_INT8, ...VNNI_INT8, ...AVX2_INT8],
}

/** Where they lie in the Transformer's folder. */
const PLACES = ['onnx/', '']

/** Paths in the Transformer's folder, the first that is there is taken: what is asked for, then the nearest that is more exact. */
export function exportPaths(asked: RequestedDtype, unit: IntegerUnit): readonly string[] {
  const int8 = INT8[unit]
  const orders: Readonly<Record<RequestedDtype, readonly (readonly string[])[]>> = {
    auto: [WHOLE, BRAIN, HALF, int8, NIBBLE],
    fp32: [WHOLE, BRAIN, HALF, int8, NIBBLE],
    fp16: [HALF, WHOLE, BRAIN, int8, NIBBLE],
    bf16: [BRAIN, WHOLE, HALF, int8, NIBBLE],
    fp8: [HALF, WHOLE, BRAIN, int8, NIBBLE],
    int8: [int8, HALF, WHOLE, BRAIN, NIBBLE],
  }
  return orders[asked].flat().flatMap((name) => PLACES.map((place) => `${place}${name}.onnx`))
}

/** What a file's name says that it computes in. */
export function dtypeOfName(path: string): ExportedDtype | undefined {
  const name = path.replace(/^.*\//, '').replace(/\.onnx$/, '')
  if (HALF.includes(name)) return 'fp16'
  if (BRAIN.includes(name)) return 'bf16'
  if (NIBBLE.includes(name)) return 'int4'
  return INT8.vnni.includes(name) ? 'int8' : undefined
}

/** Names under which exporters put a model's weights beside it; where they need several files, all but the first are numbered. */
export function dataPaths(path: string): { readonly single: readonly string[]; readonly numbered: string } {
  return { single: [`${path}_data`, `${path}.data`], numbered: `${path}_data_` }
}

/** Of this machine. */
export async function integerUnit(): Promise<IntegerUnit> {
  if (process.arch === 'arm64') return 'arm64'
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  return /^flags\s*:.*\b(avx512_vnni|avx_vnni)\b/m.test(text) ? 'vnni' : 'avx2'
}
