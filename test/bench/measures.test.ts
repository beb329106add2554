import { describe, expect, it } from 'vitest';
import { formatBytes, cpuRow, sizeRow } from '../../bench/cost/projection.ts';
import { phaseOf } from '../../bench/outage/phases.ts';
import type { Answer } from '../../bench/support/paced-answers.ts';
import { sumMetric } from '../../bench/support/daihuo.ts';
import { makeVisits } from '../../bench/support/visits.ts';

function answer(dueMs: number, latencyMs: number, outcome: Answer['outcome']): Answer {
  return { dueMs, latencyMs, outcome, clickId: '', detail: '' };
}

describe('phases of an outage', () => {
  it('a request belongs to the phase in which it was due, however late it was answered', () => {
    const answers = [answer(999, 5_000, 'tracked'), answer(1_000, 1, 'tracked'), answer(2_000, 1, 'tracked')];
    expect(phaseOf({ fromMs: 1_000, toMs: 2_000 }, answers, [])).toMatchObject({ requests: 1, maxMs: 1, seconds: 1 });
  });

  it('every way not to be served as one should is counted', () => {
    const outcomes = ['tracked', 'untracked', 'refused', 'failed'] as const;
    const answers = outcomes.map((outcome) => answer(1, 1, outcome));
    expect(phaseOf({ fromMs: 0, toMs: 2 }, answers, [])).toMatchObject({ requests: 4, untracked: 1, failed: 2 });
  });

  it('memory is the most that was seen in the phase', () => {
    const memory = [90, 120, 110, 500].map((residentMb, index) => ({ atMs: index * 10, residentMb }));
    expect(phaseOf({ fromMs: 0, toMs: 30 }, [], memory).residentMb).toBe(120);
  });
});

describe('what a click costs', () => {
  it('18 µs a click are 1.8 cores at 100 000 a second', () => {
    expect(cpuRow('redirect', 18)).toEqual(['redirect', '18 µs', '18 core-s', '1.8 cores', '0.069 cores on average']);
  });

  it('200 bytes a click are 2 TB a month of 10 billion', () => {
    expect(sizeRow('table', 200, 'a second')).toEqual(['table', '200 B', '200 MB', '20 MB a second', '2 TB']);
  });

  it('what waits for a worker gathers by the minute and is no cost of a month', () => {
    expect(sizeRow('waiting', 130, 'a minute without workers').slice(3)).toEqual([
      '780 MB a minute without workers',
      '–',
    ]);
  });

  it('bytes have decimal units, also at their borders', () => {
    expect([0, 0.5, 999, 1_000, 1.5e15].map(formatBytes)).toEqual(['0 B', '0.5 B', '999 B', '1 kB', '1.5 PB']);
  });
});

describe('metrics', () => {
  const text = [
    '# TYPE redirects counter',
    'redirects_total{outcome="tracked",worker="1"} 10',
    'redirects_total{outcome="tracked",worker="2"} 5',
    'redirects_total{outcome="untracked",worker="1"} 2',
    'redirects_total_seen 99',
    'clicks_waiting 3',
  ].join('\n');

  it('the samples of all processes of one label are summed, and nothing of another name', () => {
    expect(sumMetric(text, 'redirects_total', { outcome: 'tracked' })).toBe(15);
    expect(sumMetric(text, 'redirects_total', { outcome: 'untracked' })).toBe(2);
    expect(sumMetric(text, 'redirects_total')).toBe(17);
    expect(sumMetric(text, 'clicks_waiting')).toBe(3);
    expect(sumMetric(text, 'absent')).toBe(0);
  });
});

describe('visits', () => {
  const codes = ['a2aaaaa', 'a2bbbbb', 'a2ccccc'];

  it('every run sends the same requests, so that its figures can be compared', () => {
    expect(makeVisits({ codes, visitors: 50 })).toEqual(makeVisits({ codes, visitors: 50 }));
  });

  it('each of 10 000 visitors has an address of its own, which a proxy could have written', () => {
    const addresses = makeVisits({ codes }).map((text) => /^X-Forwarded-For: (\S+)\r$/m.exec(text)?.[1] ?? '');
    expect(new Set(addresses).size).toBe(10_000);
    expect(addresses.filter((address) => address.split('.').some((part) => Number(part) > 255))).toEqual([]);
  });

  it('in turn, as many visitors as links meet each link once', () => {
    const visited = makeVisits({ codes, visitors: 3, isInTurn: true }).map((text) => text.slice(5, 12));
    expect(visited).toEqual(codes);
  });

  it('a request ends with its empty line and holds none before, which is how the load tells them apart', () => {
    for (const text of makeVisits({ codes, visitors: 500 })) expect(text.indexOf('\r\n\r\n')).toBe(text.length - 4);
  });
});
