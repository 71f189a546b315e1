/** `npm run chaos [-- jobs [seed]]`: exit code 1 where a job was lost, doubled or answered wrongly, or nothing went wrong on purpose. */
import { describeProblems, describeReport, isClean } from '../gateway/describe-report.ts'
import { runChaos } from './run-chaos.ts'

const [jobs = '10000', seed = '1'] = process.argv.slice(2)
const print = (line: string) => console.log(line)
const { report, wrong, kills, freezes, seconds } = await runChaos({
  jobs: Number(jobs),
  seed: Number(seed),
  print,
})
for (const problem of [...describeProblems(report), ...wrong.slice(0, 20)]) print(problem)
print(
  `${describeReport(report)}; ${wrong.length} wrong; ${kills} kills, ${freezes} freeze; ${seconds.toFixed(1)} s`,
)
// A run without kills and faults proves nothing.
const isTested = kills > 0 && Object.keys(report.faultsInjected).length > 0
process.exitCode = isClean(report) && wrong.length === 0 && isTested ? 0 : 1
