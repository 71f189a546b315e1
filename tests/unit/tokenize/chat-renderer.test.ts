import { expect, test } from 'vitest'
import type { ChatPrompt } from '../../../src/model/spec.ts'
import { makeChatRenderer } from '../../../src/tokenize/chat-renderer.ts'

const PAIR = { query: 'q', document: 'd', instruction: undefined }

function prompt(template: string, changes: Partial<ChatPrompt> = {}): ChatPrompt {
  const file = 'm/chat_template.jinja'
  return { kind: 'chat', template, file, variables: {}, contents: 'flat', instruction: undefined, ...changes }
}

const BOTH = "{{ messages | map(attribute='content') | join('-') }}"
const SYSTEM = "messages | selectattr('role', 'eq', 'system') | map(attribute='content')"

test('query and document are messages of these roles, after the instruction as system message', () => {
  const render = makeChatRenderer(
    prompt("{% for message in messages %}{{ message.role + '=' + message.content + ';' }}{% endfor %}"),
  )
  expect(render(PAIR)).toBe('query=q;document=d;')
  expect(render({ ...PAIR, instruction: 'i' })).toBe('system=i;query=q;document=d;')
  expect(render({ ...PAIR, instruction: '' })).toBe('query=q;document=d;')
})

test.each(['first', 'last'])('%s of nothing is what the default is for', (end) => {
  const render = makeChatRenderer(prompt(`{{ ${SYSTEM} | ${end} | default('own') }} ${BOTH}`))
  expect(render(PAIR)).toBe('own q-d')
  expect(render({ ...PAIR, instruction: 'i' })).toBe('i i-q-d')
})

test('first and last are found wherever they stand', () => {
  const render = makeChatRenderer(
    prompt(
      `{% if (messages | last).content %}{% set x = messages | first %}{{ x.content }}+{{ (messages | last).content }}{% endif %}`,
    ),
  )
  expect(render(PAIR)).toBe('q+d')
})

test('contents in parts have a type and a text', () => {
  const template =
    '{% for message in messages %}{{ message.content[0].type + message.content[0].text }}{% endfor %}'
  expect(makeChatRenderer(prompt(template, { contents: 'structured' }))(PAIR)).toBe('textqtextd')
})

test('a template is given what the folder says, and no tools', () => {
  const template = `{% if tools %}T{% endif %}{{ bos_token }}{% if add_generation_prompt %}A{% endif %}${BOTH}`
  const variables = { bos_token: '<s>', add_generation_prompt: true }
  expect(makeChatRenderer(prompt(template, { variables }))(PAIR)).toBe('<s>Aq-d')
})

test('blanks around blocks, and the last line break, are left out', () => {
  expect(makeChatRenderer(prompt(`  {% if true %}\n${BOTH}\n  {% endif %}\n\n`))(PAIR)).toBe('q-d\n')
})

test.each([
  ['the query', "{{ (messages | selectattr('role', 'eq', 'document') | first).content }}", 'role query'],
  ['the document', '{{ (messages | first).content }}', 'role document'],
  [
    'both',
    "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}",
    'role query and document',
  ],
])('a template that leaves out %s is refused', (_, template, part) => {
  expect(() => makeChatRenderer(prompt(template))).toThrow(
    expect.objectContaining({ code: 'model_unsupported', message: expect.stringContaining(part) }),
  )
})

test.each([
  ['cannot be read', '{% if %}', 'cannot be read'],
  ['refuses the roles', "{{ raise_exception('roles must alternate') }}", 'roles must alternate'],
])('a template that %s is refused with the reason', (_, template, part) => {
  expect(() => makeChatRenderer(prompt(template))).toThrow(
    expect.objectContaining({ code: 'model_unsupported', message: expect.stringContaining(part) }),
  )
})

const LOOPS = '{% for i in r %}{% for j in r %}{% for k in r %}{% endfor %}{% endfor %}{% endfor %}'

test.each([
  ['loops in loops', `{% set r = range(1000) %}${LOOPS}`],
  [
    'a list that doubles',
    `{% set n = namespace(l=[0]) %}{% for i in range(60) %}{% set n.l = n.l + n.l %}{% endfor %}`,
  ],
  [
    'a text that doubles',
    `{% set n = namespace(t='x') %}{% for i in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}`,
  ],
  [
    'a list that holds itself twice over',
    `{% set n = namespace(l=[0]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l | tojson }}`,
  ],
  [
    'one loop over long texts',
    `{% set t = 'x' | indent(width=9000, first=true) %}{% for i in range(999) %}{{ t }}{% endfor %}`,
  ],
])('a template of %s is refused by its file before it fills the thread', (_, template) => {
  expect(() => makeChatRenderer(prompt(template + BOTH))).toThrow(
    expect.objectContaining({
      code: 'model_unsupported',
      message: expect.stringMatching(/^m\/chat_template\.jinja: .* it takes more than \d+ steps$/),
    }),
  )
})

test.each(['range(10001)', 'range(0, 1000000000)', 'range(9000, 0, -1) + range(2000)', 'range(0, 1, 0)'])(
  '%s is refused: ranges have a limit together',
  (range) => {
    const template = `{% for i in ${range} %}{% endfor %}${BOTH}`
    expect(() => makeChatRenderer(prompt(template))).toThrow('its ranges have more than 10000 numbers')
  },
)

test('a namespace in another value is refused: what it holds would not be counted', () => {
  const template = `{% set a = namespace() %}{% set b = namespace(a=a) %}{{ b.a.x }}${BOTH}`
  expect(() => makeChatRenderer(prompt(template))).toThrow('a namespace stands in another value')
})

test('long texts are rendered, as often as a template repeats them', () => {
  const render = makeChatRenderer(prompt(`{% for i in range(20) %}${BOTH}{% endfor %}`))
  const document = 'd'.repeat(1_000_000)
  expect(render({ ...PAIR, document })).toHaveLength(20 * 1_000_002)
})

test.each([
  ['range(3)', '[0, 1, 2]'],
  ['range(2, 5)', '[2, 3, 4]'],
  ['range(5, 0, -2)', '[5, 3, 1]'],
  ['range(3, 1)', '[]'],
  ['[True, true, False, false, None, none]', '[true, true, false, false, null, null]'],
])('%s is what Jinja makes of it', (expression, value) => {
  expect(makeChatRenderer(prompt(`{{ ${expression} | tojson }}${BOTH}`))(PAIR)).toBe(`${value}q-d`)
})

test('a template may ask for the year', () => {
  const year = String(new Date().getFullYear())
  expect(makeChatRenderer(prompt(`{{ strftime_now('%Y') }}${BOTH}`))(PAIR)).toBe(`${year}q-d`)
})
