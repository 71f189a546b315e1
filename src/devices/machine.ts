/** What is asked of the machine, in one place, so that a test can stand for another one. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Machine {
  /** As Node names system and processor: `linux/x64`. */
  readonly platform: string
  /** Stands before every absolute path; empty on the real machine. */
  readonly root: string
  readonly env: Environment
  /** As the process began with it: all that the dynamic loader has read. */
  readonly startEnv: () => Environment
  /** Folder of ONNX Runtime's library, the only one in which it looks for its providers. */
  readonly onnxFolder: () => string
  /** Version of onnxruntime-node. */
  readonly onnxVersion: () => string
  readonly run: (command: string, args: readonly string[]) => Promise<CommandResult>
}

export interface CommandResult {
  /** Undefined where the command could not be started, or was ended. */
  readonly exitCode: number | undefined
  /** Why there is no exit code. */
  readonly failure?: 'missing' | 'timeout' | 'killed'
  readonly stdout: string
  readonly stderr: string
}

// nvidia-smi wakes every GPU first where no daemon keeps them awake, which takes seconds each
const COMMAND_TIMEOUT_MS = 60_000

export const THIS_MACHINE: Machine = {
  platform: `${process.platform}/${process.arch}`,
  root: '',
  env: process.env,
  startEnv: readStartEnvironment,
  onnxFolder: () => join(onnxPackage(), 'bin/napi-v6', process.platform, process.arch),
  onnxVersion: () => {
    const { version } = JSON.parse(readFileSync(join(onnxPackage(), 'package.json'), 'utf8')) as {
      version: string
    }
    return version
  },
  run: runCommand,
}

function onnxPackage(): string {
  return dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
}

function readStartEnvironment(): Environment {
  try {
    return parseEnvironment(readFileSync('/proc/self/environ', 'utf8'))
  } catch {
    return process.env
  }
}

/** Entries `NAME=value`, each ended by a zero byte. */
export function parseEnvironment(text: string): Environment {
  const entries = text.split('\0').filter((entry) => entry.includes('='))
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  )
}

async function runCommand(command: string, args: readonly string[]): Promise<CommandResult> {
  const { execFile } = await import('node:child_process')
  return new Promise((resolve) => {
    const options = { timeout: COMMAND_TIMEOUT_MS, killSignal: 'SIGKILL', encoding: 'utf8' } as const
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve({ exitCode: 0, stdout, stderr })
      const { code } = error
      if (typeof code === 'number') return resolve({ exitCode: code, stdout, stderr })
      const failure = code === 'ENOENT' ? 'missing' : error.killed === true ? 'timeout' : 'killed'
      return resolve({ exitCode: undefined, failure, stdout, stderr })
    })
  })
}
