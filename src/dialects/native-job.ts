/** A job without `openai_route`, as the Python worker takes it: its keys decide what it wants. */
import { z } from 'zod'
import { shortenFloat32 } from '../base/float-text.ts'
import { isGiven, isRecord } from '../base/json-value.ts'
import { ServerError } from '../errors.ts'
import { rerankAnswer } from './answers/rerank-answer.ts'
import { DOCUMENT_FIELDS } from './cohere.ts'
import type { Endpoint } from './dialect.ts'
import { classify } from './infinity.ts'
import { multiVector } from './jina.ts'
import { embeddings } from './openai.ts'
import { TEXT_FIELDS } from './openai.ts'
import { readBody } from './requests/read-body.ts'
import type { MediaModality } from './requests/read-media.ts'
import { readRerankRequest } from './requests/rerank-request.ts'

const NativeBody = z.looseObject({ task: z.string().max(256).nullish() })

export const nativeJob: Endpoint = {
  routes: [],
  method: 'POST',
  jobOutput: 'bare',
  // a job's error is a string, and the message says all
  errors: { body: () => undefined },
  answer(asked, service, options) {
    const { task: named, ...fields } = readBody(NativeBody, asked.body, 'input')
    // Any other task is Jina's: what the texts are for.
    const task = isTask(named) ? named : undefined
    const body = task === undefined ? asked.body : fields
    return ANSWERS[task ?? guessTask(fields)]({ ...asked, body }, service, options)
  },
}

/** Scores in the order of the documents, or the documents themselves, best first, as the Python worker answers. */
const rerank: Endpoint['answer'] = async ({ body }, service, options) => {
  const request = readRerankRequest({ body, fields: ['docs', ...DOCUMENT_FIELDS] })
  const result = await service.rerank(request.task, options)
  const answer = rerankAnswer(result, request, 'text')
  const { withDocuments, documents, rawScores } = request
  return {
    ...answer,
    ...(withDocuments
      ? { docs: answer.results.map(({ index }) => documents.texts[index]) }
      : { scores: Array.from(rawScores ? result.logits : result.scores, shortenFloat32) }),
  }
}

/** As the capabilities of a model are called, or the other way round: what strings are, as `modality` says it. */
function ofModality(modality: MediaModality): Endpoint['answer'] {
  return ({ body, ...asked }, service, options) =>
    embeddings.answer({ ...asked, body: isRecord(body) ? { ...body, modality } : body }, service, options)
}

const ANSWERS = {
  embed: embeddings.answer,
  image_embed: ofModality('image'),
  embed_image: ofModality('image'),
  audio_embed: ofModality('audio'),
  embed_audio: ofModality('audio'),
  rerank,
  classify: classify.answer,
  multi_vector: multiVector.answer,
}

type JobTask = keyof typeof ANSWERS

function isTask(name: string | null | undefined): name is JobTask {
  return typeof name === 'string' && Object.hasOwn(ANSWERS, name)
}

function guessTask(fields: Readonly<Record<string, unknown>>): JobTask {
  const has = (...names: readonly string[]) => names.some((name) => isGiven(fields[name]))
  if (has('query', 'queries')) return 'rerank'
  if (has(...TEXT_FIELDS)) return 'embed'
  if (has('docs', 'documents')) return 'rerank'
  throw new ServerError(
    'invalid_request',
    'the job has neither "input" (to embed), nor "query" and "docs" (to rerank), nor "openai_route"',
  )
}
