/** From decided clicks to what Postgres is told: pure arithmetic, so that Postgres has none to do. */
import type { Click } from '../../core/clicks/click.ts';
import { CopyRows } from '../../infra/copy-rows.ts';
import type { KnownLink } from './plan-batch.ts';
import { clickRowText } from './store-queries.ts';
import type { ClickWrite, RollupRise, ShownRise, Visit } from './store-queries.ts';
import type { Trail } from './visitor-history.ts';
import { dayOf } from './row-texts.ts';

/** A new click with its final verdict. */
export interface DecidedClick {
  click: Click;
  /** Of a counted click. */
  trail: Trail | undefined;
}

/** Shanghai is whole hours ahead of UTC, so its hours are UTC's. */
const HOUR_MS = 3_600_000;

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function byHourVerdictTag(a: RollupRise, b: RollupRise): number {
  return a.hourMs - b.hourMs || compareTexts(a.verdict, b.verdict) || compareTexts(a.tag, b.tag);
}

/** The rollups of clicks that come link by link. */
class Rollups {
  readonly #done: RollupRise[] = [];
  #ofLink = new Map<string, RollupRise>();
  #linkNumber: number | undefined;

  add({ linkNumber, verdict, tag = '', clickedAt }: Click, { brandId }: KnownLink, isUnique: boolean): void {
    if (linkNumber !== this.#linkNumber) this.#finishLink();
    this.#linkNumber = linkNumber;
    const hour = Math.floor(clickedAt.getTime() / HOUR_MS);
    const key = `${hour}${verdict} ${tag}`;
    let rise = this.#ofLink.get(key);
    if (rise === undefined) {
      rise = { linkNumber, hourMs: hour * HOUR_MS, verdict, tag, brandId, clicks: 0, uniques: 0 };
      this.#ofLink.set(key, rise);
    }
    rise.clicks += 1;
    if (isUnique) rise.uniques += 1;
  }

  all(): RollupRise[] {
    this.#finishLink();
    return this.#done;
  }

  #finishLink(): void {
    if (this.#ofLink.size === 0) return;
    this.#done.push(...[...this.#ofLink.values()].toSorted(byHourVerdictTag));
    this.#ofLink = new Map();
  }
}

function byDayApp(a: ShownRise, b: ShownRise): number {
  return compareTexts(a.day, b.day) || compareTexts(a.app, b.app);
}

/** The middle pages that people were shown; what machines were shown says nothing about a funnel. */
function shownPages(decided: readonly DecidedClick[], links: ReadonlyMap<number, KnownLink>): ShownRise[] {
  const rises = new Map<string, ShownRise>();
  for (const { click } of decided) {
    const { linkNumber, app, outcome, verdict, clickedAt } = click;
    const link = links.get(linkNumber);
    if (outcome === undefined || (verdict !== 'counted' && verdict !== 'repeat') || link === undefined) continue;
    const day = dayOf(clickedAt.getTime());
    const key = `${linkNumber} ${day} ${app}`;
    const rise = rises.get(key) ?? { linkNumber, day, app, brandId: link.brandId, pages: 0 };
    rise.pages += 1;
    rises.set(key, rise);
  }
  return [...rises.values()].toSorted((a, b) => a.linkNumber - b.linkNumber || byDayApp(a, b));
}

/**
 * @param decided        clicks none of which is stored, those of a trail by time; every one has its link
 * @param isVisitBefore  whether the trail (by its key) has a counted click on the day from a batch before that may not be stored yet
 * @returns the rows, those of a link together: neighbours in the indexes are written one after the other
 */
export function buildClickWrite(
  decided: readonly DecidedClick[],
  links: ReadonlyMap<number, KnownLink>,
  isVisitBefore: (trailKey: string, day: string) => boolean,
): ClickWrite {
  const firstVisits: Visit[] = [];
  const furtherVisits: Visit[] = [];
  const rollups = new Rollups();
  const rows = new CopyRows();
  /** Returns whether it is the visitor's first of the day. */
  const addVisit = ({ clickedAt }: Click, trail: Trail): boolean => {
    const lastCountedMs = clickedAt.getTime();
    const day = trail.days.find((each) => each.day === dayOf(lastCountedMs));
    if (day === undefined) throw new RangeError('a trail has the days of its clicks');
    if (day.visit !== undefined) {
      // By time, so this one is later.
      day.visit.lastCountedMs = lastCountedMs;
      return false;
    }
    day.visit = { day: day.day, visit: trail.visit, lastCountedMs };
    const isFirst = day.storedMs === undefined && !isVisitBefore(trail.key, day.day);
    (isFirst ? firstVisits : furtherVisits).push(day.visit);
    return isFirst;
  };
  for (const { click, trail } of decided.toSorted((a, b) => a.click.linkNumber - b.click.linkNumber)) {
    const link = links.get(click.linkNumber);
    if (link === undefined) throw new RangeError('a decided click has its link');
    rows.add(clickRowText(click, link.rowText));
    const isUnique = trail !== undefined && addVisit(click, trail);
    rollups.add(click, link, isUnique);
  }
  return {
    rows,
    firstVisits,
    furtherVisits,
    rollups: rollups.all(),
    shown: shownPages(decided, links),
  };
}
