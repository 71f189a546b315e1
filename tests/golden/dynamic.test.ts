/**
 * Exported models in fewer bits, against ONNX Runtime for Python. One text at a time: 8-bit models measure the range of a whole
 * batch before they round it, so that a text's numbers depend on the others that it is computed with.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openModel } from '../open-model.ts'

interface Golden {
  readonly cases: readonly { readonly text: string; readonly vector: readonly number[] }[]
}

/**
 * On the processor that the numbers were made on there is no difference. Elsewhere sums are rounded otherwise, and one step of a
 * number in 8 bits, or 16, is as much as this.
 */
const TOLERANCES: Readonly<Record<string, number>> = { int8: 1e-2, fp16: 2e-3 }

const root = join(import.meta.dirname, '_dynamic')
const names = readdirSync(root)

test('there are models of 8 bits and of 16', () => {
  expect(names).toEqual(['exported-model_fp16', 'exported-model_quantized'])
})

describe.each(names)('%s', (name) => {
  test('gives the vectors of the reference, one text at a time', async () => {
    const { cases } = JSON.parse(readFileSync(join(root, name, 'golden.json'), 'utf8')) as Golden
    const model = await openModel(join(root, name, 'model'))
    onTestFinished(() => model.close())
    expect(cases.length).toBeGreaterThan(10)
    for (const { text, vector } of cases) {
      const { vectors } = await model.engine.embed({ kind: 'embed', model: undefined, texts: [text] })
      const worst = Math.max(...vector.map((value, d) => Math.abs((vectors[d] ?? NaN) - value)))
      expect(worst).toBeLessThanOrEqual(TOLERANCES[model.runner.dtype] ?? 0)
    }
  })
})
