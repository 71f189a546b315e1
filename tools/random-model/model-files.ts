/** The JSON files of a model of random weights. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { RandomFamily, Shape } from './shapes.ts'
import type { WeightDtype } from './write-weights.ts'

const BUNDLED_TOKENIZER = fileURLToPath(
  new URL('../../models/all-MiniLM-L6-v2-int8/tokenizer.json', import.meta.url),
)

const PAD = 0
const DTYPE_NAMES = { fp32: 'float32', fp16: 'float16', bf16: 'bfloat16' } as const

/** File → what it holds. */
export function modelFiles(shape: Shape, dtype: WeightDtype): Readonly<Record<string, unknown>> {
  const { hidden, pooling, longest } = shape
  const mode = { cls: 'pooling_mode_cls_token', lasttoken: 'pooling_mode_lasttoken' }[pooling]
  return {
    'config.json': { ...configOf(shape), dtype: DTYPE_NAMES[dtype] },
    'tokenizer.json': tokenizerOf(shape),
    'tokenizer_config.json': tokenizerConfigOf(shape),
    'modules.json': ['', '1_Pooling', '2_Normalize'].map((path, idx) => ({
      idx,
      name: String(idx),
      path,
      type: `sentence_transformers.models.${['Transformer', 'Pooling', 'Normalize'][idx]}`,
    })),
    'sentence_bert_config.json': { max_seq_length: longest, do_lower_case: false },
    '1_Pooling/config.json': { word_embedding_dimension: hidden, [mode]: true, ...otherModes(mode) },
  }
}

// a mode that is not written is taken for the usual one, the mean
function otherModes(mode: string): Record<string, boolean> {
  const modes = ['pooling_mode_cls_token', 'pooling_mode_mean_tokens', 'pooling_mode_lasttoken']
  return Object.fromEntries(modes.filter((other) => other !== mode).map((other) => [other, false]))
}

const FAMILY_CONFIGS: Readonly<Record<RandomFamily, (shape: Shape) => object>> = {
  bert: () => ({
    architectures: ['BertModel'],
    hidden_act: 'gelu',
    layer_norm_eps: 1e-12,
    type_vocab_size: 2,
    position_embedding_type: 'absolute',
  }),
  // positions are counted from the padding token's id on: with 0 a text may be as long as the table, less one
  'xlm-roberta': () => ({
    architectures: ['XLMRobertaModel'],
    hidden_act: 'gelu',
    layer_norm_eps: 1e-5,
    type_vocab_size: 1,
    position_embedding_type: 'absolute',
    bos_token_id: 101,
    eos_token_id: 102,
  }),
  modernbert: ({ window }) => ({
    architectures: ['ModernBertModel'],
    hidden_activation: 'gelu',
    norm_eps: 1e-5,
    norm_bias: false,
    attention_bias: false,
    mlp_bias: false,
    local_attention: 2 * (window?.reach ?? 64),
    global_attn_every_n_layers: window?.globalEvery ?? 3,
    global_rope_theta: 160_000,
    local_rope_theta: 10_000,
    bos_token_id: 101,
    eos_token_id: 102,
    cls_token_id: 101,
    sep_token_id: 102,
  }),
  qwen3: ({ keyHeads, headWidth }) => ({
    architectures: ['Qwen3Model'],
    num_key_value_heads: keyHeads,
    head_dim: headWidth,
    hidden_act: 'silu',
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    attention_bias: false,
    use_sliding_window: false,
    sliding_window: null,
    tie_word_embeddings: true,
    bos_token_id: 101,
    eos_token_id: 102,
  }),
}

function configOf(shape: Shape): object {
  return {
    model_type: shape.family,
    hidden_size: shape.hidden,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    intermediate_size: shape.inner,
    max_position_embeddings: shape.positions,
    vocab_size: shape.vocabulary,
    pad_token_id: PAD,
    ...FAMILY_CONFIGS[shape.family](shape),
  }
}

/** The bundled model's, without a length of its own; a decoder's text has its end marked and no beginning. */
function tokenizerOf({ family }: Shape): object {
  const tokenizer = JSON.parse(readFileSync(BUNDLED_TOKENIZER, 'utf8')) as Record<string, unknown>
  const whole = { ...tokenizer, truncation: null, padding: null }
  return family === 'qwen3' ? { ...whole, post_processor: END_ONLY } : whole
}

const TEXT = { Sequence: { id: 'A', type_id: 0 } }
const SECOND = { Sequence: { id: 'B', type_id: 0 } }
const END = { SpecialToken: { id: '[SEP]', type_id: 0 } }
const END_ONLY = {
  type: 'TemplateProcessing',
  single: [TEXT, END],
  pair: [TEXT, END, SECOND, END],
  special_tokens: { '[SEP]': { id: '[SEP]', ids: [102], tokens: ['[SEP]'] } },
}

function tokenizerConfigOf({ family, longest }: Shape): object {
  const inputs = ['input_ids', 'attention_mask']
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: longest,
    // transformers hands over every input named here, and only BERT knows token types
    model_input_names: family === 'bert' ? [...inputs, 'token_type_ids'] : inputs,
    padding_side: family === 'qwen3' ? 'left' : 'right',
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    cls_token: '[CLS]',
    sep_token: '[SEP]',
    mask_token: '[MASK]',
    eos_token: '[SEP]',
  }
}
