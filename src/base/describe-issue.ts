/** What a schema found wrong, in words for people: the parts of an issue that such words need. */
export interface SchemaIssue {
  readonly code?: string | undefined
  readonly message: string
  readonly expected?: unknown
  readonly minimum?: unknown
  readonly maximum?: unknown
  readonly values?: unknown
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

/** `it must be …` */
export function describeIssue(issue: SchemaIssue): string {
  const { code, expected, minimum, maximum, values } = issue
  if (code === 'invalid_type' && typeof expected === 'string')
    return `it must be ${TYPE_NAMES[expected] ?? expected}`
  if (code === 'too_small') return `it must be at least ${String(minimum)}`
  if (code === 'too_big') return `it must be at most ${String(maximum)}`
  if (code === 'invalid_value' && Array.isArray(values)) return `it must be one of ${values.join(', ')}`
  if (code === 'invalid_union') return 'it has none of the forms that are allowed'
  return issue.message
}
