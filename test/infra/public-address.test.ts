import { array, assert, constantFrom, nat, oneof, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../src/infra/public-address.ts';

/** The first and the last address of every network that must never be reached. */
const REFUSED: readonly [what: string, ...addresses: string[]][] = [
  ['this network', '0.0.0.0', '0.255.255.255'],
  ['private', '10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255'],
  ['shared (CGNAT)', '100.64.0.0', '100.127.255.255'],
  ['loopback', '127.0.0.0', '127.0.0.1', '127.255.255.255', '::1'],
  ['link-local', '169.254.0.0', '169.254.255.255', 'fe80::', 'febf:ffff::1', 'fe80::1%eth0'],
  ['metadata of clouds', '169.254.169.254', '100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254'],
  ['protocol assignments', '192.0.0.0', '192.0.0.255', '2001::', '2001:1ff:ffff::1'],
  ['documentation', '192.0.2.0', '192.0.2.255', '198.51.100.7', '203.0.113.7', '2001:db8::1', '3fff::1', '3fff:fff::1'],
  ['6to4 relays', '192.88.99.0', '192.88.99.255'],
  ['benchmarks', '198.18.0.0', '198.19.255.255', '2001:2::1'],
  ['multicast', '224.0.0.0', '239.255.255.255', 'ff00::', 'ff02::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['reserved', '240.0.0.0', '255.255.255.254'],
  ['broadcast', '255.255.255.255'],
  ['unspecified', '::'],
  ['unique local', 'fc00::', 'fdff:ffff::1'],
  ['site-local', 'fec0::1'],
  ['discard', '100::1'],
  ['IPv4-mapped', '::ffff:10.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8'],
  ['IPv4-compatible', '::127.0.0.1', '::8.8.8.8'],
  ['IPv4-translated', '::ffff:0:127.0.0.1'],
  ['NAT64 of those', '64:ff9b::127.0.0.1', '64:ff9b::a00:1', '64:ff9b::169.254.169.254', '64:ff9b::192.168.255.255'],
  ['local NAT64', '64:ff9b:1::8.8.8.8', '64:ff9b:1:ffff::1'],
  ['6to4', '2002::', '2002:7f00:1::1', '2002:808:808::1', '2002:ffff::1'],
  ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
  ['6bone', '3ffe::1', '3ffe:ffff::1'],
  ['outside global unicast', '1fff::1', '4000::1', '5f00::1', '8000::1', 'e000::1'],
  [
    'no address',
    '',
    'localhost',
    '8.8.8',
    '08.8.8.8',
    '8.8.8.8 ',
    '0x08080808',
    '134744072',
    '8.8.8.8:80',
    '[2606:4700::1]',
  ],
];

/** Right beside the networks above. */
const PUBLIC: readonly string[] = [
  '1.0.0.0',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '168.63.129.15',
  '168.63.129.17',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.0',
  '192.0.3.0',
  '192.88.98.255',
  '192.88.100.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '198.51.99.255',
  '198.51.101.0',
  '203.0.112.255',
  '203.0.114.0',
  '223.255.255.255',
  '2000::',
  '2001:200::1',
  '2001:db7::1',
  '2001:db9::1',
  '2003::1',
  '2400:3200::1',
  '2606:4700::1111',
  '3ffd::1',
  '3fff:1000::1',
  '64:ff9b::8.8.8.8',
  '64:ff9b::b00:0',
];

describe('an address is not public', () => {
  it.each(REFUSED.flatMap(([what, ...addresses]) => addresses.map((address) => [what, address])))(
    '%s: %s',
    (_what, address) => {
      expect(isPublicAddress(address)).toBe(false);
    },
  );
});

describe('an address is public', () => {
  it.each(PUBLIC)('%s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

/** The same rule for IPv4, written another way: by comparing numbers. */
function isPublicIpv4(address: number): boolean {
  const within = (first: number, bits: number): boolean =>
    Math.floor(address / 2 ** (32 - bits)) === Math.floor(first / 2 ** (32 - bits));
  const networks: [number, number][] = [
    [0, 8],
    [0x0a000000, 8],
    [0x64400000, 10],
    [0x7f000000, 8],
    [0xa83f8110, 32],
    [0xa9fe0000, 16],
    [0xac100000, 12],
    [0xc0000000, 24],
    [0xc0000200, 24],
    [0xc0586300, 24],
    [0xc0a80000, 16],
    [0xc6120000, 15],
    [0xc6336400, 24],
    [0xcb007100, 24],
  ];
  return address < 0xe0000000 && !networks.some(([first, bits]) => within(first, bits));
}

const dotted = (address: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
/** Any IPv4 address, half of them in or near the networks that matter. */
const ipv4 = oneof(
  nat({ max: 0xffffffff }),
  tuple(
    constantFrom(0, 10, 100, 127, 168, 169, 172, 192, 198, 203, 224, 240, 255),
    oneof(constantFrom(0, 16, 18, 51, 63, 64, 88, 168, 254), nat({ max: 255 })),
    nat({ max: 0xffff }),
  ).map(([first, second, rest]) => first * 2 ** 24 + second * 2 ** 16 + rest),
);
const word = nat({ max: 0xffff }).map((value) => value.toString(16));

describe('any address', () => {
  it('of IPv4 is judged as numbers say', () => {
    assert(
      property(ipv4, (address) => {
        expect(isPublicAddress(dotted(address))).toBe(isPublicIpv4(address));
      }),
      { numRuns: 5_000 },
    );
  });

  it('of NAT64 is as public as the IPv4 address in it, in both spellings', () => {
    assert(
      property(ipv4, (address) => {
        const hex = `64:ff9b::${Math.floor(address / 65_536).toString(16)}:${(address % 65_536).toString(16)}`;
        const expected = isPublicIpv4(address);
        expect([isPublicAddress(`64:ff9b::${dotted(address)}`), isPublicAddress(hex)]).toEqual([expected, expected]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('that is IPv4-mapped, 6to4 or Teredo is never public, whatever it carries', () => {
    assert(
      property(ipv4, array(word, { minLength: 6, maxLength: 6 }), (address, words) => {
        const hex = `${Math.floor(address / 65_536).toString(16)}:${(address % 65_536).toString(16)}`;
        const forms = [`::ffff:${dotted(address)}`, `2002:${hex}::1`, `2001:0:${words.join(':')}`];
        expect(forms.filter(isPublicAddress)).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('of IPv6 outside 2000::/3 and NAT64 is never public', () => {
    assert(
      property(array(nat({ max: 0xffff }), { minLength: 8, maxLength: 8 }), (words) => {
        const [first = 0] = words;
        const isGlobalUnicast = first >= 0x2000 && first <= 0x3fff;
        const text = words.map((value) => value.toString(16)).join(':');
        const mayBePublic = isGlobalUnicast || text.startsWith('64:ff9b:0:0:0:0:');
        expect(!mayBePublic && isPublicAddress(text)).toBe(false);
      }),
      { numRuns: 3_000 },
    );
  });
});
