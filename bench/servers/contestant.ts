/** What is measured: a server, spoken to over HTTP, or a library that computes in a process of its own. */
import type { Api, Lane, LaneReply } from '../client/protocol.ts'

export interface Contestant {
  /** In tables and result files. */
  readonly id: string
  readonly title: string
  /** Its own, and of what it computes with. */
  readonly versions: Readonly<Record<string, string>>
  /** Everything about it that was chosen: its command line or environment. */
  readonly settings: string
  readonly isServer: boolean
  /** Undefined where it is not a process of this machine. */
  readonly pid: number | undefined
  /** Undefined where the scene is none for it. `seed` is of the texts. */
  readonly run: (lanes: readonly Lane[], seed: number) => Promise<Measured | undefined>
  /** The vectors of so many texts of a known seed, to see whether it computes the same. */
  readonly embed: (texts: readonly string[]) => Promise<number[][]>
  readonly pause: () => void
  readonly resume: () => void
  readonly stop: () => Promise<void>
}

export interface Measured {
  readonly lanes: readonly LaneReply[]
  /** Of the load generator's processor time, per second of the scene; undefined where there is none. */
  readonly clientCpuShare: number | undefined
}

/** How a server of this machine is started. */
export interface ServerRecipe {
  readonly id: string
  readonly title: string
  readonly api: Api
  readonly versions: Readonly<Record<string, string>>
  /** Command for a port of 127.0.0.1 and the folders of the models it serves. */
  readonly command: (port: number, models: ServedModels) => Command
  /** Names under which it serves them. */
  readonly names: { readonly embed: string; readonly rerank: string }
  /** How long it may take to start. */
  readonly patienceMs: number
}

export interface ServedModels {
  readonly embedder: string
  readonly reranker: string | undefined
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}
