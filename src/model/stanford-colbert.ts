/** Stanford's ColBERT: a body, one matrix beside it, and settings in a file of its own. */
import { join } from 'node:path'
import { z } from 'zod'
import { ServerError } from '../errors.ts'
import { readConfig } from './config-json.ts'
import { readJson } from './json-file.ts'
import type { ReadingSettings } from './reading-settings.ts'
import { USUAL_QUERY_TOKENS } from './reading-settings.ts'
import type { EmbeddingStep, TensorRef } from './spec.ts'
import { isCode } from './spec.ts'
import { quoteValue } from './show-value.ts'
import { readTokenIds } from './token-ids.ts'
import { readTokenizerSpec } from './tokenizer-files.ts'
import type { MaskSettings } from './token-rules.ts'
import { PUNCTUATION } from './token-rules.ts'

export const METADATA_FILE = 'artifact.metadata'

const PROJECTION = 'linear.weight'

const Metadata = z.looseObject({
  query_maxlen: z.int().positive().nullish(),
  doc_maxlen: z.int().positive().nullish(),
  query_token_id: z.string().nullish(),
  doc_token_id: z.string().nullish(),
  attend_to_mask_tokens: z.boolean().nullish(),
  mask_punctuation: z.boolean().nullish(),
  similarity: z.string().nullish(),
})

export interface StanfordColbert {
  readonly steps: readonly EmbeddingStep[]
  readonly settings: ReadingSettings
  readonly mask: MaskSettings
  /** What stands before a text: these tokens were put between ids when the model was trained. */
  readonly prefixes: { readonly query: string; readonly document: string }
  /** Those of the body. */
  readonly tensors: Readonly<Record<string, TensorRef>>
}

/** Throws `model_invalid` where the matrix is missing, a setting is broken or a marker is no token, `model_unsupported` for another similarity than cosine. */
export async function readStanfordColbert(
  folder: string,
  tensors: Readonly<Record<string, TensorRef>>,
  model: string,
): Promise<StanfordColbert> {
  const metadata = (await readJson(join(folder, METADATA_FILE), Metadata)) ?? {}
  const { similarity } = metadata
  if (similarity && similarity !== 'cosine') {
    throw new ServerError(
      'model_unsupported',
      `${model}: ${METADATA_FILE} has similarity ${similarity}; supported is cosine`,
    )
  }
  const { [PROJECTION]: weight, ...body } = tensors
  if (weight === undefined || weight.shape.length !== 2 || isCode(weight.dtype)) {
    throw new ServerError('model_invalid', `${model}: there is no matrix ${PROJECTION} of F32, F16 or BF16`)
  }
  const markers = {
    query: metadata.query_token_id || '[unused0]',
    document: metadata.doc_token_id || '[unused1]',
  }
  await expectTokens(folder, markers, model)
  const length = metadata.query_maxlen ?? USUAL_QUERY_TOKENS
  const attend = metadata.attend_to_mask_tokens ?? false
  return {
    steps: [
      { kind: 'dense', weight, bias: undefined, activation: 'identity', perToken: true },
      { kind: 'normalize', perToken: true },
    ],
    settings: {
      documentLength: metadata.doc_maxlen ?? undefined,
      expansion: { strategy: 'fixed', attend, length },
    },
    // The file's null is no, and its silence yes.
    mask: {
      words: metadata.mask_punctuation === undefined || metadata.mask_punctuation ? PUNCTUATION : [],
      tasks: ['document'],
    },
    prefixes: {
      query: `${markers.query} `,
      document: `${markers.document} `,
    },
    tensors: body,
  }
}

/** A marker that is no token would be broken into pieces, which the model never saw before a text. */
async function expectTokens(
  folder: string,
  markers: { readonly query: string; readonly document: string },
  model: string,
): Promise<void> {
  const config = await readConfig(folder, model)
  const find = await readTokenIds(await readTokenizerSpec(folder, { model, config, useModuleConfig: false }))
  const fields = [
    ['query_token_id', markers.query],
    ['doc_token_id', markers.document],
  ] as const
  for (const [field, marker] of fields) {
    if (find(marker) !== undefined) continue
    throw new ServerError(
      'model_invalid',
      `${model}: ${field} of ${METADATA_FILE} is ${quoteValue(marker)}, which is no token of the vocabulary`,
    )
  }
}
