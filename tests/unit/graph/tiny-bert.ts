/** A BERT of made-up sizes whose files do not exist: for graphs that are only built. */
import type { ModelSpec, TensorDtype, TensorRef } from '../../../src/model/spec.ts'

const ELEMENT_BYTES: Readonly<Record<TensorDtype, number>> = { F32: 4, F16: 2, BF16: 2, I8: 1, F8_E4M3: 1 }

let nextOffset = 0

/** A tensor in a file that does not exist; every one has a place of its own. */
export function ref(shape: readonly number[], dtype: TensorDtype = 'F32'): TensorRef {
  const byteLength = shape.reduce((product, dim) => product * dim, ELEMENT_BYTES[dtype])
  const byteOffset = nextOffset
  nextOffset += byteLength
  return { file: '/nowhere/model.safetensors', byteOffset, byteLength, dtype, shape }
}

export interface TinyBertOptions {
  readonly config?: Readonly<Record<string, unknown>>
  readonly head?: ModelSpec['head']
  /** Tensors added or, where undefined, taken away. */
  readonly tensors?: Readonly<Record<string, TensorRef | undefined>>
}

export const TINY = {
  model_type: 'bert',
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 20,
  vocab_size: 50,
}

export function tinyBert({ config = {}, head, tensors = {} }: TinyBertOptions = {}): ModelSpec {
  const sizes = { ...TINY, ...config }
  const all = Object.entries({ ...tensorsOf(sizes), ...tensors }).filter(([, tensor]) => tensor !== undefined)
  return {
    name: 'tiny',
    modelType: sizes.model_type,
    config: sizes,
    tensors: Object.fromEntries(all) as Record<string, TensorRef>,
    head: head ?? { kind: 'embedding', steps: [{ kind: 'pooling', modes: ['mean'], includePrompt: true }] },
    tokenizer: {
      file: '/nowhere/tokenizer.json',
      maxTokens: undefined,
      truncationSide: 'right',
      lowerCase: false,
    },
    prompts: {},
    defaultPromptName: undefined,
    truncateDimensions: undefined,
  }
}

function tensorsOf(sizes: typeof TINY): Record<string, TensorRef> {
  const H = sizes.hidden_size
  const norm = (name: string) => ({ [`${name}.weight`]: ref([H]), [`${name}.bias`]: ref([H]) })
  const linear = (name: string, out: number, inputs: number) => ({
    [`${name}.weight`]: ref([out, inputs]),
    [`${name}.bias`]: ref([out]),
  })
  const tensors = {
    'embeddings.word_embeddings.weight': ref([sizes.vocab_size, H]),
    'embeddings.position_embeddings.weight': ref([sizes.max_position_embeddings, H]),
    'embeddings.token_type_embeddings.weight': ref([2, H]),
    ...norm('embeddings.LayerNorm'),
  }
  for (let index = 0; index < sizes.num_hidden_layers; index++) {
    const layer = `encoder.layer.${index}`
    Object.assign(
      tensors,
      linear(`${layer}.attention.self.query`, H, H),
      linear(`${layer}.attention.self.key`, H, H),
      linear(`${layer}.attention.self.value`, H, H),
      linear(`${layer}.attention.output.dense`, H, H),
      norm(`${layer}.attention.output.LayerNorm`),
      linear(`${layer}.intermediate.dense`, sizes.intermediate_size, H),
      linear(`${layer}.output.dense`, H, sizes.intermediate_size),
      norm(`${layer}.output.LayerNorm`),
    )
  }
  return tensors
}
