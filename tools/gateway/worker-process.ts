/** Worker processes of our own: what a platform does with containers, and what it does to them. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface WorkerProcessesOptions {
  /** For `sh`. */
  readonly command: string
  readonly count: number
  /** The whole environment of a worker of that id. */
  readonly env: (workerId: string) => NodeJS.ProcessEnv
  /** `exitCode`: null where a signal ended it. The id is not used again. */
  readonly onDeath: (workerId: string, exitCode: number | null) => void
  readonly onFreeze: (workerId: string) => void
  readonly onThaw: (workerId: string) => void
  /** What a worker says, line by line. */
  readonly onLine?: ((workerId: string, line: string) => void) | undefined
}

interface Lifetime {
  readonly workerId: string
  readonly child: ChildProcess
  readonly exited: Promise<unknown>
  isEnding: boolean
  isFrozen: boolean
}

interface Slot {
  lifetimes: number
  current: Lifetime | undefined
  restart: NodeJS.Timeout | undefined
}

/** Not at once: a command that fails would be started without end. */
const RESTART_MS = 250
/** From being asked to end until it is made to. */
const GRACE_MS = 10_000

export class WorkerProcesses {
  readonly #options: WorkerProcessesOptions
  readonly #slots: readonly Slot[]
  #turn = 0
  #closed = false

  constructor(options: WorkerProcessesOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.count }, () => ({
      lifetimes: 0,
      current: undefined,
      restart: undefined,
    }))
  }

  get workerIds(): readonly string[] {
    return this.#slots.flatMap(({ current }) => current?.workerId ?? [])
  }

  start(): void {
    for (const slot of this.#slots) this.#spawn(slot)
  }

  /** SIGKILL, for the next in turn that is not frozen; says which. Another takes its place. */
  kill(): string | undefined {
    const lifetime = this.#next()
    if (lifetime !== undefined) signal(lifetime, 'SIGKILL')
    return lifetime?.workerId
  }

  /** Stops the next in turn for a while, as FlashBoot does; says which. */
  freeze(forMs: number): string | undefined {
    const { onFreeze, onThaw } = this.#options
    const lifetime = this.#next()
    if (lifetime === undefined) return undefined
    onFreeze(lifetime.workerId)
    lifetime.isFrozen = true
    signal(lifetime, 'SIGSTOP')
    setTimeout(() => {
      signal(lifetime, 'SIGCONT')
      lifetime.isFrozen = false
      onThaw(lifetime.workerId)
    }, forMs)
    return lifetime.workerId
  }

  /** It asked to be replaced: it ends in its own time, within limits, and another takes its place. */
  recycle(workerId: string): void {
    const lifetime = this.#slots.find(({ current }) => current?.workerId === workerId)?.current
    if (lifetime !== undefined) void end(lifetime)
  }

  /** Ends them all. */
  async close(): Promise<void> {
    this.#closed = true
    const running = this.#slots.flatMap(({ current, restart }) => {
      clearTimeout(restart)
      return current ?? []
    })
    await Promise.all(running.map(end))
  }

  #spawn(slot: Slot): void {
    const { command, env, onDeath } = this.#options
    const workerId = `worker-${this.#slots.indexOf(slot) + 1}-${++slot.lifetimes}`
    // A group of its own: a signal reaches what the shell started as well, and Ctrl-C in a terminal does not.
    const child = spawn('sh', ['-c', command], {
      env: env(workerId),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#listen(child, workerId)
    const exited = once(child, 'close')
    slot.current = { workerId, child, exited, isEnding: false, isFrozen: false }
    void exited.then(() => {
      slot.current = undefined
      onDeath(workerId, child.exitCode)
      if (!this.#closed) slot.restart = setTimeout(() => this.#spawn(slot), RESTART_MS)
    })
  }

  /** Output is read whether anybody wants it or not: a full pipe would stop the worker. */
  #listen({ stdout, stderr }: ChildProcess, workerId: string): void {
    for (const input of [stdout, stderr]) {
      if (input === null) continue
      createInterface({ input }).on('line', (line) => this.#options.onLine?.(workerId, line))
    }
  }

  #next(): Lifetime | undefined {
    const running = this.#slots.flatMap(({ current }) => (current?.isFrozen === false ? current : []))
    return running[this.#turn++ % Math.max(1, running.length)]
  }
}

async function end(lifetime: Lifetime): Promise<void> {
  // Told a second time, some programs drop everything.
  if (lifetime.isEnding) return void (await lifetime.exited)
  lifetime.isEnding = true
  // One that is frozen would not hear it.
  signal(lifetime, 'SIGCONT')
  signal(lifetime, 'SIGTERM')
  const timer = setTimeout(() => signal(lifetime, 'SIGKILL'), GRACE_MS)
  await lifetime.exited
  clearTimeout(timer)
}

function signal({ child }: Lifetime, name: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, name)
  } catch {
    // It ended just now.
  }
}
