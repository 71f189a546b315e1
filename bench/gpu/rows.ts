/** What measurements say: a line of JSON each, written as they come. */
import type { SetName } from './texts.ts'

export type Row = { readonly task: string } & Finding

export type Finding =
  | GoldenFinding
  | BeginFinding
  | SpeedFinding
  | QueryFinding
  | MemoryFinding
  | StartFinding
  | AgreementFinding
  | AboutFinding
  | ProblemFinding

/** A fixture against the numbers of the Python libraries. */
export interface GoldenFinding {
  readonly kind: 'golden'
  readonly family: string
  readonly fixture: string
  readonly dtypeRequested: string
  /** What it ran in. */
  readonly dtype: string
  readonly provider: string
  readonly cases: number
  /** Largest difference, of numbers whose largest is at most 1; larger ones are scaled by their largest. */
  readonly maxDiff: number
  /** Absent for scores. */
  readonly minCosine?: number | undefined
}

/** A fixture is under way: of the last one a crash is to blame. */
export interface BeginFinding {
  readonly kind: 'begin'
  readonly fixture: string
}

export interface SpeedFinding {
  readonly kind: 'speed'
  /** Undefined: this project. */
  readonly peer?: string | undefined
  readonly model: string
  readonly dtype: string
  readonly provider: string
  /** Undefined: as the program is. */
  readonly variant?: string | undefined
  readonly set: SetName
  readonly batchSize: number
  readonly texts: number
  /** Without padding. */
  readonly tokens: number
  /** Median over the rounds. */
  readonly seconds: number
  readonly fastest: number
  readonly slowest: number
  readonly rounds: number
  readonly textsPerSecond: number
  readonly tokensPerSecond: number
  /** While the device worked: without tokenizing and waiting. */
  readonly deviceTokensPerSecond?: number | undefined
  readonly batches?: number | undefined
  /** Of the matrix products, in 10¹² a second: wall clock, and while the device worked. */
  readonly tflops?: number | undefined
  readonly deviceTflops?: number | undefined
  /** Share of those that attention has. */
  readonly attentionShare?: number | undefined
}

/** One short text at a time. */
export interface QueryFinding {
  readonly kind: 'query'
  readonly peer?: string | undefined
  readonly model: string
  readonly dtype: string
  readonly variant?: string | undefined
  readonly count: number
  /** Milliseconds, from text to vector. */
  readonly p50: number
  readonly p99: number
  /** Milliseconds of a whole job, JSON included. */
  readonly jobP50?: number | undefined
}

/** MiB that the GPU's processes take, less what they took before. */
export interface MemoryFinding {
  readonly kind: 'memory'
  readonly peer?: string | undefined
  readonly model: string
  readonly dtype: string
  readonly variant?: string | undefined
  readonly loadMs: number
  /** Undefined where no GPU tells. */
  readonly loadedMib?: number | undefined
  readonly peakMib?: number | undefined
}

/** From the start of the program to its first vector. */
export interface StartFinding {
  readonly kind: 'start'
  readonly model: string
  readonly dtypeRequested: string
  readonly firstMs: number
  readonly laterMs: readonly number[]
}

/** A peer's vectors of the same texts from the same folder. */
export interface AgreementFinding {
  readonly kind: 'agreement'
  readonly peer: string
  readonly model: string
  readonly dtype: string
  readonly texts: number
  readonly minCosine: number
}

/** What a peer says of itself. */
export interface AboutFinding {
  readonly kind: 'about'
  readonly [fact: string]: unknown
}

export interface ProblemFinding {
  readonly kind: 'problem'
  /** `skipped` is no failure. */
  readonly outcome: 'failed' | 'crashed' | 'timed out' | 'skipped'
  readonly reason: string
  /** The golden fixture that it befell. */
  readonly fixture?: string | undefined
}
