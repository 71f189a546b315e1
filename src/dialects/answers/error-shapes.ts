/** What each family of clients looks for in an error. */
import type { ErrorCode, ServerError } from '../../errors.ts'
import { ERRORS } from '../../errors.ts'
import type { ErrorShape } from '../dialect.ts'

/**
 * For clients of OpenAI (`error.message`, `.type`, `.code`: strings, or some show nothing), Cohere (`message`), and Jina,
 * Voyage and Infinity (`detail`).
 */
export const objectErrors: ErrorShape = {
  body: (error) => ({ ...openaiError(error), message: error.message, detail: error.message }),
  brief: openaiError,
}

function openaiError({ code, message, param }: ServerError): object {
  const { type, wire } = ERRORS[code]
  return { error: { message, type, param: param ?? null, code: wire } }
}

/** Text Embeddings Inference: a string, and a type. */
export const teiErrors: ErrorShape = {
  body: ({ code, message }) => ({ error: message, error_type: TEI_TYPES[code] ?? typeOfStatus(code) }),
  // Hugging Face's library sends a request anew as soon as it is answered with 503, without a pause and without end.
  status: ({ code }) => (ERRORS[code].http === 503 ? 429 : ERRORS[code].http),
}

const TEI_TYPES: Partial<Record<ErrorCode, string>> = {
  text_too_long: 'Tokenizer',
  overloaded: 'Overloaded',
  starting: 'Overloaded',
  stopping: 'Overloaded',
  revival_failed: 'Unhealthy',
  device_lost: 'Unhealthy',
}

function typeOfStatus(code: ErrorCode): string {
  return ERRORS[code].http < 500 ? 'Validation' : 'Backend'
}

export const deepinfraErrors: ErrorShape = {
  body: ({ message }: ServerError) => ({ detail: { error: message } }),
}
