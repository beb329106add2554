import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/infra/config.ts';
import type { Config } from '../../src/infra/config.ts';

const SECRET = 'a-secret-of-at-least-thirty-two-bytes';
const ADMIN_KEY = `dh_admin_${'k'.repeat(43)}`;

function configOf(env: Record<string, string>): Config {
  const result = readConfig(env);
  if (!result.ok) throw new Error(result.problems.join(' '));
  return result.config;
}

function problemsOf(env: Record<string, string>): string[] {
  const result = readConfig(env);
  return result.ok ? [] : result.problems;
}

describe('settings', () => {
  test('an empty environment gives the documented defaults', () => {
    expect(configOf({})).toEqual({
      host: '127.0.0.1',
      port: undefined,
      home: path.resolve(import.meta.dirname, '..', '..', '.daihuo'),
      spoolDir: path.resolve(import.meta.dirname, '..', '..', '.daihuo', 'spool'),
      spoolMaxBytes: 1024 * 1024 * 1024,
      secret: undefined,
      inferenceDelaySeconds: 600,
      clickShards: 1,
      logLevel: 'info',
      trustProxy: [],
      shutdownGraceMs: 1_000,
      minStoreRating: { score: '4', scale: '5' },
      minStoreAgeDays: 90,
      asksOutside: true,
      unknownCodeBurst: 60,
      unknownCodesPerMinute: 60,
    });
  });

  test('an empty or blank variable counts as unset, as compose files pass it', () => {
    expect(configOf({ PORT: '', DATABASE_URL: ' ', TRUST_PROXY: '' })).toEqual(configOf({}));
  });

  test('every setting is read', () => {
    const config = configOf({
      HOST: '0.0.0.0',
      PORT: '8080',
      DATABASE_URL: 'postgres://u:p@db/x',
      REDIS_URL: 'redis://a:1, redis://b:2',
      DAIHUO_HOME: 'relative',
      DAIHUO_SPOOL_DIR: 'elsewhere',
      DAIHUO_SPOOL_MAX_MB: '2',
      DAIHUO_SECRET: SECRET,
      DAIHUO_SECRET_PREVIOUS: `${SECRET} before`,
      DAIHUO_ADMIN_KEY: ADMIN_KEY,
      DAIHUO_PUBLIC_URL: 'https://go.example.com/',
      INFERENCE_DELAY_SECONDS: '5',
      CLICK_SHARDS: '8',
      LOG_LEVEL: 'warn',
      TRUST_PROXY: '10.0.0.0/8, 2001:db8::/32, 192.0.2.1',
      METRICS_PORT: '9100',
      SHUTDOWN_GRACE_MS: '2500',
      MIN_STORE_STARS: '4.5',
      MIN_STORE_AGE_DAYS: '30',
      OUTGOING_REQUESTS: 'off',
      MISS_BURST: '200',
      MISSES_PER_MINUTE: '120',
    });
    expect(config).toEqual({
      host: '0.0.0.0',
      port: 8080,
      databaseUrl: 'postgres://u:p@db/x',
      redisUrl: 'redis://a:1,redis://b:2',
      home: path.resolve('relative'),
      spoolDir: path.resolve('elsewhere'),
      spoolMaxBytes: 2 * 1024 * 1024,
      secret: Buffer.from(SECRET),
      previousSecret: Buffer.from(`${SECRET} before`),
      adminKey: ADMIN_KEY,
      publicUrl: 'https://go.example.com',
      inferenceDelaySeconds: 5,
      clickShards: 8,
      logLevel: 'warn',
      trustProxy: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'],
      metricsPort: 9100,
      shutdownGraceMs: 2_500,
      minStoreRating: { score: '4.5', scale: '5' },
      minStoreAgeDays: 30,
      asksOutside: false,
      unknownCodeBurst: 200,
      unknownCodesPerMinute: 120,
    });
  });
});

describe('faults', () => {
  const FAULTS: [name: string, ...values: string[]][] = [
    ['HOST', 'a b', 'http://x', '-x'],
    ['PORT', 'http', '-1', '65536', '80.5', '1e3'],
    ['DATABASE_URL', 'mysql://x', 'localhost', 'http://db'],
    ['REDIS_URL', 'localhost:6379', 'redis://a,b', 'redis://a,'],
    ['DAIHUO_SECRET', 'short', 'x'.repeat(31)],
    ['DAIHUO_ADMIN_KEY', 'dh_admin_short', `dh_brand_${'k'.repeat(43)}`],
    ['DAIHUO_PUBLIC_URL', 'go.example.com', 'https://go.example.com/path', 'ftp://x', 'https://user@x'],
    ['INFERENCE_DELAY_SECONDS', 'soon', '-1'],
    ['LOG_LEVEL', 'loud', 'INFO'],
    [
      'TRUST_PROXY',
      'all',
      '3',
      '0.0.0.0/0',
      '::/0',
      '10.0.0.0/33',
      '::ffff:10.0.0.0/8',
      '10.0.0.0/8/8',
      '10.0.0.0/',
      'true',
    ],
    ['METRICS_PORT', '0', 'x'],
    ['SHUTDOWN_GRACE_MS', '60001', '-1', '1s'],
    ['MIN_STORE_STARS', '5.1', '-1', 'four', '4.', '10'],
    ['MIN_STORE_AGE_DAYS', '-1', 'ninety'],
    ['OUTGOING_REQUESTS', 'yes', 'false', 'OFF'],
  ];

  test.each(FAULTS.flatMap(([name, ...values]) => values.map((value) => [name, value] as const)))(
    '%s=%s is refused in one sentence that names the setting',
    (name, value) => {
      const problems = problemsOf({ [name]: value, ...(name === 'DATABASE_URL' ? { DAIHUO_SECRET: SECRET } : {}) });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatch(new RegExp(`^${name} .*\\.$`));
    },
  );

  test('all faults are reported at once, single settings and combinations alike', () => {
    const problems = problemsOf({ PORT: 'x', LOG_LEVEL: 'y', TRUST_PROXY: 'z', DATABASE_URL: 'postgres://db/x' });
    expect(problems.map((problem) => problem.split(' ')[0] ?? '').toSorted()).toEqual([
      'DAIHUO_SECRET',
      'LOG_LEVEL',
      'PORT',
      'TRUST_PROXY',
    ]);
  });

  test('a faulty value is never repeated, because it may be a secret', () => {
    expect(
      problemsOf({ DAIHUO_SECRET: 'hunter2', DATABASE_URL: 'mysql://u:hunter2@x', DAIHUO_ADMIN_KEY: 'hunter2' }).join(),
    ).not.toContain('hunter2');
  });

  test('a secret is required beside DATABASE_URL, and beside a previous secret', () => {
    expect(problemsOf({ DATABASE_URL: 'postgres://db/x' })).toEqual([
      expect.stringMatching(/^DAIHUO_SECRET is required/),
    ]);
    expect(problemsOf({ DAIHUO_SECRET_PREVIOUS: SECRET })).toEqual([expect.stringContaining('set DAIHUO_SECRET')]);
  });

  test('the same secret as current and previous is refused: nothing could tell their keys apart', () => {
    expect(problemsOf({ DAIHUO_SECRET: SECRET, DAIHUO_SECRET_PREVIOUS: SECRET })).toHaveLength(1);
  });
});
