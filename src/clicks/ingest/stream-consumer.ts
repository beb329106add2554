import { MAX_BLOCK_MS } from '../../infra/redis.ts';
import type { RedisClient } from '../../infra/redis.ts';
import { CLICK_FIELD, CLICK_GROUP, streamKey } from '../click-batch.ts';

export interface StreamEntry {
  id: string;
  /** The clicks as encoded; undefined where the entry has no such field. */
  text: string | undefined;
  /** All fields as JSON, for an entry that cannot be read. */
  raw: () => string;
}

export interface StreamState {
  /** The clock of Redis. */
  now: Date;
  /** Time at which the oldest entry in the stream was appended; undefined for an empty stream. */
  oldestAt: Date | undefined;
  entries: number;
}

export interface ClaimedEntries {
  entries: StreamEntry[];
  /** Pending entries that were deleted from the stream. */
  vanished: number;
  /** The scan reached the end of the pending entries; the next call starts again. */
  isEnd: boolean;
}

/** Consumes one stream under one name. Every function rejects where Redis does not answer. */
export interface StreamConsumer {
  /** Makes the consumer group where it is missing. The group starts at the first entry, so that none is skipped. */
  join(): Promise<void>;
  /** Reads up to `count` new entries; waits up to `blockMs` for the first. */
  read(limits: { count: number; blockMs: number }): Promise<StreamEntry[]>;
  /** Claims entries that a consumer has not acknowledged for `minIdleMs`, from the place where the last call ended. */
  claim(limits: { count: number; minIdleMs: number }): Promise<ClaimedEntries>;
  /** Number of times that Redis has delivered an entry. */
  countDeliveries(entryId: string): Promise<number>;
  /** Acknowledges and deletes entries in one transaction of Redis. */
  acknowledge(entryIds: readonly string[]): Promise<void>;
  inspect(): Promise<StreamState>;
  /** Removes consumers without pending entries: this one, or those that were idle for an hour. */
  removeConsumers(which: 'own' | 'abandoned'): Promise<void>;
}

const INSPECT = `
local time = redis.call('time')
local first = redis.call('xrange', KEYS[1], '-', '+', 'COUNT', 1)
return {time[1], time[2], first[1] and first[1][1] or '', redis.call('xlen', KEYS[1])}`;

/**
 * Checks and removes in one step: deleting a consumer with pending entries would hide them from every other consumer.
 * Values: group, name of the consumer to remove or '', minimum idle time in ms of others to remove.
 */
const REMOVE_CONSUMERS = `
for _, flat in ipairs(redis.call('xinfo', 'consumers', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  local isSelected = consumer['name'] == ARGV[2] or (ARGV[2] == '' and consumer['idle'] >= tonumber(ARGV[3]))
  if isSelected and consumer['pending'] == 0 then redis.call('xgroup', 'delconsumer', KEYS[1], ARGV[1], consumer['name']) end
end`;
const ABANDONED_AFTER_MS = 3_600_000;

type RawEntry = [id: string, fields: string[] | null];

function entryOf([id, fields]: RawEntry): StreamEntry {
  const pairs = fields ?? [];
  const at = pairs.findIndex((field, position) => position % 2 === 0 && field === CLICK_FIELD);
  return { id, text: at === -1 ? undefined : pairs[at + 1], raw: () => JSON.stringify(pairs) };
}

/** "1763789000123-0" → its milliseconds. */
function timeOfEntry(id: string): Date {
  return new Date(Number(id.split('-', 1)[0]));
}

export function isNoGroup(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOGROUP');
}

function isGroupPresent(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('BUSYGROUP');
}

/** Reads both shapes of the reply: pairs of stream and entries, or (newer protocol) a map of them. */
function entriesOf(reply: unknown): StreamEntry[] {
  if (reply === null || reply === undefined) return [];
  const streams = Array.isArray(reply)
    ? (reply as [string, RawEntry[]][]).map(([, raw]) => raw)
    : Object.values(reply as Record<string, RawEntry[]>);
  return streams.flat().map(entryOf);
}

async function inspect(redis: RedisClient, key: string): Promise<StreamState> {
  const reply = (await redis.eval(INSPECT, 1, key)) as [string, string, string, number];
  const [seconds, micros, firstId, entries] = reply;
  const oldestAt = firstId === '' ? undefined : timeOfEntry(firstId);
  return { now: new Date(Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)), oldestAt, entries };
}

async function acknowledge(redis: RedisClient, key: string, entryIds: readonly string[]): Promise<void> {
  if (entryIds.length === 0) return;
  const replies = await redis
    .multi()
    .xack(key, CLICK_GROUP, ...entryIds)
    .xdel(key, ...entryIds)
    .exec();
  if (replies === null) throw new Error('Redis did not carry out the acknowledgement');
  for (const [error] of replies) if (error !== null) throw error;
}

/**
 * @param options.redis     connection of role `commands`
 * @param options.blocking  connection of role `blocking` for this consumer alone: a waiting read delays every command behind it
 * @param options.name      a name that no other process ever had
 */
export function createStreamConsumer(options: {
  shard: number;
  name: string;
  redis: RedisClient;
  blocking: RedisClient;
}): StreamConsumer {
  const { redis, blocking, name } = options;
  const key = streamKey(options.shard);
  let cursor = '0-0';
  return {
    join: async () => {
      try {
        await redis.xgroup('CREATE', key, CLICK_GROUP, '0', 'MKSTREAM');
      } catch (error) {
        if (!isGroupPresent(error)) throw error;
      }
    },
    read: async ({ count, blockMs }) => {
      const wait = Math.min(blockMs, MAX_BLOCK_MS);
      return entriesOf(
        await blocking.xreadgroup('GROUP', CLICK_GROUP, name, 'COUNT', count, 'BLOCK', wait, 'STREAMS', key, '>'),
      );
    },
    claim: async ({ count, minIdleMs }) => {
      const reply = await redis.xautoclaim(key, CLICK_GROUP, name, minIdleMs, cursor, 'COUNT', count);
      const [next, raw, deleted] = reply as [string, RawEntry[], string[] | undefined];
      cursor = next;
      return { entries: raw.map(entryOf), vanished: deleted?.length ?? 0, isEnd: next === '0-0' };
    },
    countDeliveries: async (entryId) => {
      const reply = (await redis.xpending(key, CLICK_GROUP, entryId, entryId, 1)) as [string, string, number, number][];
      return reply[0]?.[3] ?? 0;
    },
    acknowledge: (entryIds) => acknowledge(redis, key, entryIds),
    inspect: () => inspect(redis, key),
    removeConsumers: async (which) => {
      await redis.eval(REMOVE_CONSUMERS, 1, key, CLICK_GROUP, which === 'own' ? name : '', ABANDONED_AFTER_MS);
    },
  };
}
