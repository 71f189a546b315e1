/** Servers as contestants: those started here, and those that run elsewhere and are known by their URL. */
import type { Api } from '../client/protocol.ts'
import type { LoadClient } from '../client/start-client.ts'
import type { Asked } from './ask.ts'
import { askVectors, firstAnswer, freePort } from './ask.ts'
import type { Contestant, Measured, ServedModels, ServerRecipe } from './contestant.ts'
import type { ProcessGroup } from './process-group.ts'
import { startGroup } from './process-group.ts'

/** Starts it. Resolves once it has answered. */
export async function openServer(
  recipe: ServerRecipe,
  models: ServedModels,
  client: LoadClient,
): Promise<Contestant> {
  const { id, title, versions, names, api } = recipe
  const port = await freePort()
  const command = recipe.command(port, models)
  const url = `http://127.0.0.1:${port}`
  const group = startGroup(command)
  const asked = { url, api, model: names.embed }
  await firstAnswer(asked, group, recipe.patienceMs).catch(async (error: unknown) => {
    await group.stop()
    throw error
  })
  const { pause, resume, stop } = group
  return {
    id,
    title,
    versions,
    settings: describe(command, String(port)),
    isServer: true,
    pid: group.child.pid,
    run: (lanes, seed) => runLoad(client, { url, api, models: names, lanes, seed }),
    embed: (texts) => askVectors(asked, texts),
    pause,
    resume,
    stop,
  }
}

/** Milliseconds from the start of a process to its first answer. It is stopped again after `settle`, if any, has resolved. */
export async function timeStart(
  recipe: ServerRecipe,
  models: ServedModels,
  {
    env = {},
    settle,
  }: { env?: Record<string, string>; settle?: (group: ProcessGroup) => Promise<void> } = {},
): Promise<number> {
  const port = await freePort()
  const command = recipe.command(port, models)
  const group = startGroup({ ...command, env: { ...command.env, ...env } })
  try {
    const asked: Asked = { url: `http://127.0.0.1:${port}`, api: recipe.api, model: recipe.names.embed }
    const ms = await firstAnswer(asked, group, recipe.patienceMs)
    await settle?.(group)
    return ms
  } finally {
    await group.stop()
  }
}

/** Any server that runs already. It cannot be held still, nor its memory and start be measured. Throws where it does not answer. */
export async function openUrl(url: string, api: Api, client: LoadClient): Promise<Contestant> {
  const { host, origin } = new URL(url)
  const model = api === 'tei' ? '' : await firstModel(origin)
  const asked = { url: origin, api, model }
  await askVectors(asked, ['Hello world'])
  const nothing = () => {}
  return {
    id: `${api}-${host}`,
    title: `${api === 'tei' ? 'TEI' : 'server'} at ${host}`,
    versions: api === 'tei' ? await teiVersions(origin) : { model },
    settings: 'started by someone else',
    isServer: true,
    pid: undefined,
    run: (lanes, seed) =>
      runLoad(client, { url: origin, api, models: { embed: model, rerank: model }, lanes, seed }),
    embed: (texts) => askVectors(asked, texts),
    pause: nothing,
    resume: nothing,
    stop: async () => {},
  }
}

/** Some servers answer to the names of their models alone; those that list none take any. */
async function firstModel(origin: string): Promise<string> {
  const answer = await fetch(`${origin}/v1/models`)
  if (!answer.ok) return 'default'
  const { data } = (await answer.json()) as { data?: { id: string }[] }
  return data?.[0]?.id ?? 'default'
}

async function teiVersions(origin: string): Promise<Record<string, string>> {
  const answer = await fetch(`${origin}/info`)
  if (!answer.ok) return {}
  const { version, model_dtype: dtype, model_id: model } = (await answer.json()) as Record<string, unknown>
  return Object.fromEntries(
    Object.entries({ version, dtype, model }).map(([key, value]) => [key, String(value)]),
  )
}

async function runLoad(client: LoadClient, ask: Parameters<LoadClient['load']>[0]): Promise<Measured> {
  const { lanes, cpuSeconds, seconds } = await client.load(ask)
  return { lanes, clientCpuShare: cpuSeconds / seconds }
}

function describe(
  { program, args, env }: { program: string; args: readonly string[]; env: object },
  port: string,
): string {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value as string}`)
  return [...settings, program, ...args].map((part) => (part === port ? 'PORT' : part)).join(' ')
}
