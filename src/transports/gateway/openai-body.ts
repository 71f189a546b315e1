import type { Job } from './job.ts'

export interface OpenaiBody {
  readonly status: number
  readonly contentType: string
  readonly body: Buffer
}

const JSON_TYPE = 'application/json; charset=utf-8'

/**
 * What a request to `/openai/*` is answered with once its job has ended. As on the platform, 200 says only that the job
 * completed, and a failed one is a 500 whatever the reason.
 */
export function openaiBody(job: Job): OpenaiBody {
  const { status, output, error } = job
  if (status === 'COMPLETED' && output !== undefined) {
    return answer(output.isListOfOne ? onlyElement(viewOf(output.json)) : viewOf(output.json))
  }
  if (status === 'COMPLETED') return failure('the job completed without an output')
  if (status === 'CANCELLED') return failure('the job was cancelled')
  return failure(error ?? 'the job failed without saying why')
}

function answer(json: Buffer): OpenaiBody {
  if (!/^\s*"/.test(json.toString('latin1', 0, 64)))
    return { status: 200, contentType: JSON_TYPE, body: json }
  const text = String(JSON.parse(json.toString()))
  return { status: 200, contentType: typeOf(text), body: Buffer.from(text) }
}

/** Workers that stream give their events as one text, others JSON as a text. */
function typeOf(text: string): string {
  if (text.startsWith('data:')) return 'text/event-stream; charset=utf-8'
  return /^\s*[[{]/.test(text) ? JSON_TYPE : 'text/plain; charset=utf-8'
}

function failure(error: string): OpenaiBody {
  return { status: 500, contentType: JSON_TYPE, body: Buffer.from(JSON.stringify({ error })) }
}

/** Of a list of one: its brackets are the first and the last that there are. */
function onlyElement(json: Buffer): Buffer {
  return json.subarray(json.indexOf('[') + 1, json.lastIndexOf(']'))
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
