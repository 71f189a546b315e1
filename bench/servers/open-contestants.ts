/** Who takes part: opened one after the other, each held against our vectors; who cannot is skipped, with the reason. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../src/errors.ts'
import type { LoadClient } from '../client/start-client.ts'
import type { ContestantRow } from '../report/results.ts'
import { checkAgreement, leastCosine } from '../scenes/agreement.ts'
import type { Contestant } from './contestant.ts'
import { treeMegabytes } from './process-group.ts'

/** A contestant that may yet turn out not to be there. */
export interface Candidate {
  readonly id: string
  readonly open: (client: LoadClient) => Promise<Contestant>
}

export interface Opened {
  readonly contestant: Contestant
  readonly leastCosine: number
  readonly loadedMb: number | undefined
}

export interface Field {
  readonly opened: readonly Opened[]
  readonly skipped: readonly { readonly peer: string; readonly reason: string }[]
}

/** Allocators give back what loading took within a moment. */
const SETTLE_MS = 1000

/** The first is ours, without which nothing can be compared: it throws where that cannot be opened. */
export async function openField(candidates: readonly Candidate[], client: LoadClient): Promise<Field> {
  const opened: Opened[] = []
  const skipped: { peer: string; reason: string }[] = []
  for (const { id, open } of candidates) {
    let contestant: Contestant | undefined
    try {
      contestant = await open(client)
      const [ours = contestant] = opened.map((one) => one.contestant)
      const found = await leastCosine(ours, contestant)
      checkAgreement(found)
      await sleep(SETTLE_MS)
      const loadedMb = treeMegabytes(contestant.pid)
      opened.push({ contestant, leastCosine: found, loadedMb })
      console.log(`  ${contestant.title}: ready`)
    } catch (error) {
      await contestant?.stop()
      if (opened.length === 0) throw error
      const reason = messageOf(error)
      skipped.push({ peer: id, reason })
      console.log(`  ${id}: skipped, ${reason}`)
    }
  }
  return { opened, skipped }
}

/** Stops all. Resolves to what the results say of each. */
export async function closeField(opened: readonly Opened[]): Promise<ContestantRow[]> {
  const rows = opened.map(({ contestant, leastCosine: cosine, loadedMb }) => {
    const { id, title, versions, settings, isServer, pid } = contestant
    const memory = { loadedMb: loadedMb ?? null, afterMb: treeMegabytes(pid) ?? null }
    return { id, title, versions, settings, isServer, leastCosine: cosine, ...memory }
  })
  await Promise.all(opened.map(({ contestant }) => contestant.stop()))
  return rows
}
