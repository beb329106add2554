export interface BannerFacts {
  /** Without a trailing slash. */
  address: string;
  /** The demo of the private database; absent where daihuo runs on a given database, which gets no demo data. */
  demo: DemoFacts | undefined;
}

export interface DemoFacts {
  adminKey: string;
  /** Absent where the private database holds other brands than those of the demo. */
  promotion?: { influencerKey: string; linkCode: string };
}

/** The first text that a person sees: addresses, keys, and three commands to paste. */
export function bannerText({ address, demo }: BannerFacts): string {
  if (demo === undefined) return `daihuo runs. Its interface is described at ${address}/docs`;
  const { adminKey, promotion } = demo;
  const first = [
    '',
    '  daihuo runs, with a Postgres and a Redis of its own. Ctrl-C stops all three; the data stays.',
    '',
    `  Address          ${address}      (the interface is described at ${address}/docs)`,
    `  Admin key        ${adminKey}`,
  ];
  if (promotion === undefined) return [...first, ''].join('\n');
  const { influencerKey, linkCode } = promotion;
  return [
    ...first,
    `  Influencer key   ${influencerKey}`,
    `  A demo link      ${address}/${linkCode}`,
    '',
    '  Try it, in another terminal:',
    '',
    '  1. Follow the demo link as a visitor with a phone does',
    `       curl -i -A 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) aweme_32.1.0' ${address}/${linkCode}`,
    '  2. See the click in the statistics of the link',
    `       curl -H 'Authorization: Bearer ${influencerKey}' ${address}/v1/links/${linkCode}/stats`,
    '  3. Run the whole chain, from clicks and signed orders to the totals of finance, every figure checked',
    '       npm run demo',
    '',
  ].join('\n');
}
