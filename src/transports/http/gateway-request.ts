/** What the gateway reads of a request besides its body. */
import type { FastifyRequest } from 'fastify'

export interface Range {
  readonly min: number
  readonly max: number
}

/** A part of the path, or of what a `*` in it stands for; empty where there is none. */
export function pathPart({ params }: FastifyRequest, name: string): string {
  return (params as Readonly<Record<string, string>>)[name] ?? ''
}

/** A number of the query, moved into its range as the platform does; undefined where it is none. */
export function queryNumber(
  { query }: FastifyRequest,
  name: string,
  { min, max }: Range,
): number | undefined {
  const text = (query as Readonly<Record<string, unknown>>)[name]
  const number = typeof text === 'string' && text.trim() !== '' ? Number(text) : NaN
  return Number.isNaN(number) ? undefined : Math.min(max, Math.max(min, number))
}
