/** Bodies that no client should send, and that some will: by themselves, and made of what is right. */
import fc from 'fast-check'

const RIGHT_SOMEWHERE: readonly unknown[] = [
  ...'base64 int8 ubinary query NONE START left text native cl100k embed classify a'.split(' '),
  ['float', 'base64'],
  ['binary', 'uint8'],
  1,
  2,
  3,
  true,
  false,
  ['a', 'b'],
  [1, 2],
  [['a', 'b']],
]

/** As JSON can hold it: `__proto__` as a key of its own, lone surrogates, numbers beyond all bounds. */
const oddValue = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -0,
    -1,
    1.5,
    1e300,
    -1e300,
    Number.MAX_SAFE_INTEGER,
    5e-324,
    '',
    '\ud800',
    'a\udfff\u0000b',
    '﷽'.repeat(50),
    'x'.repeat(5000),
    '0',
    '2',
    '-1',
    'NaN',
    'true',
    'false',
    [],
    {},
    [[]],
    [null],
    [''],
    [[0]],
    [[[0]]],
    [1e300],
    { text: '' },
    { text: 5 },
    { text: null },
    { content: [] },
    { content: {} },
    { image: 'data:,' },
    { length: 3, 0: 'a' },
    JSON.parse('{"__proto__":{"input":"a","text":"b"}}'),
    JSON.parse('{"__proto__":null,"constructor":null,"toString":5,"hasOwnProperty":1}'),
    Array.from({ length: 3000 }, () => 'a'),
    Array.from({ length: 3000 }, (_, index) => index),
    Array.from({ length: 300 }, () => [7]),
    nested(200),
  ),
  fc.jsonValue({ maxDepth: 4 }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(...RIGHT_SOMEWHERE),
)

function nested(depth: number): unknown {
  let value: unknown = 'a'
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { text: value }
  return value
}

export interface BodyOptions {
  readonly example: object
  /** Names of fields that mean something. */
  readonly fields: readonly string[]
}

type Path = readonly (string | number)[]

interface Change {
  readonly at: number
  readonly what: 'drop' | 'set' | 'twice' | 'wrap'
  readonly value: unknown
}

/** A request that is right but for a few places. */
function changed({ example, fields }: BodyOptions): fc.Arbitrary<unknown> {
  const change = fc.record({
    at: fc.nat(),
    what: fc.constantFrom('drop', 'set', 'set', 'set', 'twice', 'wrap'),
    value: oddValue,
  })
  const added = fc.dictionary(fc.constantFrom(...fields, 'foo', '__proto__', 'constructor'), oddValue, {
    maxKeys: 3,
  })
  return fc
    .tuple(fc.array(change as fc.Arbitrary<Change>, { maxLength: 3 }), added)
    .map(([changes, extra]) => {
      let body: unknown = structuredClone({ ...example, ...extra })
      for (const { at, what, value } of changes) {
        const paths = pathsOf(body)
        body = withChange(body, paths[at % paths.length] ?? [], { what, value })
      }
      return body
    })
}

export function strangeBodies(options: BodyOptions): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 5, arbitrary: changed(options) },
    { weight: 1, arbitrary: oddValue },
    { weight: 1, arbitrary: fc.dictionary(fc.constantFrom(...options.fields), oddValue) },
  )
}

/** Every place in it. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null || path.length > 4) return [path]
  const entries = Array.isArray(value) ? [...value.keys()].slice(0, 5) : Object.keys(value)
  return [path, ...entries.flatMap((key) => pathsOf((value as Record<string, unknown>)[key], [...path, key]))]
}

function withChange(body: unknown, path: Path, { what, value }: Omit<Change, 'at'>): unknown {
  const [key, ...rest] = path
  if (key === undefined)
    return what === 'set' ? value : what === 'twice' ? [body, body] : what === 'wrap' ? [body] : undefined
  if (Array.isArray(body))
    return body.map((item, index) => (index === key ? withChange(item, rest, { what, value }) : item))
  const entries = Object.entries(body as object).flatMap(([name, inner]) => {
    if (name !== key) return [[name, inner] as const]
    return rest.length === 0 && what === 'drop'
      ? []
      : [[name, withChange(inner, rest, { what, value })] as const]
  })
  return Object.fromEntries(entries)
}
