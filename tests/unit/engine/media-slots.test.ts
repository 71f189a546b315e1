import { expect, test } from 'vitest'
import { MediaSlots } from '../../../src/engine/media-slots.ts'
import type { Priority } from '../../../src/task.ts'
import { settle } from '../../fakes/runner.ts'

const NEVER = new AbortController().signal

/** Says who was let in, in which order. */
function takerOf(slots: MediaSlots, order: string[]) {
  return async (name: string, count: number, priority: Priority = 'normal', signal = NEVER) => {
    await slots.take(count, priority, signal)
    order.push(name)
  }
}

test('as many are let in as there are slots, and the others as slots are given back', async () => {
  const slots = new MediaSlots(4)
  const order: string[] = []
  const take = takerOf(slots, order)
  void take('a', 3)
  void take('b', 1)
  void take('c', 2)
  await settle()
  expect(order).toEqual(['a', 'b'])
  slots.give(1)
  await settle()
  expect(order).toEqual(['a', 'b'])
  slots.give(1)
  await settle()
  expect(order).toEqual(['a', 'b', 'c'])
})

test('who needs fewer passes who needs more than is free, but not for ever', async () => {
  const slots = new MediaSlots(4)
  const order: string[] = []
  const take = takerOf(slots, order)
  await take('a', 2)
  void take('many', 4)
  void take('few', 1)
  await settle()
  expect(order).toEqual(['a', 'few'])
  void take('other', 1)
  void take('late', 1)
  await settle()
  expect(order).toEqual(['a', 'few', 'other'])
  slots.give(3)
  await settle()
  expect(order).toEqual(['a', 'few', 'other'])
  slots.give(1)
  await settle()
  expect(order).toEqual(['a', 'few', 'other', 'many'])
  slots.give(4)
  await settle()
  expect(order).toEqual(['a', 'few', 'other', 'many', 'late'])
})

test('the most urgent come first, but every fourth time who waits longest does', async () => {
  const slots = new MediaSlots(1)
  const order: string[] = []
  const take = takerOf(slots, order)
  await take('first', 1)
  void take('low', 1, 'low')
  for (const name of ['a', 'b', 'c', 'd']) void take(name, 1, 'high')
  for (let given = 0; given < 5; given++) {
    slots.give(1)
    await settle()
  }
  expect(order).toEqual(['first', 'a', 'b', 'low', 'c', 'd'])
})

test('whoever gives up waits no more, takes nothing, and lets in who waits behind', async () => {
  const slots = new MediaSlots(2)
  const order: string[] = []
  const take = takerOf(slots, order)
  await take('a', 1)
  const ending = new AbortController()
  const given = take('gone', 2, 'high', ending.signal)
  void take('b', 1)
  await settle()
  expect(order).toEqual(['a'])
  ending.abort()
  await expect(given).rejects.toMatchObject({ code: 'cancelled' })
  await settle()
  expect(order).toEqual(['a', 'b'])
  await expect(take('late', 1, 'normal', ending.signal)).rejects.toMatchObject({ code: 'cancelled' })
})
