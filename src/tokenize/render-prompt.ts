import type { PairPrompt, PiecesPrompt } from '../model/spec.ts'
import type { AskedPair } from './chat-renderer.ts'

export interface PromptRenderer {
  /** The pieces that a prompt is tokenized in; always as many. */
  readonly render: (pair: AskedPair) => readonly string[]
  /** Index of the piece with the query, and of that with the document: often the same. */
  readonly query: number
  readonly document: number
}

/** Throws `model_unsupported` for a chat template that cannot be used. */
export async function makeRenderer(prompt: PairPrompt): Promise<PromptRenderer> {
  if (prompt.kind === 'pieces') return piecesRenderer(prompt)
  // Few models need the library.
  const { makeChatRenderer } = await import('./chat-renderer.ts')
  const render = makeChatRenderer(prompt)
  return { render: (pair) => [render(pair)], query: 0, document: 0 }
}

function piecesRenderer({ pieces, instructionForm, trims }: PiecesPrompt): PromptRenderer {
  const hasInstruction = pieces.some((piece) => piece.includes('{instruction}'))
  const clean = (text: string) => (trims === true ? text.trim() : text)
  return {
    render({ query, document, instruction = '' }) {
      const own = instruction === '' ? '' : instructionForm.replace('{instruction}', () => instruction)
      const texts: Readonly<Record<string, string>> = {
        '{instruction}': own,
        // Where a prompt has no place for an instruction, it goes before the query.
        '{query}': clean(hasInstruction || own === '' ? query : `${own} ${query}`),
        '{document}': clean(document),
      }
      return pieces.map((piece) =>
        piece.replaceAll(/\{(?:instruction|query|document)\}/g, (slot) => texts[slot] ?? ''),
      )
    },
    query: pieces.findIndex((piece) => piece.includes('{query}')),
    document: pieces.findIndex((piece) => piece.includes('{document}')),
  }
}
