import { isIP } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { clickKeyNumber } from './secrets.ts';

export type Environment = Record<string, string | undefined>;

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

export interface Config {
  host: string;
  /** Unset: 3000, or the next free one. Set and taken: the start fails. */
  port: number | undefined;
  /** Unset: `start` runs its own private Postgres. */
  databaseUrl?: string;
  /** Comma-separated for a cluster. Unset: `start` runs its own private Redis. */
  redisUrl?: string;
  /** Absolute path of the folder with everything that `start` creates. */
  home: string;
  /** Absolute path of the folder that holds clicks while Redis does not take them. */
  spoolDir: string;
  /** Limit for the clicks that one process holds in that folder. */
  spoolMaxBytes: number;
  /** At least 32 bytes. Unset only where the database is the private one, for which `start` makes a secret. */
  secret: Buffer | undefined;
  previousSecret?: Buffer;
  adminKey?: string;
  /** Origin without a trailing slash. */
  publicUrl?: string;
  inferenceDelaySeconds: number;
  logLevel: LogLevel;
  /** CIDRs of the proxies whose X-Forwarded-For is trusted. */
  trustProxy: string[];
  metricsPort?: number;
  /** Number of streams for clicks; must be the same in every process. */
  clickShards: number;
  /** A server keeps serving this long after SIGTERM, so that a load balancer notices the stop. */
  shutdownGraceMs: number;
  /** Lowest score of an eligible store, as exact decimals: `score` out of `scale`. */
  minStoreRating: { score: string; scale: string };
  minStoreAgeDays: number;
  /** How many codes that name no link one network may try at once, and per minute from then on. */
  unknownCodeBurst: number;
  unknownCodesPerMinute: number;
  /** Whether the worker sends requests to servers outside, to fetch pictures and to check destinations. */
  asksOutside: boolean;
}

export type ConfigResult = { ok: true; config: Config } | { ok: false; problems: string[] };

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const CHECKOUT = path.resolve(import.meta.dirname, '..', '..');
const MIN_SECRET_BYTES = 32;

/** A text that `check` accepts; otherwise one sentence that names the setting but not its value, which may be a secret. */
function text<T>(check: (value: string) => T | undefined, sentence: string) {
  return z.string().transform((value, context): T => {
    const read = check(value);
    if (read !== undefined) return read;
    context.addIssue({ code: 'custom', message: sentence });
    return z.NEVER;
  });
}

function wholeNumber(name: string, min: number, max: number) {
  const read = (value: string) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : -1;
    return number >= min && number <= max ? number : undefined;
  };
  return text(read, `${name} must be a whole number from ${min} to ${max}.`);
}

function secret(name: string) {
  const read = (value: string) => {
    const bytes = Buffer.from(value, 'utf8');
    return bytes.length >= MIN_SECRET_BYTES ? bytes : undefined;
  };
  return text(
    read,
    `${name} must be at least ${MIN_SECRET_BYTES} bytes long; 'openssl rand -base64 32' prints a good one.`,
  );
}

function urlOf(value: string, protocols: string[]): URL | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && protocols.includes(url.protocol) ? url : undefined;
}

function readDatabaseUrl(value: string): string | undefined {
  return urlOf(value, ['postgres:', 'postgresql:']) === undefined ? undefined : value;
}

function readRedisUrls(value: string): string | undefined {
  const urls = value.split(',').map((url) => url.trim());
  return urls.every((url) => urlOf(url, ['redis:', 'rediss:']) !== undefined) ? urls.join(',') : undefined;
}

function readOrigin(value: string): string | undefined {
  const url = urlOf(value, ['http:', 'https:']);
  if (url === undefined || url.username !== '' || url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return undefined;
  return url.origin;
}

function readHost(value: string): string | undefined {
  return isIP(value) !== 0 || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(value) ? value : undefined;
}

function readSwitch(value: string): boolean | undefined {
  return value === 'on' ? true : value === 'off' ? false : undefined;
}

function readStars(value: string): string | undefined {
  const [whole = '', decimals = ''] = value.split('.');
  if (!/^\d(\.\d{1,4})?$/.test(value)) return undefined;
  return Number(whole) < 5 || (whole === '5' && /^0*$/.test(decimals)) ? value : undefined;
}

/**
 * A network of trusted proxies. Refused, beside malformed texts: a /0, which trusts every client, and IPv4-mapped IPv6 networks, which some
 * address parsers read as trusting every client (`::ffff:10.0.0.0/8` is the whole IPv4 space).
 */
function isTrustableNetwork(network: string): boolean {
  const [address = '', prefix, ...rest] = network.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || /^[0:]*:ffff:/i.test(address)) return false;
  if (prefix === undefined) return true;
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : 0;
  return bits >= 1 && bits <= (family === 4 ? 32 : 128);
}

function readNetworks(value: string): string[] | undefined {
  const networks = value.split(',').map((network) => network.trim());
  return networks.every(isTrustableNetwork) ? networks : undefined;
}

const SETTINGS = z.object({
  HOST: text(readHost, 'HOST must be an address or a host name, such as 127.0.0.1.').default('127.0.0.1'),
  PORT: wholeNumber('PORT', 0, 65_535).optional(),
  DATABASE_URL: text(
    readDatabaseUrl,
    'DATABASE_URL must look like postgres://user:password@host:5432/database.',
  ).optional(),
  REDIS_URL: text(
    readRedisUrls,
    'REDIS_URL must look like redis://host:6379; for a cluster, give several of them separated by commas.',
  ).optional(),
  DAIHUO_HOME: z.string().optional(),
  DAIHUO_SPOOL_DIR: z.string().optional(),
  DAIHUO_SPOOL_MAX_MB: wholeNumber('DAIHUO_SPOOL_MAX_MB', 1, 1_000_000).default(1_024),
  DAIHUO_SECRET: secret('DAIHUO_SECRET').optional(),
  DAIHUO_SECRET_PREVIOUS: secret('DAIHUO_SECRET_PREVIOUS').optional(),
  DAIHUO_ADMIN_KEY: text(
    (value) => (/^dh_admin_[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined),
    "DAIHUO_ADMIN_KEY must be 'dh_admin_' and 43 letters, digits, '-' or '_'; 'daihuo key create --role admin' prints one.",
  ).optional(),
  DAIHUO_PUBLIC_URL: text(
    readOrigin,
    'DAIHUO_PUBLIC_URL must be the address visitors see, such as https://go.example.com, without a path.',
  ).optional(),
  INFERENCE_DELAY_SECONDS: wholeNumber('INFERENCE_DELAY_SECONDS', 0, 604_800).default(600),
  LOG_LEVEL: text(
    (value) => LOG_LEVELS.find((level) => level === value),
    `LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}.`,
  ).default('info'),
  TRUST_PROXY: text(
    readNetworks,
    'TRUST_PROXY must list networks such as 10.0.0.0/8 or 2001:db8::/32, separated by commas; neither /0 nor IPv4-mapped ones (::ffff:…).',
  ).default([]),
  METRICS_PORT: wholeNumber('METRICS_PORT', 1, 65_535).optional(),
  CLICK_SHARDS: wholeNumber('CLICK_SHARDS', 1, 256).default(1),
  SHUTDOWN_GRACE_MS: wholeNumber('SHUTDOWN_GRACE_MS', 0, 60_000).default(1_000),
  MIN_STORE_STARS: text(readStars, 'MIN_STORE_STARS must be a number from 0 to 5, such as 4 or 4.5.').default('4'),
  MIN_STORE_AGE_DAYS: wholeNumber('MIN_STORE_AGE_DAYS', 0, 36_500).default(90),
  MISS_BURST: wholeNumber('MISS_BURST', 1, 1_000_000).default(60),
  MISSES_PER_MINUTE: wholeNumber('MISSES_PER_MINUTE', 1, 1_000_000).default(60),
  OUTGOING_REQUESTS: text(readSwitch, 'OUTGOING_REQUESTS must be on or off.').default(true),
});

type Settings = z.infer<typeof SETTINGS>;

/** Faults that concern several settings. Checks the raw values, so that these faults are reported beside those of single settings. */
function problemsBetween(given: Environment): string[] {
  const problems: string[] = [];
  const current = given['DAIHUO_SECRET'];
  const previous = given['DAIHUO_SECRET_PREVIOUS'];
  if (given['DATABASE_URL'] !== undefined && current === undefined) {
    problems.push(
      "DAIHUO_SECRET is required with DATABASE_URL: it seals what the database keeps. 'openssl rand -base64 32' prints a good one.",
    );
  }
  if (previous !== undefined && current === undefined) {
    problems.push('DAIHUO_SECRET_PREVIOUS is only for rotating: set DAIHUO_SECRET to the new secret too.');
  }
  if (
    previous !== undefined &&
    current !== undefined &&
    clickKeyNumber(Buffer.from(current)) === clickKeyNumber(Buffer.from(previous))
  ) {
    problems.push(
      'DAIHUO_SECRET and DAIHUO_SECRET_PREVIOUS are the same, or by a chance of 1 in 256 share a key number: make another new secret.',
    );
  }
  return problems;
}

function toConfig(settings: Settings): Config {
  const home = settings.DAIHUO_HOME === undefined ? path.join(CHECKOUT, '.daihuo') : path.resolve(settings.DAIHUO_HOME);
  return {
    host: settings.HOST,
    port: settings.PORT,
    ...(settings.DATABASE_URL === undefined ? {} : { databaseUrl: settings.DATABASE_URL }),
    ...(settings.REDIS_URL === undefined ? {} : { redisUrl: settings.REDIS_URL }),
    home,
    spoolDir:
      settings.DAIHUO_SPOOL_DIR === undefined ? path.join(home, 'spool') : path.resolve(settings.DAIHUO_SPOOL_DIR),
    spoolMaxBytes: settings.DAIHUO_SPOOL_MAX_MB * 1024 * 1024,
    secret: settings.DAIHUO_SECRET,
    ...(settings.DAIHUO_SECRET_PREVIOUS === undefined ? {} : { previousSecret: settings.DAIHUO_SECRET_PREVIOUS }),
    ...(settings.DAIHUO_ADMIN_KEY === undefined ? {} : { adminKey: settings.DAIHUO_ADMIN_KEY }),
    ...(settings.DAIHUO_PUBLIC_URL === undefined ? {} : { publicUrl: settings.DAIHUO_PUBLIC_URL }),
    inferenceDelaySeconds: settings.INFERENCE_DELAY_SECONDS,
    logLevel: settings.LOG_LEVEL,
    trustProxy: settings.TRUST_PROXY,
    ...(settings.METRICS_PORT === undefined ? {} : { metricsPort: settings.METRICS_PORT }),
    clickShards: settings.CLICK_SHARDS,
    shutdownGraceMs: settings.SHUTDOWN_GRACE_MS,
    minStoreRating: { score: settings.MIN_STORE_STARS, scale: '5' },
    minStoreAgeDays: settings.MIN_STORE_AGE_DAYS,
    unknownCodeBurst: settings.MISS_BURST,
    unknownCodesPerMinute: settings.MISSES_PER_MINUTE,
    asksOutside: settings.OUTGOING_REQUESTS,
  };
}

/**
 * Reads the settings of API.md "Running" out of an environment. An empty variable counts as unset (compose files pass those).
 *
 * @returns the config, or every fault at once, each one sentence that names the setting and says what to do
 */
export function readConfig(env: Environment): ConfigResult {
  const given: Environment = {};
  for (const [name, value] of Object.entries(env)) {
    const trimmed = value?.trim() ?? '';
    if (trimmed !== '') given[name] = trimmed;
  }
  const parsed = SETTINGS.safeParse(given);
  const problems = [...(parsed.error?.issues.map((issue) => issue.message) ?? []), ...problemsBetween(given)];
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  return { ok: true, config: toConfig(parsed.data) };
}

/** The environment of this process, for `readConfig` and for the programs that local services start. Nothing else reads it. */
export function processEnvironment(): Environment {
  return process.env;
}
