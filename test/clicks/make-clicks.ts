import { createClickIdMint } from '../../src/core/clicks/click-id.ts';
import type { Click } from '../../src/core/clicks/click.ts';
import { deriveKeys } from '../../src/infra/secrets.ts';
import type { Db } from '../../src/infra/db.ts';

const mint = createClickIdMint(deriveKeys(Buffer.alloc(32, 9)).clickIdKeys[0] ?? { number: 0, key: Buffer.alloc(16) });
let made = 0;

/** A click of one visitor, now unless said otherwise; every one with an id of its own. */
export function makeClickOn(linkNumber: number, change: Partial<Click> = {}): Click {
  made += 1;
  const clickedAt = change.clickedAt ?? new Date();
  const random = Buffer.alloc(8);
  random.writeUInt32BE(made);
  const number = change.linkNumber ?? linkNumber;
  return {
    clickId: mint({ linkNumber: number, clickedAtMs: clickedAt.getTime(), random }),
    clickedAt,
    linkNumber: number,
    verdict: 'counted',
    visitor: '00000000000000aa',
    app: 'douyin',
    os: 'ios',
    ...change,
  };
}

/** 16 hex characters; visitors of neighbouring numbers fall into neighbouring shards. */
export function visitorOf(number: number): string {
  return number.toString(16).padStart(8, '0') + number.toString(16).padStart(8, '0');
}

export interface Differences {
  /** Rollups kept and rollups counted anew from the clicks, where they are not the same. */
  rollups: unknown[];
  /** As `rollups`, for the middle pages that people were shown. */
  shown: unknown[];
  /** Unique visitors kept, and counted anew. */
  uniques: { kept: bigint | null; counted: bigint };
  deadLetters: unknown[];
}

/** What is wrong with the counts of a whole database: nothing, where clicks were stored once and counted as they were stored. */
export async function findDifferences(db: Db): Promise<Differences> {
  const rollups = await db.query(
    `with counted as (
       select c.link_number, date_trunc('hour', c.clicked_at, 'Asia/Shanghai') as hour, c.verdict, coalesce(c.tag, '') as tag, c.brand_id,
         count(*) as clicks
       from clicks c group by 1, 2, 3, 4, 5
     ), kept as (select r.link_number, r.hour, r.verdict, r.tag, r.brand_id, r.clicks from click_rollups r)
     select * from (select 'kept' as side, k.* from (select * from kept except select * from counted) k
       union all select 'counted', c.* from (select * from counted except select * from kept) c) different`,
  );
  const shown = await db.query(
    `with counted as (
       select c.link_number, (c.clicked_at at time zone 'Asia/Shanghai')::date as day, c.app, c.brand_id, count(*) as steps
       from clicks c where c.outcome = 'page' and c.verdict in ('counted', 'repeat') group by 1, 2, 3, 4
     ), kept as (select r.link_number, r.day, r.app, r.brand_id, r.steps from step_rollups r where r.step = 'shown')
     select * from (select 'kept' as side, k.* from (select * from kept except select * from counted) k
       union all select 'counted', c.* from (select * from counted except select * from kept) c) different`,
  );
  const uniques = await db.query<Differences['uniques']>(
    `select (select sum(r.uniques)::bigint from click_rollups r) as kept,
       (select count(distinct (c.link_number, c.visitor, (c.clicked_at at time zone 'Asia/Shanghai')::date))
        from clicks c where c.verdict = 'counted') as counted`,
  );
  const deadLetters = await db.query('select * from click_dead_letters');
  return {
    rollups: rollups.rows,
    shown: shown.rows,
    uniques: uniques.rows[0] ?? { kept: null, counted: 0n },
    deadLetters: deadLetters.rows,
  };
}
