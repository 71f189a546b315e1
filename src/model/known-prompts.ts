/** Language models that rerank and whose folders do not say what they are asked: their authors' own code does. */
import type { PiecesPrompt } from './spec.ts'

export interface KnownReranker {
  readonly title: string
  /** Of a folder, a repository, or the model that it was made from. */
  readonly name: RegExp
  readonly modelType: string
  readonly prompt: PiecesPrompt
  /** Tokens as they stand in the vocabulary. */
  readonly answers: { readonly yes: string; readonly no?: string; readonly divisor?: number }
}

const WHOLE_INSTRUCTION = '{instruction}'

export const KNOWN_RERANKERS: readonly KnownReranker[] = [
  {
    title: 'Qwen3-Reranker',
    name: /qwen3[-_.]?reranker/i,
    modelType: 'qwen3',
    prompt: {
      kind: 'pieces',
      pieces: [
        '<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. ' +
          'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n' +
          '<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}<|im_end|>\n' +
          '<|im_start|>assistant\n<think>\n\n</think>\n\n',
      ],
      instructionForm: WHOLE_INSTRUCTION,
      instruction: 'Given a web search query, retrieve relevant passages that answer the query',
    },
    answers: { yes: 'yes', no: 'no' },
  },
  {
    title: 'zerank',
    name: /zerank/i,
    modelType: 'qwen3',
    prompt: {
      kind: 'pieces',
      pieces: [
        '<|im_start|>system\n{query}<|im_end|>\n<|im_start|>user\n{document}<|im_end|>\n<|im_start|>assistant\n',
      ],
      instructionForm: WHOLE_INSTRUCTION,
      instruction: undefined,
      trims: true,
    },
    answers: { yes: 'Yes', divisor: 5 },
  },
  {
    title: 'mxbai-rerank-v2',
    name: /mxbai[-_]rerank/i,
    modelType: 'qwen2',
    prompt: {
      kind: 'pieces',
      pieces: [
        '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' +
          '<|im_start|>user\n',
        '{instruction}query: {query}',
        '\n',
        'document: {document}',
        '\n',
        'You are a search relevance expert who evaluates how well documents match search queries. For each query-document ' +
          'pair, carefully analyze the semantic relationship between them, then provide your binary relevance judgment ' +
          '(0 for not relevant, 1 for relevant).\nRelevance:',
        '<|im_end|>\n<|im_start|>assistant\n',
      ],
      instructionForm: 'instruction: {instruction}\n',
      instruction: undefined,
    },
    answers: { yes: '1', no: '0' },
  },
  {
    title: 'bge-reranker-v2-gemma',
    name: /bge[-_]reranker[-_]v2[-_]gemma/i,
    modelType: 'gemma',
    prompt: {
      kind: 'pieces',
      pieces: ['<bos>', 'A: {query}', '\n', 'B: {document}', '\n', WHOLE_INSTRUCTION],
      instructionForm: WHOLE_INSTRUCTION,
      instruction:
        'Given a query A and a passage B, determine whether the passage contains an answer to the query by providing ' +
        "a prediction of either 'Yes' or 'No'.",
    },
    answers: { yes: 'Yes' },
  },
]

/** By any of its names, of the architecture that the prompt is for. */
export function findKnownReranker(names: readonly string[], modelType: string): KnownReranker | undefined {
  return KNOWN_RERANKERS.find(
    (known) => known.modelType === modelType && names.some((name) => known.name.test(name)),
  )
}
