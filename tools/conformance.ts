/** `npm run conformance`: all golden fixtures through the engine, as a table in docs/models.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../src/errors.ts'
import { BUNDLED, listFixtures } from '../tests/interpreter/golden-batch.ts'
import type { Measured } from './conformance/measure.ts'
import { measureFixture } from './conformance/measure.ts'
import { TOLERANCE, conformanceTable, joinFixtures, withTable } from './conformance/table.ts'

const DOCUMENT = join(import.meta.dirname, '../docs/models.md')

/** By family: the folder that its fixtures stand in. What is not within the tolerance is told on standard error. */
export async function measureAll(): Promise<{ families: Map<string, Measured[]>; failures: string[] }> {
  const families = new Map<string, Measured[]>()
  const failures: string[] = []
  for (const { name, folder, golden } of listFixtures()) {
    const family = name === BUNDLED ? `${name} (all-MiniLM-L6-v2)` : (name.split('/')[0] ?? name)
    try {
      const measured = await measureFixture(folder, golden)
      families.set(family, [...(families.get(family) ?? []), measured])
      const { difference, sameIds, cases } = measured
      if (difference > TOLERANCE || Number.isNaN(difference)) failures.push(`${name}: ${difference}`)
      if (sameIds < cases) failures.push(`${name}: ${cases - sameIds} of ${cases} cases have other token ids`)
    } catch (error) {
      failures.push(`${name}: ${messageOf(error)}`)
    }
  }
  return { families, failures }
}

if (import.meta.main) {
  const { families, failures } = await measureAll()
  if (failures.length > 0) {
    console.error(`${failures.join('\n')}\nThe table is left as it was.`)
    process.exitCode = 1
  } else {
    const rows = [...families].map(([family, fixtures]) => joinFixtures(family, fixtures))
    const table = conformanceTable(rows)
    writeFileSync(DOCUMENT, withTable(readFileSync(DOCUMENT, 'utf8'), table))
    console.log(table)
  }
}
