/** CUDA_VISIBLE_DEVICES, by CUDA's own rules. */
import { expect, test } from 'vitest'
import { parseGpuTable, withSlices } from '../../../src/devices/read-smi.ts'
import { visibleGpus } from '../../../src/devices/visible-devices.ts'
import { smiRow, uuidOf } from './fake-machine.ts'

const { gpus } = parseGpuTable(smiRow() + smiRow({ place: 1 }) + smiRow({ place: 2 }))

test.each([
  [undefined, [0, 1, 2]],
  ['2,0', [2, 0]],
  [' 1 , 2 ', [1, 2]],
  ['1,-1,2', [1]],
  ['0,3,1', [0]],
  ['0,x,1', [0]],
  ['1gpu,2', [1, 2]],
  ['0,0', []],
  ['0,1,0', []],
  ['', []],
  [uuidOf(1), [1]],
  [`${uuidOf(1).slice(0, 8)},${uuidOf(0)}`, [1, 0]],
  // both begin so
  [uuidOf(1).slice(0, 6), []],
  [`${uuidOf(1)},${uuidOf(1).slice(0, 9)}`, []],
  [`${uuidOf(0)},GPU-77,${uuidOf(1)}`, [0]],
  // numbers and names do not mix
  [`${uuidOf(0)},1`, [0]],
  [`1,${uuidOf(0)}`, [1]],
  ['gpu-1', []],
])('"%s" shows GPUs %o', (value, places) => {
  expect(visibleGpus(gpus, value).map(({ place }) => place)).toEqual(places)
})

test('a sliced GPU shows one slice, whatever names it', () => {
  const table = parseGpuTable(smiRow({ place: 0 }) + smiRow({ place: 1, mig: 'Enabled' }))
  const list =
    'GPU 0: x\nGPU 1: y\n  MIG 1g.10gb  Device 0: (UUID: MIG-a1)\n  MIG 2g.20gb  Device 1: (UUID: MIG-b2)\n'
  const sliced = withSlices(table.gpus, list)
  const shown = (value: string | undefined) => visibleGpus(sliced, value).map(({ uuid }) => uuid)
  expect(shown('1')).toEqual(['MIG-a1'])
  expect(shown('MIG-b2,MIG-a1')).toEqual(['MIG-b2'])
  expect(shown(uuidOf(1))).toEqual(['MIG-a1'])
  expect(shown('0')).toEqual([uuidOf(0)])
  expect(shown(`${uuidOf(0)},`)).toEqual([uuidOf(0)])
  expect(shown(undefined)).toEqual(['MIG-a1'])
})

test('a slice whose name tells no memory is as good as broken', () => {
  const { gpus } = parseGpuTable(smiRow({ mig: 'Enabled' }))
  const [gpu] = visibleGpus(withSlices(gpus, 'GPU 0: x\n  MIG odd  Device 0: (UUID: MIG-a1)\n'), undefined)
  expect(gpu?.broken).toBe('MIG odd')
})
