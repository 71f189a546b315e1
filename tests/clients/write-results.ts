/** What the tests have shown of each client, for the table in the README. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reporter, TestModule, TestSuite } from 'vitest/node'
import type { ClientResult } from '../../tools/clients-table.ts'
import type { Claim } from './describe-client.ts'
import './describe-client.ts'

const HERE = import.meta.dirname

export default class WriteResults implements Reporter {
  /** A run of some of the files, or of some of their tests, says nothing of the others: it leaves the results as they are. */
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const reason of new Set(modules.flatMap(skipReasons))) process.stdout.write(`skipped: ${reason}\n`)
    // the Python clients write results of their own
    const own = modules.filter(({ relativeModuleId }) => !relativeModuleId.includes('/'))
    const files = readdirSync(HERE).filter((name) => name.endsWith('.test.ts'))
    const tests = own.flatMap(({ children }) => [...children.allTests()])
    const isWhole = own.length === files.length && tests.every((test) => test.result().state !== 'pending')
    // a server that did not start says nothing of its clients
    const isSound = own.every((module) => module.errors().length === 0)
    if (!isWhole || !isSound || tests.some(({ options }) => options.mode === 'skip')) return
    const suites = own.flatMap(({ children }) => [...children.allSuites()])
    const results = suites.flatMap((suite) => toResult(suite) ?? [])
    writeFileSync(join(HERE, 'results.json'), `${JSON.stringify(results.toSorted(byName), null, 2)}\n`)
  }
}

function toResult(suite: TestSuite): ClientResult | undefined {
  const claim: Claim | undefined = suite.meta().claim
  // a suite inside inherits the claim of the one around it
  if (claim === undefined || suite.parent.meta().claim !== undefined) return undefined
  const { how, ...line } = claim
  const tests = [...suite.children.allTests()]
  const failed = tests.filter((test) => test.result().state === 'failed').map(({ name }) => name)
  const skipped = tests.filter((test) => test.result().state === 'skipped')
  if (failed.length > 0) return { ...line, status: 'fails', reason: failed.join('; ') }
  if (skipped.length === 0) return { ...line, status: how }
  return { ...line, status: 'skipped', reason: skipReasons(suite).join('; ') }
}

function skipReasons({ children }: TestSuite | TestModule): string[] {
  const results = [...children.allTests('skipped')].map((test) => test.result() as { note?: string })
  return results.map(({ note = 'no reason given' }) => note)
}

function byName(one: ClientResult, other: ClientResult): number {
  return key(one) < key(other) ? -1 : 1
}

function key({ client, version, baseUrl }: ClientResult): string {
  return `${client} ${version} ${baseUrl}`
}
