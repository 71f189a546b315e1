/** transformers 5.23, models/clap/modeling_clap.py: RoBERTa; its pooler and the projection are steps of the head. */
import type { Family } from './family.ts'
import { roberta } from './roberta.ts'

export const clapText: Family = {
  modelTypes: ['clap_text_model'],
  prefixes: ['text_model.', ''],
  probe: roberta.probe,
  body: roberta.body,
  ignored: roberta.ignored,
  plan: roberta.plan,
}
