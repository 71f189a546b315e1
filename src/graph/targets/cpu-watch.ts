/** The CPU's float32 kernels, which also tell the greatest magnitude of each column that a linear layer reads. */
import type { GraphBuilder } from '../builder.ts'
import { inputKey } from '../int8-recipe.ts'
import type { Value } from '../ir.ts'
import type { Kernels } from '../kernels.ts'
import type { Linear } from '../tensor-table.ts'
import { floatProducts } from './cpu-f32.ts'
import { isQuantized } from './cpu-int8.ts'
import { axisOne, cpuKernels } from './cpu-kernels.ts'

export interface Watched {
  /** `inputKey` of the layer's weights. */
  readonly key: string
  /** [1, K], of all tokens of the batch. */
  readonly greatest: Value
}

/** `onInput` is told of the input of every layer that is one of 8 bits in the int8 targets. */
export function watchingKernels(onInput: (watched: Watched) => void): Kernels {
  const { project, projectJoined } = floatProducts
  const watch = (b: GraphBuilder, x: Value, linears: readonly Linear[]): void => {
    const width = x.shape[1] as number
    const magnitudes = b.reshape(b.node('Abs', [x]), [1, 'T', width])
    const greatest = b.node('ReduceMax', [magnitudes, axisOne(b)], { keepdims: { int: 0 } })
    onInput({ key: inputKey(linears.map(({ weight }) => weight)), greatest })
  }
  return cpuKernels({
    project(b, x, linear) {
      if (isQuantized(x, linear)) watch(b, x, [linear])
      return project(b, x, linear)
    },
    projectJoined(b, x, linears) {
      if (linears.every((linear) => isQuantized(x, linear))) watch(b, x, linears)
      return projectJoined(b, x, linears)
    },
  })
}
