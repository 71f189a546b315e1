import type { PartSizes } from '../profile.ts'
import { printFigure } from '../harness.ts'
import type { FigureRow } from '../report/results.ts'

/** Where a bench in this process says what it found: printed at once, and kept. */
export interface PartReport {
  /** What the figures that follow are about. */
  readonly section: (title: string) => void
  /** `mark`: what it should reach on a machine of 2 cores; never asserted. */
  readonly figure: (name: string, value: string, mark?: string) => void
}

export type Part = (report: PartReport, sizes: PartSizes) => Promise<void>

export function openReport(part: string, keep: (row: FigureRow) => void): PartReport {
  let section = part
  return {
    section(title) {
      section = title
      console.log(title)
    },
    figure(name, value, mark = '') {
      printFigure(name, value, mark)
      keep({ part, section, name, value, ...(mark === '' ? {} : { mark }) })
    },
  }
}
