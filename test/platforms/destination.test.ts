import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildDestination, locationOf, splitDestination } from '../../src/platforms/destination.ts';
import { checkDestination } from '../../src/platforms/platform.ts';

const CLICK = 'AQ0-_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz';

function plain(href: string): { href: string; opaque: boolean } {
  return { href, opaque: false };
}

describe('buildDestination', () => {
  it.each([
    ['https://h5.youzan.com/goods', 'https://h5.youzan.com/goods?dh_click=C'],
    ['https://h5.youzan.com/goods?alias=x', 'https://h5.youzan.com/goods?alias=x&dh_click=C'],
    ['https://h5.youzan.com/goods?alias=x#top', 'https://h5.youzan.com/goods?alias=x&dh_click=C#top'],
    ['https://h5.youzan.com/goods#top?x=1', 'https://h5.youzan.com/goods?dh_click=C#top?x=1'],
    ['https://h5.youzan.com/goods?', 'https://h5.youzan.com/goods?dh_click=C'],
    ['https://h5.youzan.com/goods?a=1&dh_click=old&b=2', 'https://h5.youzan.com/goods?a=1&b=2&dh_click=C'],
    ['https://h5.youzan.com/goods?dh_click=1&dh_click=2', 'https://h5.youzan.com/goods?dh_click=C'],
    ['https://h5.youzan.com/goods?dh%5Fclick=1&dh_click', 'https://h5.youzan.com/goods?dh_click=C'],
    [
      'https://h5.youzan.com/goods?DH_CLICK=1&xdh_click=2',
      'https://h5.youzan.com/goods?DH_CLICK=1&xdh_click=2&dh_click=C',
    ],
    ['https://h5.youzan.com/goods?a=%E4%B8%AD+x&b=%zz', 'https://h5.youzan.com/goods?a=%E4%B8%AD+x&b=%zz&dh_click=C'],
    ['https://h5.youzan.com/goods?a=1#dh_click=2', 'https://h5.youzan.com/goods?a=1&dh_click=C#dh_click=2'],
  ])('%s → %s', (href, expected) => {
    expect(buildDestination(plain(href), { clickId: 'C' })).toBe(expected);
  });

  it('replaces sls only when one is leased', () => {
    const href = 'https://h5.youzan.com/goods?sls=brand&alias=x#f';
    expect(buildDestination(plain(href), { clickId: 'C' })).toBe(
      'https://h5.youzan.com/goods?sls=brand&alias=x&dh_click=C#f',
    );
    expect(buildDestination(plain(href), { clickId: 'C', sls: 'o21Zag' })).toBe(
      'https://h5.youzan.com/goods?alias=x&sls=o21Zag&dh_click=C#f',
    );
    expect(buildDestination(plain(href), { sls: "a&b=#'\ud800" })).toBe(
      'https://h5.youzan.com/goods?alias=x&sls=a%26b%3D%23%27%EF%BF%BD#f',
    );
  });

  it('hands out nobody else’s click id when it has none of its own', () => {
    expect(buildDestination(plain('https://h5.youzan.com/goods?dh_click=stolen#f'), {})).toBe(
      'https://h5.youzan.com/goods#f',
    );
    expect(buildDestination(plain('https://h5.youzan.com/goods'), {})).toBe('https://h5.youzan.com/goods');
  });

  it('leaves opaque links exactly as they are', () => {
    const destination = { href: 'https://s.click.taobao.com/t?e=m&dh_click=1#x', opaque: true };
    expect(buildDestination(destination, { clickId: 'C', sls: 's' })).toBe(destination.href);
    expect(splitDestination(destination).takesClickId).toBe(false);
  });
});

describe('splitDestination', () => {
  const tail = fc.oneof(
    fc.webQueryParameters(),
    fc
      .array(fc.constantFrom('dh_click=1', 'sls=2', 'id=1', '%', '&', '#', '=', '?', '中', 'a', "'"), { maxLength: 10 })
      .map((p) => p.join('')),
  );
  const clickIds = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

  it('joined with any click id equals buildDestination, stays on its host and carries exactly our click id', () => {
    let checked = 0;
    fc.assert(
      fc.property(tail, clickIds, fc.option(fc.string({ maxLength: 30 }), { nil: undefined }), (rest, clickId, sls) => {
        const answer = checkDestination({ platform: 'youzan', url: `https://shop1.youzan.com/v2/goods/x?${rest}` });
        if (!answer.ok) return;
        checked += 1;
        const split = splitDestination(answer.destination, { sls });
        const built = buildDestination(answer.destination, { clickId, sls });
        expect(locationOf(split, clickId)).toBe(built);
        expect(split.before + clickId + split.after).toBe(built);
        const url = new URL(built);
        expect(url.href).toBe(built);
        expect(url.host).toBe('shop1.youzan.com');
        expect(url.hash).toBe(new URL(answer.destination.href).hash);
        expect(url.searchParams.getAll('dh_click')).toEqual([clickId]);
        const before = new URL(answer.destination.href).searchParams.getAll('sls');
        expect(url.searchParams.getAll('sls')).toEqual(sls === undefined ? before : [sls.toWellFormed()]);
        expect(new URL(locationOf(split, undefined)).searchParams.has('dh_click')).toBe(false);
      }),
      { numRuns: 3000 },
    );
    expect(checked).toBeGreaterThan(500);
  });

  it('keeps a minted click id as it is', () => {
    expect(locationOf(splitDestination(plain('https://item.taobao.com/item.htm?id=1'), {}), CLICK)).toBe(
      `https://item.taobao.com/item.htm?id=1&dh_click=${CLICK}`,
    );
  });
});
