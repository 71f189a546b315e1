/** `npm run inspect`: what a model would become here, and what stands in its way. docs/models.md */
import { stat } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { openLog } from '../src/base/log.ts'
import type { ModelRequest } from '../src/config.ts'
import { loadConfig } from '../src/config.ts'
import { messageOf } from '../src/errors.ts'
import type { TargetName } from '../src/graph/target.ts'
import { TARGETS } from '../src/graph/target.ts'
import { isPath, locateModel } from '../src/locate-model.ts'
import { openFolder } from '../src/model/open-folder.ts'
import { openProgressBar } from '../src/model/progress-bar.ts'
import type { ModelSpec } from '../src/model/spec.ts'
import { describeModel } from './inspect/describe-model.ts'
import type { SideName } from './inspect/model-report.ts'
import { inspectModel } from './inspect/model-report.ts'
import { MADE_LATER, writeGraph } from './inspect/write-graph.ts'

const FLAGS = {
  graph: { type: 'string' },
  target: { type: 'string' },
  side: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

const HELP = `npm run inspect -- MODEL [flags]: what a folder, or a model of the hub, would become here

  --target NAME  look at one target: ${Object.keys(TARGETS).join(', ')}
  --graph FILE   write the graph of that target, or of the first, as ONNX for Netron; weights stay where they are
  --side NAME    with --graph: text, image or audio, of a model that has several; the first of these by default
  --json         print the same as JSON
  --help         print this text

A name of the hub (owner/name, owner/name@revision) is fetched as a start would fetch it; HF_TOKEN, HF_HOME and
HF_HUB_OFFLINE count, and so does DTYPES where a folder has ONNX files alone. The exit code is 1 where the model
cannot be served.`

export interface InspectOptions {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly print: (line: string) => void
}

/** Resolves to whether the model can be served. Throws what is wrong with the flags, or why the folder cannot be read. */
export async function inspect({ args, env, print }: InspectOptions): Promise<boolean> {
  const { values: flags, positionals } = parseArgs({
    args: [...args],
    options: FLAGS,
    allowPositionals: true,
  })
  if (flags.help === true) {
    print(HELP)
    return true
  }
  const [source] = positionals
  if (source === undefined || positionals.length > 1) throw new Error(HELP)
  const target = readTarget(flags.target)
  const side = readSide(flags.side)
  const { report, graphs } = await inspectModel(await openModel(source, env), target && [target])
  print(flags.json === true ? JSON.stringify(report, undefined, 2) : describeModel(report))
  const [first] = graphs
  if (flags.graph !== undefined && first !== undefined) {
    const [name, sides] = first
    const [found] = side === undefined ? sides.values() : [sides.get(side)]
    if (found === undefined) throw new Error(`--side: ${report.name} has ${[...sides.keys()].join(', ')}`)
    const { graph } = found
    const made = await writeGraph(flags.graph, graph)
    const note = made === 0 ? '' : `; ${made} weights are made later, and named ${MADE_LATER}`
    const before = report.exported && ` It begins where ${report.exported.file} ends.`
    // What is read by a program has no other lines.
    if (flags.json !== true) print(`\nThe graph of ${name} is in ${flags.graph}${note}.${before ?? ''}`)
  }
  return report.problems.length === 0
}

function readTarget(name: string | undefined): TargetName | undefined {
  if (name === undefined || Object.hasOwn(TARGETS, name)) return name as TargetName | undefined
  throw new Error(`--target: "${name}" is none of ${Object.keys(TARGETS).join(', ')}`)
}

function readSide(name: string | undefined): SideName | undefined {
  const sides: readonly SideName[] = ['text', 'image', 'audio']
  const side = sides.find((candidate) => candidate === name)
  if (name === undefined || side !== undefined) return side
  throw new Error(`--side: "${name}" is none of ${sides.join(', ')}`)
}

async function openModel(source: string, env: InspectOptions['env']): Promise<ModelSpec> {
  const isFolder = await stat(source).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
  if (isFolder || isPath(source)) return openFolder(source, undefined, dtypeOf(env))
  const config = loadConfig({ ...env, MODEL_NAMES: source }, [])
  const [request, ...others] = config.models
  if (request === undefined || others.length > 0) throw new Error(`"${source}" is not one model`)
  const bar = openProgressBar(process.stderr)
  const folder = await locateModel(request, { config, log: openLog('warn'), bar })
  bar.clear()
  return openFolder(folder, request.source, request.dtype)
}

/** Which of several exported models is meant. */
function dtypeOf(env: InspectOptions['env']): ModelRequest['dtype'] | undefined {
  return loadConfig({ ...env, MODEL_NAMES: 'any' }, []).models[0]?.dtype
}

if (import.meta.main) {
  try {
    const options = { args: process.argv.slice(2), env: process.env, print: console.log }
    process.exitCode = (await inspect(options)) ? 0 : 1
  } catch (error) {
    console.error(messageOf(error))
    process.exitCode = 1
  }
}
