import { ServerError } from '../../errors.ts'
import type { ModelSpec } from '../../model/spec.ts'
import { findPrefix } from '../tensor-table.ts'
import { albert } from './albert.ts'
import { bert } from './bert.ts'
import { clip } from './clip.ts'
import { clapText } from './clap-text.ts'
import { deberta } from './deberta.ts'
import { distilbert } from './distilbert.ts'
import { electra } from './electra.ts'
import { eurobert } from './eurobert.ts'
import type { Family } from './family.ts'
import { gemma, gemma3 } from './gemma.ts'
import { gte, gteRenamed } from './gte.ts'
import { jinaBert, jinaCode } from './jina-bert.ts'
import { jinaClipBert, jinaClipText } from './jina-clip.ts'
import { jinaFlash, jinaFlashRenamed } from './jina-flash.ts'
import { llama, mistral } from './llama.ts'
import { modernbert } from './modernbert.ts'
import { mpnet } from './mpnet.ts'
import { nomic, nomicRenamed } from './nomic.ts'
import { qwen2, qwen3 } from './qwen.ts'
import { roberta } from './roberta.ts'
import { siglip } from './siglip.ts'
import { staticEmbedding } from './static.ts'
import { mt5, t5, umt5 } from './t5.ts'

const FAMILIES: readonly Family[] = [
  jinaBert,
  jinaCode,
  bert,
  jinaFlash,
  jinaFlashRenamed,
  roberta,
  clapText,
  distilbert,
  mpnet,
  electra,
  albert,
  modernbert,
  nomic,
  nomicRenamed,
  gte,
  gteRenamed,
  eurobert,
  qwen2,
  qwen3,
  llama,
  mistral,
  gemma,
  gemma3,
  deberta,
  t5,
  mt5,
  umt5,
  staticEmbedding,
  clip,
  siglip,
  jinaClipBert,
  jinaClipText,
]

/**
 * The family of a folder. Where several share a `model_type`, the tensors tell; so the more general stands
 * behind the more particular; the last is spoken of where none fits.
 * Throws `model_unsupported`, listing what is supported.
 */
export function findFamily({
  name,
  modelType,
  tensors,
}: Pick<ModelSpec, 'name' | 'modelType' | 'tensors'>): Family {
  const families = FAMILIES.filter((candidate) => candidate.modelTypes.includes(modelType))
  const family = families.find((candidate) => findPrefix(candidate, tensors) !== undefined) ?? families.at(-1)
  if (family !== undefined) return family
  const supported = [...new Set(FAMILIES.flatMap((candidate) => candidate.modelTypes))].join(', ')
  throw new ServerError(
    'model_unsupported',
    `${name}: model_type "${modelType}" is not supported; supported are: ${supported}`,
  )
}
