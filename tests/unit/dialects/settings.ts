/** Every setting that a request may have: what it may be, what it may not, and what an error says then. */

/** vLLM's -1 is for no limit. */
const LIMITS = ['max_tokens', 'truncate_prompt_tokens']
const COUNTS = [
  ...LIMITS,
  'dimensions',
  'output_dimension',
  'top_n',
  'top_k',
  'max_tokens_per_doc',
  'max_tokens_per_query',
]
const SWITCHES = [
  'normalize',
  'normalized',
  'late_chunking',
  'return_documents',
  'return_docs',
  'return_text',
  'return_input',
  'raw_scores',
  'add_special_tokens',
  'skip_special_tokens',
]
const TEXTS = [
  'model',
  'model_id',
  'prompt_name',
  'prompt',
  'task',
  'input_type',
  'instruction',
  'task_instruction',
]
const ENCODINGS = ['encoding_format', 'embedding_type', 'encoding_type', 'embedding_types', 'output_encoding']

export function isCount(name: string): boolean {
  return COUNTS.includes(name)
}

export function isLimit(name: string): boolean {
  return LIMITS.includes(name)
}

export function isSwitch(name: string): boolean {
  return SWITCHES.includes(name)
}

/** `item`: the part of a list that is at fault. */
type Wrong = readonly [value: unknown, says: string, item?: string]

const WRONG: Readonly<Record<string, readonly Wrong[]>> = {
  ...each(COUNTS, [
    [-1, '-1; it must be at least 0'],
    [1.5, '1.5; it must be a whole number'],
    ['x', '"x"; it must be a number'],
    [true, 'true; it must be a number'],
    [1e300, '1e+300; it must be'],
    [[], 'a list of 0; it must be a number'],
  ]),
  ...each(LIMITS, [
    [-2, '-2; it must be at least 0'],
    [1.5, '1.5; it must be a whole number'],
    ['x', '"x"; it must be a number'],
    [{}, 'an object; it must be a number'],
  ]),
  ...each(SWITCHES, [
    ['yes', '"yes"; it must be true or false'],
    [1, '1; it must be true or false'],
    [{}, 'an object; it must be true or false'],
  ]),
  ...each(TEXTS, [
    [5, '5; it must be a string'],
    [['a'], 'a list of 1; it must be a string'],
    [{}, 'an object; it must be a string'],
  ]),
  ...each(ENCODINGS, [
    ['hex', '"hex"; it must be one of float, base64'],
    [7, '7; it must be one of float, base64'],
    [['float', 'hex'], '"hex"; it must be one of float, base64', '[1]'],
  ]),
  output_dtype: [
    ['base64', '"base64"; it must be one of float, int8, uint8, binary, ubinary'],
    [7, '7; it must be one of'],
  ],
  // Others number as they like: what is none is ignored.
  priority: [],
  modality: [['smell', '"smell"; it must be one of text, image, audio']],
  token_vocab: [['latin', '"latin"; it must be one of cl100k, native']],
  ...each(
    ['truncate', 'truncation'],
    [
      ['middle', '"middle"; it'],
      [5, '5; it'],
    ],
  ),
  ...each(
    ['truncation_direction', 'truncation_side'],
    [
      ['up', '"up"; it must be one of left, right'],
      [true, 'true; it must be one of left, right'],
    ],
  ),
  rank_fields: [['text', '"text"; it must be a list']],
  queries: [['q', '"q"; it must be a list']],
  query: [
    [5, '5; it must be a string'],
    [['q'], 'a list of 1; it must be a string'],
  ],
}

/** Values that a setting may not have, with the words of the refusal. */
export function wrongValues(name: string): readonly Wrong[] {
  const found = WRONG[name]
  if (found === undefined) throw new Error(`${name} is not in the table of settings`)
  return found.map(([value, says, item = '']) => [value, `${name}${item} is ${says}`])
}

function each(names: readonly string[], wrong: readonly Wrong[]): Record<string, readonly Wrong[]> {
  return Object.fromEntries(names.map((name) => [name, wrong]))
}
