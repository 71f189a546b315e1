import { expect, test } from 'vitest'
import type { ChatPrompt } from '../../../src/model/spec.ts'
import { makeChatRenderer } from '../../../src/tokenize/chat-renderer.ts'

const PAIR = { query: 'q', document: 'd', instruction: undefined }

function prompt(template: string, changes: Partial<ChatPrompt> = {}): ChatPrompt {
  return { kind: 'chat', template, variables: {}, contents: 'flat', instruction: undefined, ...changes }
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
