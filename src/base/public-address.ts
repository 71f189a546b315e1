/** Addresses that a client may make this server connect to: none of its own network, and no cloud's metadata service. */
import { lookup as systemLookup } from 'node:dns'
import type { LookupAddress, LookupAllOptions } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { BlockList, isIP } from 'node:net'

// IANA's special-purpose registries, and the IPv4-translated addresses of RFC 2765, which hold any IPv4 address. IPv4 rules
// hold for IPv4-mapped IPv6 addresses too.
const NOT_PUBLIC_V4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 ' +
  '192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4'
const NOT_PUBLIC_V6 =
  '::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 ' +
  'fc00::/7 fe80::/9 ff00::/8'

// Where machines of an own network are.
const OWN_V4 = '10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16'
const OWN_V6 = '::1/128 fc00::/7'

// What answers with the keys of the machine itself, in ranges that are public or an own network's. The link-local ones, and
// Oracle's 192.0.0.192, are in neither.
const METADATA_V4 = [
  // Alibaba Cloud, Volcengine, UCloud
  '100.100.100.200/32 100.96.0.96/32 100.80.80.80/32',
  // Azure's WireServer, whose address is a public one
  '168.63.129.16/32',
].join(' ')
const METADATA_V6 = [
  // all that AWS has on a machine: metadata, keys of pods, names, time
  'fd00:ec2::/32',
  // Google Cloud, Oracle Cloud, Alibaba Cloud, Scaleway, Akamai
  'fd20:ce::254/128 fd00:c1::a9fe:a9fe/128 fd00:100::100:200/128 fd00:42::42/128 fd00:a9fe:a9fe::1/128',
].join(' ')

const notPublic = blockList(NOT_PUBLIC_V4, NOT_PUBLIC_V6)
const ownNetwork = blockList(OWN_V4, OWN_V6)
const metadata = blockList(METADATA_V4, METADATA_V6)

/** Whether an address in digits may be connected to. */
export type IsAllowed = (address: string) => boolean

/** As `dns.lookup` is called for all addresses of a name. */
export type LookupAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** Of an address in digits. */
export const isPublicAddress: IsAllowed = (address) => !isIn(notPublic, address) && !isIn(metadata, address)

/** Public, or of a machine in this network; never of a metadata service, nor of what is no machine's own. */
export const isMachineAddress: IsAllowed = (address) =>
  isPublicAddress(address) || (isIn(ownNetwork, address) && !isIn(metadata, address))

/** Throws where the host of a URL is written in digits, which are never looked up, and is not allowed. */
export function expectPublicHost({ hostname }: URL, isAllowed = isPublicAddress): void {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (isIP(address) !== 0 && !isAllowed(address)) throw new NotPublicHost(hostname)
}

/** For `connect`: what was checked is what is connected to, so that a name cannot change its address in between. */
export function checkedLookup(isAllowed: IsAllowed, lookup: LookupAll = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error !== null) callback(error, '')
      else if (first === undefined || !addresses.every(({ address }) => isAllowed(address))) {
        callback(new NotPublicHost(hostname), '')
      } else if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}

export const lookupPublic = checkedLookup(isPublicAddress)

/** Says nothing of the address: an answer to whoever probes a network. */
export class NotPublicHost extends Error {
  override readonly name = 'NotPublicHost'

  constructor(hostname: string) {
    super(`${hostname} is not the name of a public host`)
  }
}

function blockList(v4: string, v6: string): BlockList {
  const list = new BlockList()
  for (const [family, ranges] of [
    ['ipv4', v4],
    ['ipv6', v6],
  ] as const) {
    for (const range of ranges.split(' ')) {
      const [net = '', prefix] = range.split('/')
      list.addSubnet(net, Number(prefix), family)
    }
  }
  return list
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
