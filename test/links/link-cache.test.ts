import { describe, expect, it } from 'vitest';
import { LinkCache, RecentMap } from '../../src/links/link-cache.ts';
import type { LinkTarget } from '../../src/links/link-cache.ts';

const MAX_LINKS = 100_000;
const MAX_CODES = 150_000;

function targetWith({ number, version = 1 }: { number: number; version?: number }): LinkTarget {
  return {
    linkNumber: number,
    linkId: `lnk_${number}`,
    status: 'active',
    version,
    platform: 'taobao',
    overrides: undefined,
    takesClickId: true,
    before: 'https://item.taobao.com/item.htm?id=1&dh_click=',
    after: '',
  };
}

function listeningCache(): LinkCache {
  const cache = new LinkCache({ now: () => new Date() });
  cache.setListening(true);
  return cache;
}

/** Keeps links of these numbers, each under one code. */
function putLinks(cache: LinkCache, { from, count }: { from: number; count: number }): void {
  for (let number = from; number < from + count; number += 1) {
    cache.put(`code${number}`, targetWith({ number }), null);
  }
}

function keptOf(cache: LinkCache, { from, count }: { from: number; count: number }): number {
  let kept = 0;
  for (let number = from; number < from + count; number += 1) {
    if (cache.linkIdOf(`code${number}`) !== undefined) kept += 1;
  }
  return kept;
}

describe('the links a process remembers', () => {
  it('as many as it may hold, it holds all', () => {
    const cache = listeningCache();
    putLinks(cache, { from: 0, count: MAX_LINKS });
    expect(keptOf(cache, { from: 0, count: MAX_LINKS })).toBe(MAX_LINKS);
  });

  it('beyond that the links nobody visits are forgotten, and those visited meanwhile stay, round after round', () => {
    const cache = listeningCache();
    const visited = 1_000;
    putLinks(cache, { from: 0, count: MAX_LINKS });
    for (let round = 1; round <= 3; round += 1) {
      for (let number = 0; number < visited; number += 1) cache.findFresh(`code${number}`);
      putLinks(cache, { from: round * MAX_LINKS, count: MAX_LINKS / 2 });
      expect(keptOf(cache, { from: 0, count: visited })).toBe(visited);
    }
    expect(keptOf(cache, { from: 0, count: 4 * MAX_LINKS })).toBe(MAX_LINKS);
  });

  it('codes of few links are bounded too, and a link is known for as long as one of its codes is', () => {
    const cache = listeningCache();
    const target = targetWith({ number: 1 });
    for (let number = 0; number <= MAX_CODES; number += 1) cache.put(`alias${number}`, target, null);
    expect(cache.linkIdOf('alias0')).toBeUndefined();
    expect(cache.linkIdOf('alias1')).toBe(target.linkId);
    cache.linkChanged(target.linkId, 2);
    expect(cache.find('alias1')).toMatchObject({ found: true, isChanged: true });
  });

  it('every code of a link leads to its newest version, whichever code it was read by', () => {
    const cache = listeningCache();
    cache.put('k7q2m8x', targetWith({ number: 1 }), null);
    cache.put('summer-sale', targetWith({ number: 1, version: 3 }), null);
    cache.put('autumn-sale', targetWith({ number: 1, version: 2 }), null);
    for (const code of ['k7q2m8x', 'summer-sale', 'autumn-sale']) expect(cache.findFresh(code)?.version).toBe(3);
  });

  it('a version older than an announced one is not kept', () => {
    const cache = listeningCache();
    cache.linkChanged('lnk_1', 2);
    cache.put('k7q2m8x', targetWith({ number: 1 }), null);
    expect(cache.find('k7q2m8x')).toBeUndefined();
    cache.put('k7q2m8x', targetWith({ number: 1, version: 2 }), null);
    expect(cache.findFresh('k7q2m8x')?.version).toBe(2);
  });

  it('codes that name nothing are bounded, and the newest are known', () => {
    const cache = listeningCache();
    for (let number = 0; number <= 50_000; number += 1) cache.putUnknown(`nothing${number}`, cache.codeMark);
    expect(cache.find('nothing0')).toBeUndefined();
    expect(cache.find('nothing50000')).toEqual({ found: false, isFresh: true });
  });
});

describe('a map of what was set last', () => {
  it('holds at least half of its bound of the last ones, never more than its bound, and the newest value', () => {
    const map = new RecentMap<number, number>(10);
    for (let key = 0; key < 1_000; key += 1) {
      map.set(key, -1);
      map.set(key, key);
      const kept = Array.from({ length: key + 1 }, (_, each) => map.get(each)).filter((value) => value !== undefined);
      expect(kept.length).toBeGreaterThanOrEqual(Math.min(key + 1, 5));
      expect(kept.length).toBeLessThanOrEqual(10);
      expect(kept.at(-1)).toBe(key);
    }
  });

  it('what is deleted is gone, however long ago it was set', () => {
    const map = new RecentMap<number, number>(10);
    for (let key = 0; key < 7; key += 1) map.set(key, key);
    for (let key = 0; key < 7; key += 1) map.delete(key);
    for (let key = 0; key < 7; key += 1) expect(map.get(key)).toBeUndefined();
  });
});
