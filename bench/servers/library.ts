/** Libraries as contestants: a process that reads lists of texts from its input, embeds them and tells how long it took. */
import { createInterface } from 'node:readline'
import { makeTexts } from '../client/bodies.ts'
import type { Lane, LaneReply } from '../client/protocol.ts'
import { seededRandom } from '../harness.ts'
import type { Command, Contestant } from './contestant.ts'
import { startGroup } from './process-group.ts'

/** A line of JSON to the process. */
export interface LibraryAsk {
  readonly texts: readonly string[]
  /** One call a text, or one for all. */
  readonly oneByOne: boolean
  readonly wantsVectors: boolean
}

/** Its answer, a line too. The first line it writes, once it is ready, is its versions. */
export interface LibraryReply {
  /** Of each call. */
  readonly seconds: readonly number[]
  readonly vectors?: number[][]
}

interface Library {
  readonly id: string
  readonly title: (versions: Readonly<Record<string, string>>) => string
  readonly command: Command
}

export async function openLibrary({ id, title, command }: Library): Promise<Contestant> {
  const group = startGroup(command, { interactive: true })
  const { stdin, stdout } = group.child
  if (stdin === null || stdout === null) throw new Error(`${command.program} has no input or output`)
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  const read = async <T>(): Promise<T> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`it ended: ${group.output()}`)
    return JSON.parse(value) as T
  }
  const ask = (request: LibraryAsk): Promise<LibraryReply> => {
    stdin.write(`${JSON.stringify(request)}\n`)
    return read<LibraryReply>()
  }
  const versions = await read<Record<string, string>>()
  const { pause, resume, stop } = group
  return {
    id,
    title: title(versions),
    versions,
    settings: [command.program, ...command.args].join(' '),
    isServer: false,
    pid: group.child.pid,
    async run(lanes, seed) {
      const [lane, ...others] = lanes
      if (lane === undefined || others.length > 0 || !isForLibraries(lane)) return undefined
      return { lanes: [await runLane(lane, seed, ask)], clientCpuShare: undefined }
    },
    async embed(texts) {
      return (await ask({ texts, oneByOne: false, wantsVectors: true })).vectors ?? []
    },
    pause,
    resume,
    stop,
  }
}

/** Texts that are there at once, or one after the other: a library has no queue. */
function isForLibraries({ task, textsPerRequest, connections, until }: Lane): boolean {
  return task === 'embed' && 'requests' in until && (textsPerRequest > 1 || connections === 1)
}

/** All texts of the lane in one call, or where a request has one text each in its own. */
async function runLane(
  { name, texts: kind, textsPerRequest, until }: Lane,
  seed: number,
  ask: (request: LibraryAsk) => Promise<LibraryReply>,
): Promise<LaneReply> {
  const requests = 'requests' in until ? until.requests : 0
  const texts = makeTexts(kind, requests * textsPerRequest, seededRandom(seed))
  const oneByOne = textsPerRequest === 1
  const { seconds } = await ask({ texts: texts.map(({ text }) => text), oneByOne, wantsVectors: false })
  return {
    name,
    requests: seconds.length,
    texts: texts.length,
    tokens: texts.reduce((sum, { tokens }) => sum + tokens, 0),
    failed: 0,
    seconds: seconds.reduce((sum, value) => sum + value, 0),
    latenciesMs: seconds.map((value) => 1000 * value),
  }
}
