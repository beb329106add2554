/** Requests as visitors of links in videos send them, the same for every side and every run. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BOT_AGENTS, PEOPLE, PREVIEW_AGENTS, SCANNER_AGENTS } from '../../test/platforms/user-agents.ts';
import { makeScratch } from './scratch.ts';

export interface VisitsOptions {
  codes: readonly string[];
  /** Each has an address and a user agent of its own and comes once; the requests repeat from the start. */
  visitors?: number;
  /** The first visitor takes the first code and so on, instead of one by chance: as many visitors as codes meet each link once. */
  isInTurn?: boolean;
}

/** Most taps come from inside Douyin and WeChat. Of 100 visitors. */
const MACHINES_PERCENT = 5;
const IN_APP_PERCENT = 70;
const VIDEOS = 10;
const VISITORS = 10_000;
const SEED = 1;

/** Small, seeded and good enough to mix requests (mulberry32). */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const IN_APP: readonly string[] = PEOPLE.filter(([app]) => /^(?:douyin|wechat)/.test(app)).map(([, , agent]) => agent);
const OTHERS: readonly string[] = PEOPLE.map(([, , agent]) => agent);
const MACHINES = [...SCANNER_AGENTS, ...PREVIEW_AGENTS, ...BOT_AGENTS].filter((agent) => agent.trim() !== '');

/** How many different user agents there are. */
export const USER_AGENTS = new Set([...OTHERS, ...MACHINES]).size;

function agentOf(random: (below: number) => number): string {
  const dice = random(100);
  const list = dice < MACHINES_PERCENT ? MACHINES : dice < MACHINES_PERCENT + IN_APP_PERCENT ? IN_APP : OTHERS;
  return list[random(list.length)] ?? '';
}

/** The text of one request each, with its empty line. Their addresses stand in X-Forwarded-For, as a proxy writes it. */
export function makeVisits({ codes, visitors = VISITORS, isInTurn = false }: VisitsOptions): string[] {
  const random = createRandom(SEED);
  return Array.from({ length: visitors }, (_, visitor) => {
    const code = codes[isInTurn ? visitor % codes.length : random(codes.length)] ?? '';
    const address = [1 + random(200), random(256), (visitor >> 8) & 255, visitor & 255].join('.');
    return [
      `GET /${code}/v${random(VIDEOS)} HTTP/1.1`,
      'Host: go.example.com',
      `User-Agent: ${agentOf(random)}`,
      'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
      'Accept-Language: zh-CN,zh;q=0.9,en;q=0.7',
      'Accept-Encoding: gzip, deflate',
      `X-Forwarded-For: ${address}`,
      'Connection: keep-alive',
      '',
      '',
    ].join('\r\n');
  });
}

/** The requests in a file, one after the other, for `replay.lua` and the paced load. Removed at the end of the bench. */
export async function writeVisits(options: VisitsOptions): Promise<string> {
  const { folder } = await makeScratch('visits');
  const file = path.join(folder, 'visits.txt');
  await writeFile(file, makeVisits(options).join(''), 'latin1');
  return file;
}
