/** A language model's answer as a score: of its vocabulary's logits only one or two are computed. */
import { ServerError } from '../../errors.ts'
import type { Activation, Answers } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { ConfigReader } from '../config-reader.ts'
import type { Value } from '../ir.ts'
import { activate } from '../layers/activation.ts'
import type { EncoderPlan } from '../layers/encoder-plan.ts'
import type { Workshop } from '../layers/encoder.ts'
import type { Matrix } from '../matrix.ts'
import { rowsOf } from '../matrix.ts'
import type { HeadOutputs } from './head-outputs.ts'
import { pool } from './pooling.ts'

export interface AnswerOptions {
  readonly plan: EncoderPlan
  readonly config: ConfigReader
  readonly answers: Answers
  readonly activation: Activation
  /** Whether the folder holds an output matrix of its own: else words serve for it. */
  readonly hasOutputMatrix: boolean
}

const OUTPUT_MATRIX = 'lm_head'

/** Its tensor, in a folder that has one. */
export const OUTPUT_TENSOR = `${OUTPUT_MATRIX}.weight`

/**
 * Hidden states [T, H] to [B, 2]: the score, then the logit that it comes from. Throws `model_invalid` where the output
 * matrix is missing or an answer is no token of the vocabulary, `model_unsupported` for logits that are not a plain product.
 */
export function buildAnswers(shop: Workshop, states: Value, options: AnswerOptions): HeadOutputs {
  const { b, kernels } = shop
  const { answers, activation, config } = options
  config.expect('final_logit_softcapping', [])
  const matrix = findMatrix(shop, options)
  const x = b.cast(pool(shop, b.cast(states, 'f32'), 'lasttoken'), kernels.dtype)
  const logitOf = (token: number): Value => {
    const row = { weight: rowOf(matrix, token, options), bias: undefined }
    return b.cast(kernels.linear(b, x, row, 'identity'), 'f32')
  }
  const yes = logitOf(answers.yes)
  const difference = answers.no === undefined ? yes : b.node('Sub', [yes, logitOf(answers.no)])
  const logits = divide(b, difference, answers.divisor)
  const output = b.concat([activate(b, logits, activation), logits], 1)
  return { output, vectorWidth: 2, tokens: undefined }
}

function divide(b: GraphBuilder, x: Value, divisor: number): Value {
  return divisor === 1 ? x : b.node('Div', [x, b.constant(Float32Array.of(divisor), [])])
}

function findMatrix({ tensors }: Workshop, { plan, config, hasOutputMatrix }: AnswerOptions): Matrix {
  const { hiddenSize, vocabularySize, embeddings } = plan
  if (hasOutputMatrix) {
    const head = { name: OUTPUT_MATRIX, bias: false, root: true } as const
    return tensors.linear(head, vocabularySize, hiddenSize).weight
  }
  if (config.flag('tie_word_embeddings', true)) {
    return tensors.table(embeddings.words, vocabularySize, hiddenSize)
  }
  throw new ServerError(
    'model_invalid',
    `tensor ${OUTPUT_TENSOR} is missing, and config.json says that words do not serve for it`,
  )
}

function rowOf(matrix: Matrix, token: number, { plan: { vocabularySize } }: AnswerOptions): Matrix {
  if (token < vocabularySize) return rowsOf(matrix, token, 1)
  throw new ServerError(
    'model_invalid',
    `the answer ${token} is no token of the model, which knows ids below ${vocabularySize}`,
  )
}
