/** Fits the simulator's device to this machine: `node bench/simulate/measure-device.ts` prints the constants of `device.ts`. */
import { availableParallelism } from 'node:os'
import { openBareSession } from '../bare-session.ts'
import { interleave, printFigure, printMachine } from '../harness.ts'
import { termsOf } from './device.ts'

/** Rows and the tokens of each. */
const SHAPES = [
  [1, 8],
  [1, 32],
  [1, 128],
  [1, 256],
  [4, 16],
  [4, 64],
  [2, 256],
  [8, 64],
  [16, 32],
  [32, 8],
  [32, 16],
  [4, 256],
] as const

const session = await openBareSession(availableParallelism())
const batches = SHAPES.map(([rows, length]) =>
  Array.from({ length: rows }, () => new Int32Array(length).fill(2000)),
)
const variants = batches.map((rows, index) => [String(index), () => session.packed(rows)] as const)
const seconds = await interleave(40, Object.fromEntries(variants))
const times = batches.map((_, index) => 1000 * Math.min(...(seconds[index] ?? [])))
const fitted = fit(
  SHAPES.map(([rows, length]) => termsOf(Array.from({ length: rows }, () => length))),
  times,
)

printMachine()
for (const [index, [rows, length]] of SHAPES.entries()) {
  const terms = termsOf(Array.from({ length: rows }, () => length))
  const said = terms.reduce((sum, term, k) => sum + term * (fitted[k] as number), 0)
  printFigure(`${rows} × ${length} tokens`, `${times[index]?.toFixed(2)} ms`, `fitted: ${said.toFixed(2)} ms`)
}
console.log(`batchMs, tokenMs, pairMs: ${fitted.map((value) => value.toExponential(3)).join(', ')}`)

/** Least squares of the relative error, by the normal equations. */
function fit(terms: readonly (readonly number[])[], values: readonly number[]): number[] {
  const size = terms[0]?.length ?? 0
  const rows = terms.map((row, index) => row.map((term) => term / (values[index] as number)))
  const matrix = Array.from({ length: size }, (_, i) => [
    ...Array.from({ length: size }, (_, j) =>
      sum(rows.map((row) => (row[i] as number) * (row[j] as number))),
    ),
    sum(rows.map((row) => row[i] as number)),
  ])
  for (let pivot = 0; pivot < size; pivot++) {
    const top = matrix[pivot] as number[]
    for (const [index, row] of matrix.entries()) {
      if (index === pivot) continue
      const factor = (row[pivot] as number) / (top[pivot] as number)
      for (let column = pivot; column <= size; column++)
        row[column] = (row[column] as number) - factor * (top[column] as number)
    }
  }
  return matrix.map((row, index) => (row[size] as number) / (row[index] as number))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
