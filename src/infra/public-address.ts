import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import type { LookupFunction } from 'node:net';

/**
 * IPv4 networks without public servers: the special-purpose registry of IANA, the reserved networks, and the one metadata address that lies
 * in public space (of Azure; those of other clouds are link-local or shared).
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

/** Networks inside 2000::/3 without public servers: protocol assignments (Teredo among them), documentation, 6to4, the former 6bone. */
const NOT_PUBLIC_IPV6: readonly [network: string, bits: number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3ffe::', 16],
  ['3fff::', 20],
];

/** The prefix by which an IPv6-only network with NAT64 reaches IPv4 servers: the last 32 bits are the server's address. */
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
 * Of IPv6, only global unicast (2000::/3) and NAT64 of a public IPv4 address are public. Every other form that carries an IPv4 address (mapped,
 * compatible, 6to4, Teredo, local NAT64) is not, whatever it carries, because no public server needs it.
 *
 * @param address  an address in the form that a resolver gives; any other text is not public
 */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !refused.check(address, 'ipv4');
  // A zone (`fe80::1%eth0`) exists for link-local addresses only.
  if (family !== 6 || address.includes('%')) return false;
  return allowedIpv6.check(address, 'ipv6') && !refused.check(address, 'ipv6');
}

async function resolveBySystem(hostname: string): Promise<string[]> {
  const found = await lookup(hostname, { all: true });
  return found.map(({ address }) => address);
}

/**
 * The addresses of a name, public or not. Stops waiting when the signal fires: a lookup by the system cannot be cancelled.
 *
 * @throws Error with a `code` (`ENOTFOUND`, `EAI_AGAIN`) where the name cannot be resolved
 */
export async function lookUpAddresses(
  hostname: string,
  signal: AbortSignal,
  resolve: (hostname: string) => Promise<string[]> = resolveBySystem,
): Promise<string[]> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new Error('the lookup was stopped'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([resolve(hostname), promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Replaces Node's resolver for one connection: it answers the given addresses, which were checked, and no others. */
export function pinnedLookup(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, answer) => {
    const [first] = found;
    if (options.all === true || first === undefined) answer(null, found);
    else answer(null, first.address, first.family);
  };
}
