/** By what a model in 8 bits is known: all that its codes and its fidelity depend on. */
import { createHash } from 'node:crypto'
import type { ModelSpec } from '../../model/spec.ts'
import { ORT_VERSION } from '../session.ts'
import { identityOf, ownerOfFile } from '../weights/owner.ts'
import type { Int8Ask } from './protocol.ts'

/** Counts up when the same model comes to other codes or another fidelity, or when they are kept otherwise. */
const FORMAT = 2

export interface Int8Key {
  readonly owner: string
  readonly digest: string
}

/** Throws `load_failed` where a file of the model cannot be read. */
export async function int8Key(
  spec: ModelSpec,
  { mode, calibration, trial }: Int8Ask,
  greatestCode: number,
): Promise<Int8Key> {
  const files = [...new Set(Object.values(spec.tensors).map(({ file }) => file))].sort()
  const identities = await Promise.all(files.map(identityOf))
  const texts = [calibration, trial].flatMap(({ ids, bounds }) => [[...ids], [...bounds]])
  const facts = { format: FORMAT, ort: ORT_VERSION, mode, greatestCode, identities, spec, texts }
  return {
    owner: `${ownerOfFile(files[0] ?? '')}-int8-${mode}`,
    digest: createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32),
  }
}
