import type { LookupAddress } from 'node:dns'
import { describe, expect, test } from 'vitest'
import {
  expectPublicHost,
  isMachineAddress,
  isPublicAddress,
  lookupPublic,
} from '../../../src/base/public-address.ts'

test.each([
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:a9fe:a9fe',
  '::ffff:0:a9fe:a9fe',
  '::7f00:1',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  'fd00:ec2::254',
  'fe80::1',
  'ff02::1',
])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false)
})

test.each(['1.1.1.1', '172.15.0.1', '172.32.0.1', '192.167.1.1', '2606:4700::1111', '::ffff:1.1.1.1'])(
  '%s is public',
  (address) => {
    expect(isPublicAddress(address)).toBe(true)
  },
)

test.each([
  ['link-local', '169.254.169.254'],
  ['AWS, keys of tasks', '169.254.170.2'],
  ['AWS, keys of pods', '169.254.170.23'],
  ['AWS, time', '169.254.169.123'],
  ['AWS', 'fd00:ec2::254'],
  ['AWS, keys of pods', 'fd00:ec2::23'],
  ['AWS, names', 'fd00:ec2::253'],
  ['Azure', '168.63.129.16'],
  ['Azure, mapped', '::ffff:168.63.129.16'],
  ['Google Cloud', 'fd20:ce::254'],
  ['Oracle Cloud', '192.0.0.192'],
  ['Oracle Cloud', 'fd00:c1::a9fe:a9fe'],
  ['Alibaba Cloud', '100.100.100.200'],
  ['Alibaba Cloud', 'fd00:100::100:200'],
  ['Tencent Cloud', '169.254.0.23'],
  ['Volcengine', '100.96.0.96'],
  ['UCloud', '100.80.80.80'],
  ['Scaleway', '169.254.42.42'],
  ['Scaleway', 'fd00:42::42'],
  ['Akamai', 'fd00:a9fe:a9fe::1'],
  ['OpenStack', 'fe80::a9fe:a9fe'],
])('the metadata of a cloud (%s, %s) are neither public nor of a machine', (_, address) => {
  expect([isPublicAddress(address), isMachineAddress(address)]).toEqual([false, false])
})

test.each(['168.63.129.15', '168.63.129.17'])('%s, beside the address of Azure, is public', (address) => {
  expect([isPublicAddress(address), isMachineAddress(address)]).toEqual([true, true])
})

test.each(['10.0.0.1', '127.0.0.1', '100.64.0.1', '192.168.1.1', 'fd12:3456::1', '::1'])(
  '%s is of a machine, though not public',
  (address) => {
    expect([isPublicAddress(address), isMachineAddress(address)]).toEqual([false, true])
  },
)

describe('a host', () => {
  test.each([
    'http://127.0.0.1/',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://[::1]/',
    'http://[::ffff:10.0.0.1]/',
  ])('written as %s is refused', (url) => {
    expect(() => expectPublicHost(new URL(url))).toThrow('is not the name of a public host')
  })

  test.each(['http://1.1.1.1/', 'http://localhost/', 'http://[2606:4700::1111]/'])(
    'written as %s may be connected to, or is left to the lookup',
    (url) => {
      expectPublicHost(new URL(url))
    },
  )

  test.each([true, false])('by the name localhost is refused when it is looked up (all: %s)', async (all) => {
    const { promise, resolve } = Promise.withResolvers<[Error | null, string | LookupAddress[]]>()
    lookupPublic('localhost', { all }, (error, address) => resolve([error, address]))
    const [error, address] = await promise
    expect(error?.message).toBe('localhost is not the name of a public host')
    expect(address).toBe('')
  })

  test('by the name of a public address is given it, in the form that was asked for', async () => {
    const found = (all: boolean) =>
      new Promise((resolve) =>
        lookupPublic('1.1.1.1', { all }, (error, address, family) => resolve([error, address, family])),
      )
    expect(await found(false)).toEqual([null, '1.1.1.1', 4])
    expect(await found(true)).toEqual([null, [{ address: '1.1.1.1', family: 4 }], undefined])
  })
})
