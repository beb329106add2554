import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { TAOBAO_TRICKS, VISITOR_TRICKS } from '../../platforms/redirect-tricks.ts';
import { seedLink } from '../../clicks/seed-link.ts';
import type { SeededLink } from '../../clicks/seed-link.ts';
import { clickIdOf, openPageServer } from './page-server.ts';
import type { Answer, PageServer } from './page-server.ts';

/** No input of a visitor, in any place a request has, sends anybody anywhere but to the destination of the link. */
const DESTINATION = /^https:\/\/item\.taobao\.com\/item\.htm\?id=600000000001(?:&dh_click=[A-Za-z0-9_-]{38})?#detail$/;
const TRICKS = [...new Set([...TAOBAO_TRICKS, ...VISITOR_TRICKS])];
/** What stands in an address line as it is; everything else arrives percent-encoded. */
const PRINTABLE = /^[\x21-\x7e]+$/;

let pages: PageServer;
let direct: SeededLink;
let paged: SeededLink;
let clickId: string;

beforeAll(async () => {
  pages = await openPageServer();
  direct = await seedLink(pages.test.db);
  paged = await seedLink(pages.test.db, { landingMode: null });
  clickId = clickIdOf((await pages.ask(`/${paged.code}`)).body);
});
afterAll(async () => pages.close());

function encoded(trick: string): string {
  return encodeURIComponent(trick.toWellFormed());
}

/** Every place of every visitor's route that a text can stand in. */
const PLACES: Record<string, (trick: string) => string> = {
  'the code': (trick) => `/${encoded(trick)}`,
  'a code and more': (trick) => `/${direct.code}${encoded(trick)}`,
  'the tag': (trick) => `/${direct.code}/${encoded(trick)}`,
  'the tag of a page': (trick) => `/${paged.code}/${encoded(trick)}`,
  'the query': (trick) => `/${direct.code}?url=${encoded(trick)}&dh_click=${encoded(trick)}&redirect=${encoded(trick)}`,
  'the query of a page': (trick) => `/${paged.code}?url=${encoded(trick)}&next=${encoded(trick)}`,
  'the fragment sent along': (trick) => `/${direct.code}#${encoded(trick)}`,
  'the click id to go on with': (trick) => `/-/go/${encoded(trick)}/${paged.code}`,
  'the code to go on with': (trick) => `/-/go/${clickId}/${encoded(trick)}`,
  'the query to go on with': (trick) => `/-/go/${clickId}/${paged.code}?url=${encoded(trick)}&code=${encoded(trick)}`,
  'what follows the code to go on with': (trick) => `/-/go/${clickId}/${paged.code}/${encoded(trick)}`,
  'the click id of a view': (trick) => `/-/seen/${encoded(trick)}`,
  'a path of ours': (trick) => `/-/${encoded(trick)}`,
};

/** What was found wrong with an answer; nothing, as it should be. */
function faultOf(answer: Answer, trick: string): string | undefined {
  const location = answer.headers['location'];
  // The path of a link on our own host is where a mended address leads.
  const isOurs = location !== undefined && /^\/[a-z0-9][a-z0-9-]{3,31}(\/[a-z0-9_-]{1,32})?$/.test(location);
  if (location !== undefined && !isOurs && !DESTINATION.test(location)) return `leads to ${location}`;
  if (answer.headers['refresh'] !== undefined) return 'refreshes to somewhere';
  if (/evil\.example|http-equiv=/i.test(answer.body)) return 'shows what was asked';
  if (trick.length > 12 && trick.includes('<') && answer.body.includes(trick)) return 'echoes it unescaped';
  return answer.status >= 500 ? `fails with ${answer.status}` : undefined;
}

async function faultsOf(requests: readonly { trick: string; ask: () => Promise<Answer> }[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { trick, ask } of requests) {
    const fault = faultOf(await ask(), trick);
    if (fault !== undefined) faults.push(`${JSON.stringify(trick)} ${fault}`);
  }
  return faults;
}

describe('open-redirect tricks', () => {
  it('are at least 150', () => {
    const routes = Object.keys(PLACES).length + 4;
    console.log(`${TRICKS.length} open-redirect tricks in ${routes} places of visitors’ requests`);
    expect(TRICKS.length).toBeGreaterThanOrEqual(150);
  });

  it.each(Object.keys(PLACES))('lead nowhere from %s', async (name) => {
    const place = PLACES[name];
    const requests = TRICKS.map((trick) => ({ trick, ask: async () => pages.ask(place?.(trick) ?? '') }));
    expect(await faultsOf(requests)).toEqual([]);
  });

  it('lead nowhere as they are, in front of and behind a code', async () => {
    const raw = TRICKS.filter((trick) => PRINTABLE.test(trick));
    const requests = raw.flatMap((trick) =>
      [`/${trick}`, `//${trick}/${direct.code}`, `/${direct.code}/${trick}`, `/-/go/${clickId}/${trick}`].map(
        (url) => ({
          trick,
          ask: async () => pages.ask(url),
        }),
      ),
    );
    expect(await faultsOf(requests)).toEqual([]);
  });

  it('lead nowhere in headers that name hosts and addresses', async () => {
    const plain = TRICKS.filter((trick) => /^[\x20-\x7e]+$/.test(trick));
    const requests = plain.flatMap((trick) => {
      const headers = {
        'x-forwarded-host': trick,
        'x-forwarded-proto': trick,
        'x-original-url': trick,
        'x-rewrite-url': trick,
        referer: trick,
        origin: trick,
        forwarded: `host=${trick}`,
      };
      return [`/${direct.code}`, `/${paged.code}`, `/-/go/${clickId}/${paged.code}`].map((url) => ({
        trick,
        ask: async () => pages.ask(url, { headers }),
      }));
    });
    expect(await faultsOf(requests)).toEqual([]);
  });

  it('lead nowhere in the report of a step', async () => {
    const requests = TRICKS.flatMap((trick) =>
      [trick, `${clickId} ${trick}`, `${trick} view`].map((payload) => ({
        trick,
        ask: async () =>
          pages.ask('/-/step', {
            method: 'POST',
            headers: { 'content-type': 'text/plain' },
            payload: payload.toWellFormed(),
          }),
      })),
    );
    expect(await faultsOf(requests)).toEqual([]);
    const { rows } = await pages.test.db.query('select from click_steps where step not in ($1, $2)', [
      'view',
      'continue',
    ]);
    expect(rows).toEqual([]);
  });

  it('nor in a product whose URL was written past every check: its link is gone', async () => {
    const link = await seedLink(pages.test.db, { landingMode: 'page', url: 'https://evil.example/item.htm' });
    expect((await pages.ask(`/${link.code}`)).status).toBe(410);
  });
});
