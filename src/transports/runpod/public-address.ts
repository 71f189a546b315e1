/** Addresses that a client may make this server connect to: none of its own network, and no cloud's metadata service. */
import { lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { BlockList, isIP } from 'node:net'

// IANA's special-purpose registries; IPv4 rules hold for IPv4-mapped IPv6 addresses too.
const NOT_PUBLIC_V4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 ' +
  '192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4'
const NOT_PUBLIC_V6 =
  '::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 ' +
  'fc00::/7 fe80::/9 ff00::/8'

const notPublic = new BlockList()
for (const [family, ranges] of [
  ['ipv4', NOT_PUBLIC_V4],
  ['ipv6', NOT_PUBLIC_V6],
] as const) {
  for (const range of ranges.split(' ')) {
    const [net = '', prefix] = range.split('/')
    notPublic.addSubnet(net, Number(prefix), family)
  }
}

/** Of an address in digits. */
export function isPublicAddress(address: string): boolean {
  return !notPublic.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** Throws where the host of a URL is written in digits, which are never looked up, and is not public. */
export function expectPublicHost({ hostname }: URL): void {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw new NotPublicHost(hostname)
}

/** For `connect`: what was checked is what is connected to, so that a name cannot change its address in between. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? []
    if (error !== null) callback(error, '')
    else if (first === undefined || !addresses.every(({ address }) => isPublicAddress(address))) {
      callback(new NotPublicHost(hostname), '')
    } else if (options.all) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}

/** Says nothing of the address: an answer to whoever probes a network. */
export class NotPublicHost extends Error {
  override readonly name = 'NotPublicHost'

  constructor(hostname: string) {
    super(`${hostname} is not the name of a public host`)
  }
}
