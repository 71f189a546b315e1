/** What a model was made to do, as the names of its architectures in config.json say. */
import type { ConfigJson } from './config-json.ts'

type Architectures = Pick<ConfigJson, 'architectures'>

export function isClassifier({ architectures }: Architectures): boolean {
  return architectures?.some((architecture) => architecture.endsWith('ForSequenceClassification')) ?? false
}

/** One that goes on with a text, token by token. */
export function isLanguageModel({ architectures }: Architectures): boolean {
  return architectures?.[0]?.endsWith('ForCausalLM') ?? false
}

export function isMaskedLanguageModel({ architectures }: Architectures): boolean {
  return architectures?.[0]?.endsWith('ForMaskedLM') ?? false
}
