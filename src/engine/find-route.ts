/** Which pipeline a text goes through, where a model has several: the name of its prompt, or what it is for, tells. */
import type { Route } from '../model/spec.ts'
import type { PromptChoice } from '../task.ts'
import { purposeOf, synonymsOf } from './find-prompt.ts'

/** Legacy models call the route of documents `doc`. */
const SHORT_NAMES: Readonly<Record<string, string>> = { document: 'doc' }

/** Index of the route that is meant: the first where a text's kind is unsaid, or has none of its own. */
export function findRoute(routes: readonly Pick<Route, 'tasks'>[], choice: PromptChoice | undefined): number {
  const purpose = purposeOf(choice)
  if (purpose === undefined) return 0
  const synonyms = synonymsOf(purpose)
  const shortNames = synonyms.flatMap((name) => SHORT_NAMES[name] ?? [])
  const indices = [purpose, ...synonyms, ...shortNames].map((name) =>
    routes.findIndex(({ tasks }) => tasks.includes(name)),
  )
  return indices.find((index) => index >= 0) ?? 0
}
