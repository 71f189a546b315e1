/** The exported model of a folder that has no weights of its own. */
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { exists, hasWeights } from './weight-files.ts'
import type { RequestedDtype } from './spec.ts'
import { dtypeOfName, exportPaths, integerUnit } from './export-names.ts'
import { pointAtData } from './onnx-data.ts'
import { readOnnx } from './onnx-file.ts'
import type { ExportedDtype, ExportedModel } from './exported-spec.ts'

/**
 * Undefined where the folder holds weights, which are exact and are compiled here, or no exported model either. Throws
 * `model_invalid` for a file that is broken, or whose data is missing or elsewhere.
 */
export async function openExported(
  folder: string,
  model: string,
  asked: RequestedDtype,
): Promise<ExportedModel | undefined> {
  if (await hasWeights(folder)) return undefined
  const name = await findExported(folder, asked)
  if (name === undefined) return undefined
  const path = join(folder, name)
  const shown = `${model}: ${name}`
  const { locations, ...facts } = await readOnnx(path, shown)
  return {
    file: await realpath(path),
    name,
    dtype: dtypeOfName(name) ?? dtypeOfWeights(facts.stored),
    ...facts,
    ...(locations.size > 0 && { content: await pointAtData({ path, name: shown }, locations) }),
  }
}

async function findExported(folder: string, asked: RequestedDtype): Promise<string | undefined> {
  for (const path of exportPaths(asked, await integerUnit()))
    if (await exists(join(folder, path))) return path
  return undefined
}

const DTYPES: Readonly<Record<string, ExportedDtype>> = {
  float16: 'fp16',
  bfloat16: 'bf16',
  int8: 'int8',
  uint8: 'int8',
  int4: 'int4',
  uint4: 'int4',
}

/** Of most of them, by their bytes. */
function dtypeOfWeights(stored: Readonly<Record<string, number>>): ExportedDtype {
  const [largest] = Object.entries(stored).sort(([, one], [, other]) => other - one)
  return DTYPES[largest?.[0] ?? ''] ?? 'fp32'
}
