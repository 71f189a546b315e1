/** What the head of a language model that reranks refuses; its scores are compared with the reference in tests/golden. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildGraph } from '../../../src/graph/build.ts'
import { openFolder } from '../../../src/model/open-folder.ts'
import type { Answers, ModelSpec } from '../../../src/model/spec.ts'
import { expectRefusal } from '../model/expect-refusal.ts'

const tied = await openFolder(join(import.meta.dirname, '../../golden/lmrerank/asked-logit-score/model'))
const untied = await openFolder(
  join(import.meta.dirname, '../../golden/lmrerank/asked-without-modules/model'),
)
const VOCABULARY = 432

function withConfig(spec: ModelSpec, changes: object): ModelSpec {
  return { ...spec, config: { ...spec.config, ...changes } }
}

function withAnswers(spec: ModelSpec, answers: Answers): ModelSpec {
  return { ...spec, head: { kind: 'classification', labels: ['LABEL_0'], activation: 'sigmoid', answers } }
}

function rowsRead({ graph }: ReturnType<typeof buildGraph>): number[] {
  return graph.initializers.flatMap(({ value, source }) =>
    value.shape.join() === '1,32' && 'byteOffset' in source ? [source.byteOffset] : [],
  )
}

test('two rows of the output matrix are read, and no more', () => {
  const matrix = untied.tensors['lm_head.weight']
  const answers = { yes: 5, no: 9, divisor: 1 }
  const compiled = buildGraph(withAnswers(untied, answers), 'cpu-f32')
  expect(rowsRead(compiled)).toEqual([5, 9].map((row) => (matrix?.byteOffset ?? 0) + row * 32 * 4))
  expect(compiled).toMatchObject({ outputWidth: 2, vectorWidth: 2, tokenWidth: 0, unusedTensors: [] })
})

test('one row is enough where no other token says no', () => {
  const compiled = buildGraph(withAnswers(tied, { yes: 5, no: undefined, divisor: 1 }), 'cpu-f32')
  expect(rowsRead(compiled).length).toBe(1)
  expect(compiled.graph.nodes.map(({ op }) => op)).not.toContain('Sub')
})

test('an output matrix that is missing is not made up', async () => {
  const { 'lm_head.weight': _, ...tensors } = untied.tensors
  await expectRefusal(
    () => buildGraph({ ...untied, tensors }, 'cpu-f32'),
    'model_invalid',
    'tensor lm_head.weight is missing',
  )
  const shared = withConfig({ ...untied, tensors }, { tie_word_embeddings: true })
  expect(rowsRead(buildGraph(shared, 'cpu-f32')).length).toBe(2)
})

test('logits that are bent afterwards are refused', async () => {
  await expectRefusal(
    () => buildGraph(withConfig(tied, { final_logit_softcapping: 30 }), 'cpu-f32'),
    'model_unsupported',
    'final_logit_softcapping 30',
  )
})

test('an answer past the vocabulary is refused', async () => {
  const answers = { yes: VOCABULARY, no: 0, divisor: 1 }
  await expectRefusal(
    () => buildGraph(withAnswers(tied, answers), 'cpu-f32'),
    'model_invalid',
    `answer ${VOCABULARY} is no token`,
  )
  expect(() => buildGraph(withAnswers(tied, { ...answers, yes: VOCABULARY - 1 }), 'cpu-f32')).not.toThrow()
})
