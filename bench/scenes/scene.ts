import type { Lane } from '../client/protocol.ts'

/** What a server is asked at the same time, and the numbers of it that tell something. */
export interface Scene {
  readonly id: string
  readonly title: string
  readonly lanes: readonly Lane[]
  /** Sent before, not counted: shorter, of the same kind. */
  readonly warmUp: readonly Lane[]
  readonly shown: readonly Shown[]
}

export const METRICS = ['tokensPerSecond', 'requestsPerSecond', 'p50Ms', 'p99Ms'] as const
export type Metric = (typeof METRICS)[number]

export interface Shown {
  readonly lane: string
  readonly metrics: readonly Metric[]
  /** Row of the table, where it is not the scene's title. */
  readonly title?: string
  /** A scene with the same lane and nothing beside it: what share of its first metric is left here is told. */
  readonly alone?: string
}
