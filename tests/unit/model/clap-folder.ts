/** A folder of CLAP with the tensors that its spec names, and no body: enough to be opened, not to be run. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Files } from './model-folder.ts'
import { fixturePath, makeFolder } from './model-folder.ts'
import { ones, safetensors } from './safetensors-bytes.ts'

interface Changes {
  /** Of preprocessor_config.json. */
  readonly extractor?: object
  /** Of text_config. */
  readonly text?: object
  /** Of audio_config. */
  readonly audio?: object
  /** Of the vectors of sound; those of texts have 16 numbers. */
  readonly audioWidth?: number
  readonly files?: Files
}

const TEXT_WIDTH = 16

export async function clapFolder(changes: Changes = {}): Promise<string> {
  const { extractor, text, audio, audioWidth = TEXT_WIDTH, files = {} } = changes
  const all: Files = {
    'config.json': {
      model_type: 'clap',
      text_config: { hidden_size: 32, vocab_size: 400, ...text },
      audio_config: { hidden_size: 64, ...audio },
    },
    'preprocessor_config.json': {
      feature_extractor_type: 'ClapFeatureExtractor',
      truncation: 'rand_trunc',
      ...extractor,
    },
    'tokenizer.json': await readFile(join(fixturePath('bert-dense-tanh'), 'tokenizer.json')),
    'model.safetensors': safetensors({
      ...linear('text_model.pooler.dense', 32, 32),
      ...projection('text_projection', 32, TEXT_WIDTH),
      ...projection('audio_projection', 64, audioWidth),
    }),
    ...files,
  }
  return makeFolder(Object.fromEntries(Object.entries(all).filter(([, content]) => content !== undefined)))
}

function projection(name: string, inputs: number, width: number) {
  return { ...linear(`${name}.linear1`, inputs, width), ...linear(`${name}.linear2`, width, width) }
}

function linear(name: string, inputs: number, width: number) {
  return { [`${name}.weight`]: ones(width, inputs), [`${name}.bias`]: ones(width) }
}
