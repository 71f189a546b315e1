/** How much is measured: a look in two minutes, all of it in ten, or hardly anything, to try the bench itself. */
import { availableParallelism } from 'node:os'

export interface Profile {
  readonly name: 'trial' | 'quick' | 'full'
  /** How often everything is measured, in turns. */
  readonly rounds: number
  /** About how long a scene under load takes a server; its work is fixed, so that each server does the same. */
  readonly sceneSeconds: number
  /** Of bulk texts, however little time there is: at least as many as are sent at once, or the queue runs empty. */
  readonly leastRequests: number
  readonly queries: number
  /** Connections of short queries beside those that every run has: points of the curve. */
  readonly curve: readonly number[]
  readonly starts: number
  readonly parts: PartSizes
}

/** Of the benches that run in this process or against stubs. */
export interface PartSizes {
  readonly rounds: number
  readonly throughputTexts: number
  readonly bulkTexts: number
  readonly heartbeatTexts: number
  readonly queueJobs: number
}

/** Its figures mean nothing. */
export const TRIAL: Profile = {
  name: 'trial',
  rounds: 1,
  sceneSeconds: 0.01,
  leastRequests: 1,
  queries: 5,
  curve: [4],
  starts: 1,
  parts: { rounds: 1, throughputTexts: 8, bulkTexts: 40, heartbeatTexts: 80, queueJobs: 200 },
}

export const QUICK: Profile = {
  name: 'quick',
  rounds: 2,
  sceneSeconds: 1.5,
  leastRequests: 8,
  queries: 150,
  curve: [],
  starts: 3,
  parts: { rounds: 3, throughputTexts: 60, bulkTexts: 500, heartbeatTexts: 400, queueJobs: 5000 },
}

export const FULL: Profile = {
  name: 'full',
  rounds: 3,
  sceneSeconds: 3,
  leastRequests: 8,
  queries: 300,
  curve: [4, 16, 100],
  starts: 5,
  parts: { rounds: 3, throughputTexts: 120, bulkTexts: 1500, heartbeatTexts: 800, queueJobs: 12_000 },
}

/** What a core is taken to do in a second: only sizes follow from it, no figure. */
const CORE_TOKENS = 5000
const CORE_QUERIES = 250

export function tokensFor(seconds: number): number {
  return seconds * CORE_TOKENS * availableParallelism()
}

export function queriesFor(seconds: number): number {
  return Math.round(seconds * CORE_QUERIES * availableParallelism())
}
