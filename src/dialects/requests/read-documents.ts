import { isGiven, isRecord, show } from '../../base/json-value.ts'
import { ServerError } from '../../errors.ts'
import { firstField, notA } from './read-body.ts'
import { expectItems, expectText, readParts, readText } from './read-texts.ts'

export interface Documents {
  readonly texts: readonly string[]
  /** As they came. */
  readonly given: readonly unknown[]
}

/** Documents of the first of `names` that the client used. Throws `invalid_request`, naming the field and the item. */
export function readDocuments(
  fields: Readonly<Record<string, unknown>>,
  names: readonly [string, ...string[]],
  rankFields: readonly string[] | undefined,
): Documents {
  const field = firstField(fields, names)
  const given = fields[field]
  if (!Array.isArray(given)) throw notA('a list of strings', given, field)
  expectItems(given, field)
  const texts = given.every((item) => typeof item === 'string')
    ? given
    : given.map((item: unknown, index) => readDocument(item, `${field}[${index}]`, rankFields))
  return { texts, given }
}

function readDocument(item: unknown, field: string, rankFields: readonly string[] | undefined): string {
  if (!isRecord(item)) {
    if (typeof item === 'string') return item
    throw new ServerError(
      'invalid_request',
      `${field} is ${show(item)}; it must be a string or an object with a "text"`,
    )
  }
  expectText(item, field)
  if (rankFields !== undefined && rankFields.length > 0) return joinFields(item, field, rankFields)
  for (const key of ['text', 'content', 'page_content']) if (typeof item[key] === 'string') return item[key]
  if (Array.isArray(item['content'])) return readParts(item['content'], `${field}.content`)
  const words = Object.keys(item).filter((key) => typeof item[key] === 'string')
  return words.length === 0 ? readText(item, field) : joinFields(item, field, words)
}

/** `title: …` and so on, a line each, as Cohere's reranker reads documents that are objects. */
function joinFields(
  item: Readonly<Record<string, unknown>>,
  field: string,
  names: readonly string[],
): string {
  const lines = names
    .filter((name) => Object.hasOwn(item, name) && isGiven(item[name]))
    .map((name) => `${name}: ${typeof item[name] === 'string' ? item[name] : JSON.stringify(item[name])}`)
  if (lines.length > 0)
    return names.length === 1 ? (lines[0] as string).slice(`${names[0]}: `.length) : lines.join('\n')
  throw new ServerError('invalid_request', `${field} has none of the rank_fields ${names.join(', ')}`)
}
