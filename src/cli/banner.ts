export interface BannerFacts {
  /** Without a trailing slash. */
  address: string;
  /** Of the private database; absent where daihuo runs on a database of yours, which gets no demo data. */
  demo: { adminKey: string; influencerKey: string; linkCode: string } | undefined;
}

/** What a person needs to see first, in plain words, with three commands to paste. */
export function bannerText({ address, demo }: BannerFacts): string {
  if (demo === undefined) return `daihuo runs. Its interface is described at ${address}/docs`;
  const { adminKey, influencerKey, linkCode } = demo;
  return [
    '',
    '  daihuo runs, with a Postgres and a Redis of its own. Ctrl-C stops all three; the data stays.',
    '',
    `  Address          ${address}      (the interface is described at ${address}/docs)`,
    `  Admin key        ${adminKey}`,
    `  Influencer key   ${influencerKey}`,
    `  A demo link      ${address}/${linkCode}`,
    '',
    '  Try it, in another terminal:',
    '',
    '  1. Follow the demo link as a visitor does',
    `       curl -i ${address}/${linkCode}`,
    '  2. See the click in the statistics of the link',
    `       curl -H 'Authorization: Bearer ${influencerKey}' ${address}/v1/links/${linkCode}/stats`,
    '  3. See what finance sees',
    `       curl -H 'Authorization: Bearer ${adminKey}' '${address}/v1/commissions/totals?groupBy=influencer'`,
    '',
  ].join('\n');
}
