/** `npm run conformance`: all golden fixtures through the engine, as a table in docs/models.md. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../src/errors.ts'
import { BUNDLED, listFixtures } from '../tests/interpreter/golden-batch.ts'
import type { Measured } from './conformance/measure.ts'
import { measureFixture } from './conformance/measure.ts'
import { measurePictures, measureSounds } from './conformance/measure-media.ts'
import { TOLERANCE, conformanceTable, joinFixtures, withTable } from './conformance/table.ts'

const DOCUMENT = join(import.meta.dirname, '../docs/models.md')
const GOLDEN = join(import.meta.dirname, '../tests/golden')

/** A row of the table. */
interface Fixture {
  readonly family: string
  readonly name: string
  readonly measure: () => Promise<Measured>
}

/** By family: the folder that its fixtures stand in. What is not within the tolerance is told on standard error. */
export async function measureAll(): Promise<{ families: Map<string, Measured[]>; failures: string[] }> {
  const families = new Map<string, Measured[]>()
  const failures: string[] = []
  for (const { family, name, measure } of [...textFixtures(), ...mediaFixtures()]) {
    try {
      const measured = await measure()
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

function textFixtures(): readonly Fixture[] {
  return listFixtures().map(({ name, folder, golden }) => ({
    family: name === BUNDLED ? `${name} (all-MiniLM-L6-v2)` : (name.split('/')[0] ?? name),
    name,
    measure: () => measureFixture(folder, golden),
  }))
}

/** Pictures, with the texts of the same models, and sounds. */
function mediaFixtures(): readonly Fixture[] {
  const pictures = ['_vision', '_siglip', '_jina_clip'].flatMap(foldersOf)
  return [
    ...pictures.map((path) => mediaFixture(familyOf(path), path, measurePictures)),
    ...foldersOf('clap').map((path) => mediaFixture('clap, sounds', path, measureSounds)),
  ]
}

function mediaFixture(family: string, path: string, measure: (folder: string) => Promise<Measured>): Fixture {
  return { family, name: path, measure: () => measure(join(GOLDEN, path)) }
}

function foldersOf(family: string): string[] {
  return readdirSync(join(GOLDEN, family)).map((name) => `${family}/${name}`)
}

/** The folder's model_type; a tower alone is of the family that it is cut from. */
function familyOf(path: string): string {
  const config = JSON.parse(readFileSync(join(GOLDEN, path, 'model/config.json'), 'utf8')) as {
    model_type: string
  }
  return config.model_type.replace(/_vision_model$/, '')
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
