import type { ConfigReader } from '../config-reader.ts'
import type { ClassifierPlan } from '../heads/classifier.ts'
import type { EncoderPlan } from '../layers/encoder.ts'

/** One architecture: how its config.json and its tensor names become a plan. Data only; shared code builds the graph. */
export interface Family {
  /** Values of `model_type` in config.json. */
  readonly modelTypes: readonly string[]
  /** Prefixes that checkpoints put before the names below, the likeliest first. */
  readonly prefixes: readonly string[]
  /** The tensor by which the prefix is found. */
  readonly probe: string
  /** Tensors that match are part of the body: one that the plan does not use means another architecture. */
  readonly body: RegExp
  /** Exceptions to `body`. */
  readonly ignored: readonly RegExp[]
  readonly plan: (config: ConfigReader) => EncoderPlan
  readonly classifier: ClassifierPlan
}
