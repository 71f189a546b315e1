import type { ConfigReader } from '../config-reader.ts'
import type { ClassifierPlan } from '../heads/classifier.ts'
import type { LanguageHeadPlan } from '../heads/sparse.ts'
import type { EncoderPlan } from '../layers/encoder-plan.ts'

/** One architecture: how its config.json and its tensor names become a plan. Data only; shared code builds the graph. */
export interface Family {
  /** Values of `model_type` in config.json. */
  readonly modelTypes: readonly string[]
  /** Prefixes that checkpoints put before the names below, the likeliest first. */
  readonly prefixes: readonly string[]
  /** The tensor by which the prefix is found; of several families of one `model_type`, the first whose probe a folder holds is it. */
  readonly probe: string
  /** Tensors that match are part of the body: one that the plan does not use means another architecture. */
  readonly body: RegExp
  /** Exceptions to `body`. */
  readonly ignored: readonly RegExp[]
  /** Weights may stand under the name that torch gives to one which adapters can change. */
  readonly adapted?: true
  /** Activations are known to leave the range of half precision: `auto` takes bfloat16 then. */
  readonly overflowsHalf?: true
  readonly plan: (config: ConfigReader) => EncoderPlan
  /** Undefined: its classifiers are unknown. */
  readonly classifier?: (config: ConfigReader) => ClassifierPlan
  /** Of its masked language models; undefined: they are unknown. */
  readonly languageHead?: (config: ConfigReader) => LanguageHeadPlan
}
