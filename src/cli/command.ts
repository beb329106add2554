import type { Config, Environment } from '../infra/config.ts';

export interface Command {
  name: string;
  config: Config;
  env: Environment;
  /** The words behind the name of the command. */
  args: string[];
}

/** The command line was not understood; `message` says which part of it. */
export class UsageFault extends Error {
  override readonly name = 'UsageFault';
}

export const USAGE = `daihuo: affiliate links for influencers (带货)

Usage: daihuo <command>

  start     everything in one process; brings its own Postgres and Redis where no address is given
  serve [--workers <number>|auto]
            the HTTP server only, in that many processes (needs DATABASE_URL and REDIS_URL)
  redirect [--workers <number>|auto]
            only the addresses of visitors (needs DATABASE_URL and REDIS_URL, starts without them)
  worker    the worker only (needs DATABASE_URL and REDIS_URL)
  migrate   bring the database schema up to date
  key create --role admin|brand|finance|influencer [--brand <id>] [--influencer <id>] [--label <text>]
            make an API key and print it, once
  demo [--url <address>] [--admin-key <key>]
            drive a running server through the whole chain and check every figure
  verify    prove that totals, lines and journal agree, and that the seal chain is whole
  help      this text

Settings are environment variables: HOST, PORT, DATABASE_URL, REDIS_URL, DAIHUO_HOME, DAIHUO_SPOOL_DIR, DAIHUO_SPOOL_MAX_MB, DAIHUO_SECRET, DAIHUO_ADMIN_KEY,
DAIHUO_SECRET_PREVIOUS, DAIHUO_PUBLIC_URL, INFERENCE_DELAY_SECONDS, LOG_LEVEL, TRUST_PROXY, METRICS_PORT, CLICK_SHARDS, SHUTDOWN_GRACE_MS, MIN_STORE_STARS,
MIN_STORE_AGE_DAYS, MISS_BURST, MISSES_PER_MINUTE, OUTGOING_REQUESTS; .env.example explains each.`;
