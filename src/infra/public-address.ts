import { BlockList, isIP } from 'node:net';

/**
 * IPv4 networks that are nobody's public server: the special-purpose registry of IANA, what is reserved, and the one metadata address that
 * lies in public space (Azure's; those of other clouds are link-local or shared).
 */
const NOT_PUBLIC_IPV4: readonly [network: string, bits: number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** Inside 2000::/3, but no public servers: protocol assignments (Teredo among them), documentation, 6to4, the former 6bone. */
const NOT_PUBLIC_IPV6: readonly [network: string, bits: number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3ffe::', 16],
  ['3fff::', 20],
];

/** How an IPv6-only network with NAT64 reaches IPv4 servers: the last 32 bits are the server's address. */
const NAT64_PREFIX = '64:ff9b::';
const NAT64_BITS = 96;

function createLists(): { allowedIpv6: BlockList; refused: BlockList } {
  const allowedIpv6 = new BlockList();
  allowedIpv6.addSubnet('2000::', 3, 'ipv6');
  allowedIpv6.addSubnet(NAT64_PREFIX, NAT64_BITS, 'ipv6');
  const refused = new BlockList();
  for (const [network, bits] of NOT_PUBLIC_IPV4) {
    refused.addSubnet(network, bits, 'ipv4');
    refused.addSubnet(`${NAT64_PREFIX}${network}`, NAT64_BITS + bits, 'ipv6');
  }
  for (const [network, bits] of NOT_PUBLIC_IPV6) refused.addSubnet(network, bits, 'ipv6');
  return { allowedIpv6, refused };
}

const { allowedIpv6, refused } = createLists();

/**
 * Whether an address is that of a public server, so that connecting to it can reach nothing inside a network.
 *
 * Of IPv6 only global unicast (2000::/3) and NAT64 of a public IPv4 address; every other form that carries an IPv4 address (mapped, compatible,
 * 6to4, Teredo, local NAT64) is refused whatever it carries, as no public server needs it.
 *
 * @param address  as a resolver gives it; any other text is not public
 */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !refused.check(address, 'ipv4');
  // A zone (`fe80::1%eth0`) exists for link-local addresses only.
  if (family !== 6 || address.includes('%')) return false;
  return allowedIpv6.check(address, 'ipv6') && !refused.check(address, 'ipv6');
}
