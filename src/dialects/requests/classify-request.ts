import { z } from 'zod'
import type { ClassifyTask } from '../../task.ts'
import {
  COUNT,
  MODEL_FIELDS,
  PRIORITY_FIELD,
  PROMPT_FIELDS,
  SWITCH,
  TRUNCATION_FIELDS,
  readModel,
  readPrompt,
  readTruncation,
} from './fields.ts'
import { fieldsOf, firstField, readBody } from './read-body.ts'
import { readStrings } from './read-texts.ts'

export const CLASSIFY_FIELDS = {
  ...MODEL_FIELDS,
  top_k: COUNT,
  raw_scores: SWITCH,
  ...PRIORITY_FIELD,
  ...PROMPT_FIELDS,
  ...TRUNCATION_FIELDS,
}

const ClassifyBody = z.looseObject(CLASSIFY_FIELDS)

export interface ClassifySettings {
  readonly name: string | undefined
  readonly topK: number
  readonly rawScores: boolean
  /** All of a task but its texts. */
  readonly task: Omit<ClassifyTask, 'texts'>
}

export interface ClassifySource {
  readonly body: unknown
  /** Fields that may hold the texts, the likeliest first. */
  readonly fields: readonly [string, ...string[]]
  readonly pathModel?: string | undefined
}

/** Throws `invalid_request`. */
export function readClassifyRequest({ body, fields: names, pathModel }: ClassifySource) {
  const settings = readClassifySettings({ body, pathModel })
  const fields = fieldsOf(body)
  const field = firstField(fields, names)
  const task: ClassifyTask = { ...settings.task, texts: readStrings(fields[field], field) }
  return { ...settings, task }
}

/** All but the texts. Throws `invalid_request`. */
export function readClassifySettings({ body, pathModel }: Omit<ClassifySource, 'fields'>): ClassifySettings {
  const fields = readBody(ClassifyBody, body)
  const name = readModel(fields, pathModel)
  return {
    name,
    topK: fields.top_k || Infinity,
    rawScores: fields.raw_scores ?? false,
    task: { kind: 'classify', model: name, prompt: readPrompt(fields), ...readTruncation(fields) },
  }
}
