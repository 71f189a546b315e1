import { beforeEach, describe, expect, test } from 'vitest'
import type { Sent } from '../../../../tools/gateway/job-entry.ts'
import { Ledger } from '../../../../tools/gateway/ledger.ts'

let nowMs: number
let ledger: Ledger
beforeEach(() => {
  nowMs = 0
  ledger = new Ledger(() => nowMs)
})

function give(
  workerId: string,
  { sent = 'whole', injected = false }: { sent?: Sent; injected?: boolean } = {},
) {
  ledger.handedOut('j', workerId, { injected }).sent = sent
}

function post(workerId: string, { status = 200, sent = 'whole', failed = false }: PostOptions = {}) {
  const body = Buffer.from(failed ? '{"error":"no"}' : '{"output":1}')
  ledger.postAnswered(ledger.resultPosted('j', workerId, { body, failed }), status, sent)
}

interface PostOptions {
  readonly status?: number
  readonly sent?: Sent
  readonly failed?: boolean
}

/** One job that worker `w` has run and answered. */
function answeredJob(): void {
  ledger.queued('j')
  give('w')
  post('w')
  ledger.ended('j', 'COMPLETED')
}

const CLEAN = { submitted: 1, answered: 1, lost: [], answeredTwice: [], runTwice: [], abandoned: [] }

test('a job that was run and answered once is clean', () => {
  answeredJob()
  expect(ledger.report()).toMatchObject({ ...CLEAN, deliveries: 1, results: 1, requeued: 0 })
})

describe('lost', () => {
  test('is a job that nobody ever had', () => {
    ledger.queued('j')
    expect(ledger.report()).toMatchObject({ answered: 0, lost: [{ id: 'j', why: 'no worker ever had it' }] })
  })

  test('is a job that was handed out and never ended', () => {
    ledger.queued('j')
    give('w')
    expect(ledger.report().lost).toEqual([{ id: 'j', why: 'it was handed out and never ended' }])
  })

  test('is a job whose result ended it without reaching it', () => {
    answeredJob()
    ledger.spoiled('j', 'its result was too large')
    expect(ledger.report().lost).toEqual([{ id: 'j', why: 'its result was too large' }])
  })

  test('is a job that failed, was retried, and never ended again', () => {
    ledger.queued('j')
    give('w')
    post('w', { failed: true })
    ledger.ended('j', 'FAILED')
    ledger.queued('j')
    expect(ledger.report().lost).toHaveLength(1)
  })

  test('is no job that was cancelled before anybody had it', () => {
    ledger.queued('j')
    ledger.ended('j', 'CANCELLED')
    expect(ledger.report()).toMatchObject(CLEAN)
  })
})

describe('answered twice', () => {
  test('is a job that ended twice', () => {
    answeredJob()
    ledger.ended('j', 'FAILED')
    expect(ledger.report().answeredTwice).toEqual([
      { id: 'j', why: 'it ended 2 times, as COMPLETED, FAILED' },
    ])
  })

  test('is a job of which clients were told different things', () => {
    answeredJob()
    ledger.clientAnswered('j', Buffer.from('one'))
    ledger.clientAnswered('j', Buffer.from('two'))
    expect(ledger.report().answeredTwice).toEqual([{ id: 'j', why: 'clients were given different answers' }])
  })

  test('is no job whose client asked twice and was told the same', () => {
    answeredJob()
    ledger.clientAnswered('j', Buffer.from('one'))
    ledger.clientAnswered('j', Buffer.from('one'))
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is no job that a client retried', () => {
    ledger.queued('j')
    give('w')
    post('w', { failed: true })
    ledger.ended('j', 'FAILED')
    ledger.clientAnswered('j', Buffer.from('failed'))
    ledger.queued('j')
    give('w')
    post('w')
    ledger.ended('j', 'COMPLETED')
    ledger.clientAnswered('j', Buffer.from('completed'))
    expect(ledger.report()).toMatchObject(CLEAN)
  })
})

describe('run twice', () => {
  test('is a job with more acknowledged results than deliveries', () => {
    answeredJob()
    post('w')
    expect(ledger.report().runTwice).toEqual([
      { id: 'j', why: 'w ended 2 runs of it; its deliveries explain 1' },
    ])
  })

  test('is a job that was doubled on purpose and not recognised', () => {
    answeredJob()
    give('w', { injected: true })
    post('w')
    expect(ledger.report().runTwice).toHaveLength(1)
  })

  test('is no job whose doubled delivery was recognised', () => {
    answeredJob()
    give('w', { injected: true })
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test.each<[string, PostOptions]>([
    ['the connection ended before the answer', { sent: 'none' }],
    ['the answer broke off', { sent: 'partial' }],
    ['the answer was 503 although the result was taken', { status: 503 }],
    ['the result was rejected and another took its place', { status: 400 }],
  ])('is no job whose result was posted again because %s', (_, first) => {
    ledger.queued('j')
    give('w')
    post('w', first)
    post('w')
    ledger.ended('j', 'COMPLETED')
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is a job that was posted again after one sabotaged and one good answer', () => {
    answeredJob()
    post('w', { sent: 'none' })
    post('w')
    expect(ledger.report().runTwice).toHaveLength(1)
  })

  test('is no job that two workers ran, one of them thought dead', () => {
    answeredJob()
    give('w2')
    post('w2')
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is no job that one worker was given twice in earnest', () => {
    answeredJob()
    give('w')
    post('w')
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is a job whose second delivery never left', () => {
    answeredJob()
    give('w', { sent: 'none' })
    post('w')
    expect(ledger.report().runTwice).toHaveLength(1)
  })

  test('is no job that a worker knows from a doubled delivery alone', () => {
    answeredJob()
    give('w2', { injected: true })
    post('w2')
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is no failed job whose doubled delivery looked like a retry', () => {
    ledger.queued('j')
    give('w')
    post('w', { failed: true })
    ledger.ended('j', 'FAILED')
    give('w', { injected: true })
    post('w', { failed: true })
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is no job that was stopped, forgotten, and doubled', () => {
    ledger.queued('j')
    give('w')
    post('w')
    ledger.ended('j', 'CANCELLED')
    give('w', { injected: true })
    post('w')
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is no job of a worker that was frozen as its answer came', () => {
    ledger.queued('j')
    give('w')
    nowMs = 500
    post('w')
    ledger.ended('j', 'COMPLETED')
    nowMs = 1000
    ledger.frozen('w')
    nowMs = 8000
    ledger.thawed('w')
    nowMs = 9000
    post('w')
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is told again some time after a thaw', () => {
    ledger.queued('j')
    give('w')
    ledger.frozen('w')
    ledger.thawed('w')
    nowMs = 20_000
    post('w')
    post('w')
    ledger.ended('j', 'COMPLETED')
    expect(ledger.report().runTwice).toHaveLength(1)
  })
})

describe('abandoned', () => {
  /** Given to `w`, taken away as unlisted, run by another. */
  function unlistedJob(between: () => void, sent: Sent = 'whole'): void {
    ledger.queued('j')
    give('w', { sent })
    between()
    nowMs = 5000
    ledger.unlisted('j', 'w')
    ledger.requeued('j')
    give('w2')
    post('w2')
    ledger.ended('j', 'COMPLETED')
  }

  test('is a job that its worker had for certain and did not list', () => {
    unlistedJob(() => {})
    expect(ledger.report()).toMatchObject({
      requeued: 1,
      abandoned: [{ id: 'j', why: 'w dropped it after 0 posts of its result' }],
    })
  })

  test.each<[string, () => void]>([
    ['answered with an error', () => post('w', { status: 500 })],
    ['cut off', () => post('w', { sent: 'none' })],
    ['refused unread', () => ledger.resultRefused('j', 'w')],
  ])(
    'is a job whose result was given up after a post that was %s, even if the worker died soon',
    (_, between) => {
      unlistedJob(between)
      ledger.killed('w')
      expect(ledger.report().abandoned).toEqual([
        { id: 'j', why: 'w dropped it after 1 posts of its result' },
      ])
    },
  )

  test('is no job that never arrived', () => {
    unlistedJob(() => {}, 'none')
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is no job that its worker answered after all', () => {
    unlistedJob(() => {})
    post('w')
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is no job of a worker that died before it could be more than slow', () => {
    unlistedJob(() => {})
    nowMs = 6000
    ledger.killed('w')
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is no job of a slow worker that was killed before its late result was taken', () => {
    unlistedJob(() => {})
    nowMs = 6000
    ledger.resultRefused('j', 'w')
    ledger.killed('w')
    expect(ledger.report()).toMatchObject(CLEAN)
  })

  test('is no job that was given to a frozen worker', () => {
    ledger.frozen('w')
    unlistedJob(() => {})
    expect(ledger.report()).toMatchObject(CLEAN)
  })
})

test('faults are counted by kind', () => {
  ledger.faultInjected('hang')
  ledger.faultInjected('hang')
  ledger.faultInjected('duplicate')
  expect(ledger.report().faultsInjected).toEqual({ hang: 2, duplicate: 1 })
})

test('what it knows of a job can be written down', () => {
  answeredJob()
  expect(JSON.parse(JSON.stringify(ledger.jobs()))).toMatchObject([
    {
      id: 'j',
      deliveries: [{ workerId: 'w', sent: 'whole' }],
      posts: [{ status: 200 }],
      ends: ['COMPLETED'],
    },
  ])
})
