import { z } from 'zod'
import { describeIssue } from '../../base/describe-issue.ts'
import { ServerError } from '../../errors.ts'
import type { JobPolicy, S3Config } from './job.ts'

/** What a client asks for with `/run` and `/runsync`. */
export interface JobRequest {
  /** Any JSON but null. */
  readonly input: unknown
  readonly policy: JobPolicy
  /** An http or https address. */
  readonly webhook: string | undefined
  readonly s3Config: S3Config | undefined
}

const SECOND = 1000
const WEEK = 7 * 86_400 * SECOND

export const EXECUTION_TIMEOUT = { min: 5 * SECOND, max: WEEK }
export const TTL = { min: 10 * SECOND, max: WEEK }

export const DEFAULT_POLICY: JobPolicy = {
  executionTimeout: 600 * SECOND,
  ttl: 86_400 * SECOND,
  lowPriority: false,
}

const Envelope = z.object({
  input: z.custom((input) => input !== undefined && input !== null, 'it must be any JSON but null'),
  policy: z
    .object({
      executionTimeout: milliseconds(EXECUTION_TIMEOUT),
      ttl: milliseconds(TTL),
      lowPriority: z.boolean().nullish(),
    })
    .nullish(),
  webhook: z
    .custom<string>((webhook) => typeof webhook === 'string' && isHttpUrl(webhook), {
      error: 'it must be an http or https address',
    })
    .nullish(),
  s3Config: z
    .object({
      accessId: z.string(),
      accessSecret: z.string(),
      bucketName: z.string(),
      endpointUrl: z.string(),
      objectPath: z.string().nullish(),
    })
    .nullish(),
})

/** Reads the envelope of a job; keys it does not know are ignored. Throws `invalid_request` that names each field. */
export function readJobRequest(body: unknown): JobRequest {
  const result = Envelope.safeParse(body)
  if (!result.success) throw new ServerError('invalid_request', problemsOf(result.error, body))
  const { input, policy, webhook, s3Config } = result.data
  return {
    input,
    policy: {
      executionTimeout: policy?.executionTimeout ?? DEFAULT_POLICY.executionTimeout,
      ttl: policy?.ttl ?? DEFAULT_POLICY.ttl,
      lowPriority: policy?.lowPriority ?? DEFAULT_POLICY.lowPriority,
    },
    webhook: webhook ?? undefined,
    s3Config: s3Config ? { ...s3Config, objectPath: s3Config.objectPath ?? undefined } : undefined,
  }
}

function milliseconds({ min, max }: { readonly min: number; readonly max: number }) {
  const isInRange = (value: unknown) => typeof value === 'number' && value >= min && value <= max
  return z.custom<number>(isInRange, `it must be ${min} to ${max} (milliseconds)`).nullish()
}

function isHttpUrl(text: string): boolean {
  const protocol = URL.parse(text)?.protocol
  return protocol === 'http:' || protocol === 'https:'
}

function problemsOf({ issues }: z.ZodError, body: unknown): string {
  const problems = issues.map((issue) => {
    const value = issue.path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
      body,
    )
    return `${issue.path.join('.') || 'the body'} is ${show(value)}; ${describeIssue(issue)}`
  })
  return problems.join('; ')
}

const SHOWN_CHARACTERS = 60

function show(value: unknown): string {
  if (value === undefined) return 'missing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = JSON.stringify(value)
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}
