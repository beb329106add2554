import { decodeClicks } from '../../../src/clicks/click-batch.ts';
import type { Click } from '../../../src/core/clicks/click.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { createTestRedis } from '../../support/redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { createClickServer } from '../../clicks/click-server.ts';
import type { ClickServer } from '../../clicks/click-server.ts';

/** Visitors of every kind that the page treats differently. */
export const AGENTS = {
  douyinAndroid:
    'Mozilla/5.0 (Linux; Android 12; M2102J2SC Build/SKQ1.211006.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/90.0.4430.91 Mobile Safari/537.36 aweme_280000 Channel/news_download_feed AppName/aweme',
  douyinIphone:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 aweme_13.6.1 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/zh Region/CN',
  wechat:
    'Mozilla/5.0 (Linux; Android 12; M2102J2SC Build/SKQ1.211006.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/107.0.5304.141 Mobile Safari/537.36 MMWEBID/1234 MicroMessenger/8.0.44.2502(0x28002C37) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64',
  harmony:
    'Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile',
  desktop:
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  taobao:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 AliApp(TB/10.20.1) WindVane/8.7.2',
  scanner:
    'Mozilla/5.0 (Linux; Android 10; HD1900 Build/QKQ1.190716.003; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/75.0.3770.156 Mobile Safari/537.36 aweme_230400 JsSdk/1.0 NetType/WIFI app_version/23.4.0 WebView/075113004008',
} as const;

export interface Answer {
  status: number;
  headers: Record<string, string | undefined>;
  body: string;
}

export interface PageServer {
  test: TestDatabase;
  streams: TestRedis;
  server: ClickServer;
  /** Asks the router; `method` is GET unless said otherwise. */
  ask(
    url: string,
    options?: { agent?: string; method?: 'GET' | 'HEAD' | 'POST'; headers?: Record<string, string>; payload?: string },
  ): Promise<Answer>;
  /** Every click in the stream, in order. */
  loggedClicks(): Promise<Click[]>;
  close(): Promise<void>;
}

/** The redirect with its middle page on services of its own. */
export async function openPageServer(
  options: { now?: () => Date; pageWaitMs?: number; readOverridesEveryMs?: number } = {},
): Promise<PageServer> {
  const [test, streams] = await Promise.all([createTestDatabase(), createTestRedis()]);
  const server = await createClickServer({ test, redisUrl: streams.url, ...options });
  return {
    test,
    streams,
    server,
    ask: async (url, { agent = AGENTS.douyinAndroid, method = 'GET', headers = {}, payload } = {}) => {
      const answer = await server.app.inject({
        method,
        url,
        headers: { 'user-agent': agent, ...headers },
        ...(payload === undefined ? {} : { payload }),
      });
      const texts = Object.entries(answer.headers).map(([name, value]) => [name, [value].flat().join(', ')]);
      return { status: answer.statusCode, headers: Object.fromEntries(texts), body: answer.body };
    },
    loggedClicks: async () => {
      const entries = await streams.inspector.xrange('clicks:{0}', '-', '+');
      return entries.flatMap(([, [, text]]) => {
        const reading = decodeClicks(text ?? '');
        if (!reading.ok) throw new Error(reading.reason);
        return reading.clicks;
      });
    },
    close: async () => {
      await server.close();
      await test.drop();
      await streams.drop();
    },
  };
}

/** The click id that a page reports its steps under. */
export function clickIdOf(page: string): string {
  const [, clickId] = /<body data-click="([A-Za-z0-9_-]{38})">/.exec(page) ?? [];
  if (clickId === undefined) throw new Error('the page has no click id');
  return clickId;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

/** The address behind the element with this id, as a browser reads it. */
export function hrefOf(page: string, id: string): string | undefined {
  const [, href] = new RegExp(`id="${id}" href="([^"]*)"`).exec(page) ?? [];
  return href?.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ENTITIES[name] ?? '');
}
