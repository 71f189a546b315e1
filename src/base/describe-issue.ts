/** What a schema found wrong, in words for people: the parts of an issue that such words need. */
export interface SchemaIssue {
  readonly code?: string | undefined
  readonly message: string
  readonly expected?: unknown
  readonly minimum?: unknown
  /** False: the bound itself is not allowed. */
  readonly inclusive?: unknown
  readonly maximum?: unknown
  readonly values?: unknown
  /** What was measured: of a string its characters, of a list its items. */
  readonly origin?: unknown
  /** Of a union: what each of its forms found wrong. */
  readonly errors?: readonly (readonly SchemaIssue[])[] | undefined
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  null: 'null',
}

/** What stands behind a bound. */
const UNITS: Readonly<Record<string, string>> = { string: ' characters long', array: ' items long' }

/** `it must be …` */
export function describeIssue(issue: SchemaIssue): string {
  const { code, expected, minimum, maximum, inclusive = true, values, errors, origin } = issue
  const unit = UNITS[String(origin)] ?? ''
  if (code === 'invalid_type' && typeof expected === 'string')
    return `it must be ${TYPE_NAMES[expected] ?? expected}`
  if (code === 'too_small')
    return `it must be ${inclusive === false ? 'above' : 'at least'} ${String(minimum)}${unit}`
  if (code === 'too_big')
    return `it must be ${inclusive === false ? 'below' : 'at most'} ${String(maximum)}${unit}`
  if (code === 'invalid_value' && Array.isArray(values)) return `it must be one of ${values.join(', ')}`
  if (code === 'invalid_union' && errors !== undefined) return describeForms(errors)
  return issue.message
}

function describeForms(errors: readonly (readonly SchemaIssue[])[]): string {
  const forms = errors.flatMap(([first]) => (first === undefined ? [] : [describeIssue(first)]))
  const words = [...new Set(forms)].map((form) => form.replace(/^it must be /, ''))
  return words.length === 0
    ? 'it has none of the forms that are allowed'
    : `it must be ${words.join(', or ')}`
}
