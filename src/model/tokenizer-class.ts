/** Which class of transformers (5.23) would read a folder's tokenizer, and what follows from it. */
import { z } from 'zod'
import type { ConfigJson } from './config-json.ts'

const NamedClass = z.looseObject({ tokenizer_class: z.string().nullish() })

/** Classes that are BertTokenizer, or it under another name. */
const BERT_CLASSES = [
  'BertTokenizer',
  'ConvBertTokenizer',
  'DistilBertTokenizer',
  'DPRContextEncoderTokenizer',
  'DPRQuestionEncoderTokenizer',
  'ElectraTokenizer',
  'LayoutLMTokenizer',
  'LxmertTokenizer',
  'MobileBertTokenizer',
  'SqueezeBertTokenizer',
]

const ROBERTA_CLASSES = ['RobertaTokenizer', 'BartTokenizer', 'LongformerTokenizer']

/** Models whose class transformers takes for none, whatever tokenizer_config.json says. */
const CLASSLESS_MODELS: readonly string[] = ['mistral', 'modernbert', 'umt5']

/** Names of no class in particular. */
const PLAIN_CLASSES: readonly string[] = ['', 'PreTrainedTokenizer', 'TokenizersBackend']

/** Classes of models that name none themselves, as far as it matters below. */
const CLASS_OF_MODEL: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['bert', 'convbert', 'distilbert', 'electra', 'ernie', 'megatron-bert', 'nezha', 'nomic_bert'].map(
      (type) => [type, 'BertTokenizer'],
    ),
  ),
  ...Object.fromEntries(
    ['roberta', 'roberta-prelayernorm', 'longformer', 'bart', 'data2vec-text', 'ibert'].map((type) => [
      type,
      'RobertaTokenizer',
    ]),
  ),
  albert: 'AlbertTokenizer',
  clap_text_model: 'RobertaTokenizer',
  clip_text_model: 'CLIPTokenizer',
  camembert: 'CamembertTokenizer',
  canine: 'CanineTokenizer',
  deberta: 'DebertaTokenizer',
  'deberta-v2': 'DebertaV2Tokenizer',
  fnet: 'FNetTokenizer',
  gemma: 'GemmaTokenizer',
  gemma3_text: 'GemmaTokenizer',
  gte: 'XLMRobertaTokenizer',
  jina_embeddings_v3: 'XLMRobertaTokenizer',
  mobilebert: 'MobileBertTokenizer',
  mpnet: 'MPNetTokenizer',
  mt5: 'T5Tokenizer',
  qwen2: 'Qwen2Tokenizer',
  qwen3: 'Qwen2Tokenizer',
  siglip_text_model: 'SiglipTokenizer',
  siglip2_text_model: 'Siglip2Tokenizer',
  squeezebert: 'SqueezeBertTokenizer',
  t5: 'T5Tokenizer',
  'xlm-roberta': 'XLMRobertaTokenizer',
}

/** Classes whose tokenizers pass token types on unless they are told otherwise. */
const TYPED_CLASSES: ReadonlySet<string> = new Set([
  ...BERT_CLASSES.filter((name) => name !== 'DistilBertTokenizer'),
  'CanineTokenizer',
  'DebertaTokenizer',
  'DebertaV2Tokenizer',
  'FNetTokenizer',
])

/** tokenizer_config.json's class, else config.json's, else the one that goes with the model's type; '' where none is known. */
export function tokenizerClass(named: string | null | undefined, config: ConfigJson): string {
  const own = NamedClass.safeParse(config).data?.tokenizer_class
  const { model_type: type } = config
  return named ?? own ?? (Object.hasOwn(CLASS_OF_MODEL, type) ? (CLASS_OF_MODEL[type] as string) : '')
}

/** `inputs`: tokenizer_config.json's `model_input_names`, which counts before the class. */
export function passesTokenTypes(className: string, inputs: readonly string[] | null | undefined): boolean {
  return inputs?.includes('token_type_ids') ?? TYPED_CLASSES.has(withoutFast(className))
}

/** Whether tokenizers of this class read all text in lower case, whatever tokenizer.json says. */
export function lowersCase(className: string): boolean {
  return withoutFast(className) === 'Siglip2Tokenizer'
}

/** How a tokenizer of this class is made of vocabulary files; undefined where that is not known here. */
export function recipeOf(className: string): 'bert' | 'mpnet' | 'roberta' | 'gpt2' | 'clip' | undefined {
  const name = withoutFast(className)
  if (BERT_CLASSES.includes(name)) return 'bert'
  if (name === 'MPNetTokenizer') return 'mpnet'
  if (name === 'GPT2Tokenizer') return 'gpt2'
  if (name === 'CLIPTokenizer') return 'clip'
  return ROBERTA_CLASSES.includes(name) ? 'roberta' : undefined
}

/** The class that would read a model of SentencePiece, 'TokenizersBackend' where it is none in particular. */
export function pieceClass(className: string, modelType: string): string {
  const name = withoutFast(className)
  const isPlain = PLAIN_CLASSES.includes(name) || CLASSLESS_MODELS.includes(modelType)
  return isPlain ? 'TokenizersBackend' : name
}

function withoutFast(className: string): string {
  return className.replace(/Fast$/, '')
}
