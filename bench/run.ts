/** `npm run bench` and `npm run bench:full`: measures, prints Markdown, and writes results and plots. Marks are aims, never asserted. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../src/errors.ts'
import type { Flags } from './flags.ts'
import { USAGE, readFlags } from './flags.ts'
import { resultName } from './gpu/results.ts'
import { printMachine } from './harness.ts'
import { PARTS } from './parts/parts.ts'
import { openReport } from './parts/part.ts'
import { plotsOf } from './report/plots.ts'
import type { FigureRow, Results } from './report/results.ts'
import { aboutMachine, writeResults } from './report/results.ts'
import { clientTable, memoryTable, sceneTable, startTable } from './report/table.ts'
import { measureServers } from './measure-servers.ts'

const RESULTS = fileURLToPath(new URL('./results', import.meta.url))

let flags: Flags | undefined
try {
  flags = readFlags(process.argv.slice(2))
} catch (error) {
  console.error(`${messageOf(error)}\n\n${USAGE}`)
  process.exit(2)
}
if (flags === undefined) console.log(USAGE)
else await run(flags)

async function run(flags: Flags): Promise<void> {
  const startMs = performance.now()
  const date = new Date()
  const machine = aboutMachine()
  printMachine()
  const servers = await measureServers(flags)
  const figures: FigureRow[] = []
  for (const group of flags.groups) {
    const part = PARTS[group]
    if (part !== undefined)
      await part(
        openReport(group, (row) => figures.push(row)),
        flags.profile.parts,
      )
  }
  const { profile, groups, minutes } = flags
  const minutesTaken = Number(((performance.now() - startMs) / 60_000).toFixed(1))
  const about = {
    date: date.toISOString(),
    ...machine,
    command: `npm run bench -- ${process.argv.slice(2).join(' ')}`.trim(),
    profile: { ...profile, groups, minutes: groups.includes('memory') ? minutes : undefined },
    minutesTaken,
  }
  report({ about, ...servers, figures }, flags.json ?? defaultPath(date, flags))
}

/** The benches of this process have said already what they found. */
function report(results: Results, path: string): void {
  writeResults(path, results)
  const tables = [sceneTable(results), startTable(results), memoryTable(results), clientTable(results)]
  for (const table of tables.filter((text) => text !== '')) console.log(`\n${table}`)
  console.log(`\n× : ours ÷ theirs, median over rounds.\n${path}`)
  for (const [name, svg] of Object.entries(plotsOf(results))) {
    const file = path.replace(/(?:\.json)?$/, `-${name}.svg`)
    writeFileSync(file, svg)
    console.log(file)
  }
}

function defaultPath(date: Date, { profile }: Flags): string {
  return join(RESULTS, `${resultName(date, String(aboutMachine()['processor']))}-${profile.name}.json`)
}
