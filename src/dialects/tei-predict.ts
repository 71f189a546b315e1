/** Text Embeddings Inference's classification of texts and of pairs. */
import { z } from 'zod'
import { show } from '../base/json-value.ts'
import { ServerError } from '../errors.ts'
import type { CallOptions, Service } from '../task.ts'
import { teiErrors } from './answers/error-shapes.ts'
import { LabelScores, labelScores } from './answers/label-scores.ts'
import type { Endpoint, EndpointRequest } from './dialect.ts'
import type { ClassifySettings } from './requests/classify-request.ts'
import { CLASSIFY_FIELDS, readClassifySettings } from './requests/classify-request.ts'
import { fieldsOf, notA } from './requests/read-body.ts'
import { expectItems } from './requests/read-texts.ts'
import { parametersOf } from './tei.ts'

type Sequence = readonly [string] | readonly [string, string]

const Inputs = z.union([
  z.string(),
  z.array(z.string()),
  z.array(z.union([z.tuple([z.string()]), z.tuple([z.string(), z.string()])])),
])

export const predict: Endpoint = {
  routes: ['/predict'],
  method: 'POST',
  jobOutput: 'list',
  errors: teiErrors,
  docs: {
    summary:
      'Scores the labels of a classifier: of a text, of one pair (a list of two), or of a list of either',
    request: z.looseObject({ inputs: Inputs, ...CLASSIFY_FIELDS }),
    response: z.union([LabelScores, z.array(LabelScores)]),
    example: { inputs: [['A fine film.'], ['A bad film.']] },
  },
  async answer(request, service, options) {
    const { sequences, isBatch } = readSequences(request)
    const answers = await classifySequences({ sequences, settings: readSettings(request) }, service, options)
    // Hugging Face's clients send their settings apart, and take a batch only.
    const isNested = isBatch || 'parameters' in fieldsOf(request.body)
    return isNested ? answers : (answers[0] ?? [])
  },
}

/** As `predict`, and always a list of what it answers for each: Hugging Face's own servers know no other. */
export const classifyAll: Endpoint['answer'] = (request, service, options) =>
  classifySequences(
    { sequences: readSequences(request).sequences, settings: readSettings(request) },
    service,
    options,
  )

interface Classification {
  readonly sequences: readonly Sequence[]
  readonly settings: ClassifySettings
}

/** Texts and pairs are asked for apart: their rows are made differently. */
async function classifySequences(
  { sequences, settings }: Classification,
  service: Service,
  options: CallOptions,
): Promise<LabelScores[]> {
  const answers: LabelScores[] = []
  for (const length of [1, 2]) {
    const places = [...sequences.keys()].filter((index) => sequences[index]?.length === length)
    if (places.length === 0) continue
    const chosen = places.map((index) => sequences[index] as Sequence)
    const pairs = length === 2 ? chosen.map(([, second]) => second as string) : undefined
    const task = { ...settings.task, texts: chosen.map(([first]) => first), pairs }
    const found = await labelScores(await service.classify(task, options), settings)
    for (const [row, place] of places.entries()) answers[place] = found[row] as LabelScores
  }
  return answers
}

function readSettings({ body, pathModel }: EndpointRequest): ClassifySettings {
  const parameters = parametersOf(body)
  const fields: Readonly<Record<string, unknown>> = { ...fieldsOf(body), ...parameters }
  const rawScores = parameters['function_to_apply'] === 'none' ? true : fields['raw_scores']
  return readClassifySettings({ body: { ...fields, raw_scores: rawScores }, pathModel })
}

/** Throws `invalid_request`. */
function readSequences({ body }: EndpointRequest): { sequences: readonly Sequence[]; isBatch: boolean } {
  const inputs = fieldsOf(body)['inputs']
  if (typeof inputs === 'string') return { sequences: [[inputs]], isBatch: false }
  if (!Array.isArray(inputs)) {
    throw notA(
      'a string, a pair of strings, or a list of such pairs and of lists of one string',
      inputs,
      'inputs',
    )
  }
  expectItems(inputs, 'inputs')
  const areTexts = inputs.every((item) => typeof item === 'string')
  if (areTexts && inputs.length <= 2) return { sequences: [readSequence(inputs, 'inputs')], isBatch: false }
  const sequences = inputs.map((item: unknown, index) =>
    typeof item === 'string' ? ([item] as const) : readSequence(item, `inputs[${index}]`),
  )
  return { sequences, isBatch: true }
}

function readSequence(item: unknown, field: string): Sequence {
  if (Array.isArray(item)) {
    const [first, second] = item as readonly unknown[]
    if (item.length === 1 && typeof first === 'string') return [first]
    if (item.length === 2 && typeof first === 'string' && typeof second === 'string') return [first, second]
  }
  throw new ServerError(
    'invalid_request',
    `${field} is ${show(item)}; every item must be a string, or a list of one or two strings`,
  )
}
