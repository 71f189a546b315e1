/** The entries of MODEL_NAMES. */
import { cutAt } from './rows.ts'
import type { Complain } from './reading.ts'
import { quote } from './reading.ts'

export interface ModelName {
  /** Hub name without its revision, or a local path. */
  readonly source: string
  readonly revision?: string
  readonly aliases: readonly string[]
}

export function readModelNames(entries: readonly string[], complain: Complain): ModelName[] {
  const models: ModelName[] = []
  for (const [index, entry] of entries.entries()) {
    if (entry === '') complain(`entry ${index + 1} is empty`)
    else models.push(readModelName(entry, complain))
  }
  const names = models.flatMap(({ source, aliases }) => [source, ...aliases])
  const repeated = names.filter((name, index) => name !== '' && names.indexOf(name) !== index)
  for (const name of new Set(repeated)) complain(`${quote(name)} is the name of more than one model`)
  return models
}

const HUB_NAME = /^\w[\w.-]*(?:\/\w[\w.-]*)?$/
const EXPLICIT_PATH = /^(?:\.{0,2}\/|\.{1,2}$|~|[A-Za-z]:[\\/])/
const RELATIVE_PATH = /^[^\s,:=]+$/

/** `alias1,alias2=org/name@revision`, every part but the name optional. */
function readModelName(entry: string, complain: Complain): ModelName {
  // a path may hold = and @ itself
  const [before, after] = EXPLICIT_PATH.test(entry) ? [entry] : cutAt('=', entry)
  if (after === undefined) return { ...readSource(entry, complain), aliases: [] }
  const aliases = before.split(',').map((alias) => alias.trim())
  if (!aliases.every((alias) => /^\S+$/.test(alias))) {
    complain(`${quote(entry)} has an alias that is empty or has a space inside`)
  }
  if (after.trim() === '') complain(`${quote(entry)} has no model after the =`)
  return { ...readSource(after.trim(), complain), aliases }
}

function readSource(text: string, complain: Complain): Pick<ModelName, 'source' | 'revision'> {
  const [name, revision] = cutAt('@', text)
  if (HUB_NAME.test(name) && revision !== undefined) {
    if (!/^\S+$/.test(revision)) complain(`${quote(text)} needs a revision without spaces after the @`)
    return { source: name, revision }
  }
  const isKnownForm = text === '' || [HUB_NAME, EXPLICIT_PATH, RELATIVE_PATH].some((form) => form.test(text))
  if (!isKnownForm) {
    complain(`${quote(text)} is not a hub name or a path; put ./ before a path, and ; between models`)
  }
  return { source: text }
}
