/** What is wrong with an answer, measured by a pattern of JSON: a fixture's way to say what a client reads. */
const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  '<string>': (value) => typeof value === 'string',
  '<number>': (value) => typeof value === 'number',
  '<integer>': (value) => Number.isInteger(value),
  '<object>': (value) => isObject(value) && !Array.isArray(value),
  '<base64>': (value) => typeof value === 'string' && value.length > 0 && /^[A-Za-z0-9+/]+=*$/.test(value),
  '<absent>': (value) => value === undefined,
}

/**
 * One line for each difference. Objects may have more keys than the pattern; lists have its length, but for
 * `["<each>", …]`, which holds of every item of a list that is not empty.
 */
export function mismatches(value: unknown, pattern: unknown, path = 'body'): string[] {
  if (typeof pattern === 'string' && KINDS[pattern] !== undefined) {
    return KINDS[pattern](value) ? [] : [`${path} is ${JSON.stringify(value)}, not ${pattern}`]
  }
  if (!isObject(pattern)) {
    return value === pattern ? [] : [`${path} is ${JSON.stringify(value)}, not ${JSON.stringify(pattern)}`]
  }
  if (!isObject(value)) return [`${path} is ${JSON.stringify(value)}, not an object or a list`]
  if (Array.isArray(pattern) && pattern[0] === '<each>') {
    if (!Array.isArray(value) || value.length === 0) return [`${path} is no list, or an empty one`]
    return value.flatMap((item: unknown, index) => mismatches(item, pattern[1], `${path}.${index}`))
  }
  const { length } = Object.keys(value)
  if (Array.isArray(pattern) && (!Array.isArray(value) || length !== pattern.length)) {
    return [`${path} has ${length} items, not ${pattern.length}`]
  }
  return Object.entries(pattern).flatMap(([key, part]) => mismatches(value[key], part, `${path}.${key}`))
}

/** All values at a path like `data.*.embedding`. */
export function valuesAt(value: unknown, path: string): unknown[] {
  return path.split('.').reduce<unknown[]>(
    (values, key) =>
      values.flatMap((item) => {
        if (!isObject(item)) return []
        return key === '*' ? Object.values(item) : [item[key]]
      }),
    [value],
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
