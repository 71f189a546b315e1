/** Chat templates, as transformers renders them. */
import { Template } from '@huggingface/jinja'
import { ServerError, messageOf } from '../errors.ts'
import type { ChatPrompt } from '../model/spec.ts'
import { renderBounded } from './bounded-template.ts'

export interface AskedPair {
  readonly query: string
  readonly document: string
  /** Undefined: none is given. */
  readonly instruction: string | undefined
}

/**
 * Throws `model_unsupported`, naming its file, for a template that cannot be read, that takes too many steps, or that leaves a
 * query or a document out: one for other roles would have the model judge nothing.
 */
export function makeChatRenderer(prompt: ChatPrompt): (pair: AskedPair) => string {
  const { template, file, variables, contents } = prompt
  const parsed = parse(template, file)
  const contentOf = (text: string) => (contents === 'flat' ? text : [{ type: 'text', text }])
  const render = ({ query, document, instruction }: AskedPair): string => {
    const messages = [
      ...(instruction ? [{ role: 'system', content: contentOf(instruction) }] : []),
      { role: 'query', content: contentOf(query) },
      { role: 'document', content: contentOf(document) },
    ]
    const characterCount = query.length + document.length + (instruction?.length ?? 0)
    try {
      return renderBounded(parsed, { tools: null, documents: null, ...variables, messages }, characterCount)
    } catch (error) {
      throw refuse(file, `cannot be filled in: ${messageOf(error)}`, error)
    }
  }
  expectBothTexts(render, file)
  return render
}

function parse(template: string, file: string): Template {
  try {
    const parsed = new Template(template)
    replaceEnds(parsed.parsed)
    return parsed
  } catch (error) {
    throw refuse(file, `cannot be read: ${messageOf(error)}`, error)
  }
}

interface Node {
  type?: unknown
  [key: string]: unknown
}

/**
 * The library's `first` and `last` give nothing at all for an empty list, where Jinja gives an undefined value, which the
 * filter `default` looks for: `… | first | default("…")` is how templates give their own instruction. An index gives it.
 */
function replaceEnds(node: unknown): void {
  if (Array.isArray(node)) {
    node.forEach(replaceEnds)
    return
  }
  if (typeof node !== 'object' || node === null) return
  const entry = node as Node
  Object.values(entry).forEach(replaceEnds)
  if (entry.type !== 'FilterExpression') return
  const filter = entry['filter'] as Node
  const index = filter.type === 'Identifier' && ENDS.get(filter['value'])
  if (typeof index !== 'number') return
  const object = entry['operand']
  delete entry['operand']
  delete entry['filter']
  const property = { type: 'IntegerLiteral', value: index }
  Object.assign(entry, { type: 'MemberExpression', object, property, computed: true })
}

const ENDS: ReadonlyMap<unknown, number> = new Map([
  ['first', 0],
  ['last', -1],
])

function expectBothTexts(render: (pair: AskedPair) => string, file: string): void {
  const instruction = undefined
  const plain = render({ query: 'alpha', document: 'bravo', instruction })
  const left = [
    ...(render({ query: 'charlie', document: 'bravo', instruction }) === plain ? ['query'] : []),
    ...(render({ query: 'alpha', document: 'foxtrot', instruction }) === plain ? ['document'] : []),
  ]
  if (left.length > 0) throw refuse(file, `leaves out what has the role ${left.join(' and ')}`)
}

function refuse(file: string, why: string, cause?: unknown): ServerError {
  return new ServerError('model_unsupported', `${file}: the chat template ${why}`, { cause })
}
