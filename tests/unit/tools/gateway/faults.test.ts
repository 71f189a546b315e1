import { expect, test } from 'vitest'
import type { FaultRates, FaultRoute } from '../../../../tools/gateway/faults.ts'
import { FAULTS, FAULT_KINDS, FaultPlan } from '../../../../tools/gateway/faults.ts'

const SOME: FaultRates = { 'fail-5xx': 0.1, 'drop-after': 0.2, duplicate: 0.3 }

function draw(plan: FaultPlan, route: FaultRoute, count: number) {
  return Array.from({ length: count }, () => plan.next(route))
}

test('the same seed plans the same faults', () => {
  expect(draw(new FaultPlan(SOME, 7), 'take', 500)).toEqual(draw(new FaultPlan(SOME, 7), 'take', 500))
})

test('another seed plans others', () => {
  expect(draw(new FaultPlan(SOME, 7), 'take', 500)).not.toEqual(draw(new FaultPlan(SOME, 8), 'take', 500))
})

test('what happens on one route does not change the faults of another', () => {
  const busy = new FaultPlan(SOME, 7)
  const faults = Array.from({ length: 200 }, () => {
    busy.next('ping')
    busy.next('done')
    return busy.next('take')
  })
  expect(faults).toEqual(draw(new FaultPlan(SOME, 7), 'take', 200))
})

test('each kind comes as often as its rate says, and leaves the rest alone', () => {
  const faults = draw(new FaultPlan(SOME, 1), 'take', 20_000)
  const share = (kind: string | undefined) => faults.filter((fault) => fault?.kind === kind).length / 20_000
  expect(share('fail-5xx')).toBeCloseTo(0.1, 1.5)
  expect(share('drop-after')).toBeCloseTo(0.2, 1.5)
  expect(share('duplicate')).toBeCloseTo(0.3, 1.5)
  expect(share(undefined)).toBeCloseTo(0.4, 1.5)
})

test('a kind strikes only the routes it is meant for', () => {
  for (const kind of FAULT_KINDS) {
    const struck = (['take', 'done', 'stream', 'ping', 'stop', 'clock'] as const).filter(
      (route) => new FaultPlan({ [kind]: 1 }, 1).next(route) !== undefined,
    )
    expect(struck.toSorted(), kind).toEqual([...FAULTS[kind].routes].sort())
  }
})

test('no rates, no faults', () => {
  expect(draw(new FaultPlan({}, 1), 'take', 100).filter(Boolean)).toEqual([])
})

test.each([
  [{ hang: 1.5 }, 'hang is 1.5; it must be a probability, from 0 to 1'],
  [{ hang: -0.1 }, 'hang is -0.1; it must be a probability, from 0 to 1'],
  [{ hang: NaN }, 'hang is NaN; it must be a probability, from 0 to 1'],
  [{ hang: 0.5, 'drop-before': 0.75 }, 'the faults of take have probabilities that add up to 1.25'],
])('rates that are no probabilities are refused: %j', (rates, message) => {
  expect(() => new FaultPlan(rates, 1)).toThrow(message)
})
