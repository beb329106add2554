import { describe, expect, it } from 'vitest';

import { languageOf } from '../../src/http/visitor-page.ts';

describe('the language of a visitor', () => {
  it.each([
    [undefined, 'zh'],
    ['', 'zh'],
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh'],
    ['en-US,en;q=0.9', 'en'],
    ['en-US,en;q=0.9,zh-CN;q=0.8', 'en'],
    ['en;q=0.8,zh-Hant-TW;q=0.9', 'zh'],
    ['en,zh', 'zh'],
    ['EN-gb ; Q=0.7', 'en'],
    ['en;q=0', 'zh'],
    ['en;q=2', 'zh'],
    ['english', 'zh'],
    ['fr,de', 'zh'],
    ['*', 'zh'],
    [`${'fr,'.repeat(100)}en`, 'zh'],
  ])('%j is %s', (header, expected) => {
    expect(languageOf(header)).toBe(expected);
  });
});
