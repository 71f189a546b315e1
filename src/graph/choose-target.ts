/** Which target a model runs on: what was asked for, what the device has, and what the model's numbers need. */
import type { Device } from '../devices/device.ts'
import type { ExportedModel } from '../model/exported-spec.ts'
import type { ModelSpec, RequestedDtype } from '../model/spec.ts'
import { ConfigReader } from './config-reader.ts'
import { findFamily } from './families/registry.ts'
import type { TargetName } from './target.ts'
import { TARGETS } from './target.ts'
import type { Int8Mode } from './targets/cpu-int8.ts'

export interface ChosenTarget {
  readonly target: TargetName
  /** What stands for the dtype that was asked for, and why. */
  readonly replaced?: { readonly used: string; readonly reason: string }
}

/** Compute capability times ten from which on a GPU multiplies bfloat16. */
const BF16_CAPABILITY = 80

/** Throws `model_unsupported` where the model's family is unknown. */
export function chooseTarget(
  spec: ModelSpec,
  requested: RequestedDtype,
  device: Device,
  int8Mode: Int8Mode = 'balanced',
): ChosenTarget {
  if (spec.exported !== undefined) return chooseForExported(spec.exported, requested, device)
  if (device.kind === 'cpu') {
    if (requested === 'auto' || requested === 'fp32') return { target: 'cpu-f32' }
    if (requested === 'int8') return chooseInt8(spec, int8Mode)
    return replaced('cpu-f32', 'the CPU computes in fp32')
  }
  const hasBf16 = device.computeCapability >= BF16_CAPABILITY
  const wide: TargetName = hasBf16 ? 'cuda-bf16' : 'cuda-f32'
  const suits: TargetName = overflowsHalf(spec) ? wide : 'cuda-f16'
  switch (requested) {
    case 'auto':
      return { target: suits }
    case 'fp32':
      return { target: 'cuda-f32' }
    case 'fp16':
      return { target: 'cuda-f16' }
    case 'bf16':
      if (hasBf16) return { target: 'cuda-bf16' }
      return replaced('cuda-f32', `bf16 needs compute capability 8.0; ${device.name} has ${shown(device)}`)
    case 'int8':
    case 'fp8':
      return replaced(suits, `ONNX Runtime's CUDA provider computes no whole model in ${requested}`)
    default:
      return requested satisfies never
  }
}

/** Of towers it is seen when they are loaded. */
function overflowsHalf(spec: ModelSpec): boolean {
  return spec.tokenizer !== undefined && findFamily(spec).overflowsHalf === true
}

/** A model without layers has nothing to gain. */
function chooseInt8(spec: ModelSpec, mode: Int8Mode): ChosenTarget {
  if (spec.tokenizer === undefined)
    return replaced('cpu-f32', 'int8 is calibrated with texts, and the model reads none')
  const { plan } = findFamily(spec)
  if (plan(new ConfigReader(spec.name, spec.config)).layers.length > 0) return { target: `cpu-int8-${mode}` }
  return replaced('cpu-f32', 'the model has no linear layers')
}

/** It computes in what its file was made for, and hands float32 to the head. */
function chooseForExported(
  { name, dtype }: ExportedModel,
  requested: RequestedDtype,
  { kind }: Device,
): ChosenTarget {
  const target = kind === 'cpu' ? 'cpu-f32' : 'cuda-f32'
  if (requested === 'auto' || requested === dtype) return { target }
  return { target, replaced: { used: dtype, reason: `of the folder's ONNX files ${name} is the nearest` } }
}

/** Where a model goes whose numbers do not fit the target; undefined: there is nothing wider. */
export function fallbackOf(target: TargetName, device: Device): TargetName | undefined {
  if (target !== 'cuda-f16' || device.kind === 'cpu') return undefined
  return device.computeCapability >= BF16_CAPABILITY ? 'cuda-bf16' : 'cuda-f32'
}

function replaced(target: TargetName, reason: string): ChosenTarget {
  return { target, replaced: { used: TARGETS[target].dtype, reason } }
}

function shown({ computeCapability }: { readonly computeCapability: number }): string {
  return `${Math.floor(computeCapability / 10)}.${computeCapability % 10}`
}
