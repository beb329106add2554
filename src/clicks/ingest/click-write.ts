/** From decided clicks to the parameters of the statements that store them: pure arithmetic, so that Postgres has none to do. */
import type { Click } from '../../core/clicks/click.ts';
import { CopyRows } from '../../infra/copy-rows.ts';
import type { ClickLink } from './plan-queries.ts';
import { dayOf } from './row-texts.ts';
import { clickRowText } from './store-queries.ts';
import type { ClickWrite, RollupIncrement, ShownIncrement, Visit } from './store-queries.ts';
import type { VisitorHistory } from './visitor-history.ts';

/** A link with the part of the row text that all its clicks share. */
export interface KnownLink extends ClickLink {
  rowText: string;
}

/** A new click with its final verdict. */
export interface DecidedClick {
  click: Click;
  /** Defined for a counted click. */
  history: VisitorHistory | undefined;
}

/** Shanghai is a whole number of hours ahead of UTC, so both have the same hours. */
const HOUR_MS = 3_600_000;

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function byHourVerdictTag(a: RollupIncrement, b: RollupIncrement): number {
  return a.hourMs - b.hourMs || compareTexts(a.verdict, b.verdict) || compareTexts(a.tag, b.tag);
}

/** Adds up the rollups of clicks that are added link by link. */
class Rollups {
  readonly #done: RollupIncrement[] = [];
  #ofLink = new Map<string, RollupIncrement>();
  #linkNumber: number | undefined;

  add({ linkNumber, verdict, tag = '', clickedAt }: Click, { brandId }: KnownLink, isUnique: boolean): void {
    if (linkNumber !== this.#linkNumber) this.#finishLink();
    this.#linkNumber = linkNumber;
    const hour = Math.floor(clickedAt.getTime() / HOUR_MS);
    const key = `${hour}${verdict} ${tag}`;
    let increment = this.#ofLink.get(key);
    if (increment === undefined) {
      increment = { linkNumber, hourMs: hour * HOUR_MS, verdict, tag, brandId, clicks: 0, uniques: 0 };
      this.#ofLink.set(key, increment);
    }
    increment.clicks += 1;
    if (isUnique) increment.uniques += 1;
  }

  all(): RollupIncrement[] {
    this.#finishLink();
    return this.#done;
  }

  #finishLink(): void {
    if (this.#ofLink.size === 0) return;
    this.#done.push(...[...this.#ofLink.values()].toSorted(byHourVerdictTag));
    this.#ofLink = new Map();
  }
}

function byDayApp(a: ShownIncrement, b: ShownIncrement): number {
  return compareTexts(a.day, b.day) || compareTexts(a.app, b.app);
}

/** The middle pages shown to people; pages shown to machines do not belong in the funnel. */
function shownPages(decided: readonly DecidedClick[], links: ReadonlyMap<number, KnownLink>): ShownIncrement[] {
  const increments = new Map<string, ShownIncrement>();
  for (const { click } of decided) {
    const { linkNumber, app, outcome, verdict, clickedAt } = click;
    const link = links.get(linkNumber);
    if (outcome === undefined || (verdict !== 'counted' && verdict !== 'repeat') || link === undefined) continue;
    const day = dayOf(clickedAt.getTime());
    const key = `${linkNumber} ${day} ${app}`;
    const increment = increments.get(key) ?? { linkNumber, day, app, brandId: link.brandId, pages: 0 };
    increment.pages += 1;
    increments.set(key, increment);
  }
  return [...increments.values()].toSorted((a, b) => a.linkNumber - b.linkNumber || byDayApp(a, b));
}

/**
 * @param decided        clicks of which none is stored, those of a history by time; the link of each is in `links`
 * @param isVisitBefore  whether a batch in flight has a counted click of the history (by its key) on the day
 * @returns rows grouped by link, so that neighbours in the indexes are written one after the other
 */
export function buildClickWrite(
  decided: readonly DecidedClick[],
  links: ReadonlyMap<number, KnownLink>,
  isVisitBefore: (historyKey: string, day: string) => boolean,
): ClickWrite {
  const firstVisits: Visit[] = [];
  const furtherVisits: Visit[] = [];
  const rollups = new Rollups();
  const rows = new CopyRows();
  /** Returns whether the click is the visitor's first counted one of the day. */
  const addVisit = ({ clickedAt }: Click, history: VisitorHistory): boolean => {
    const lastCountedMs = clickedAt.getTime();
    const day = history.days.find((each) => each.day === dayOf(lastCountedMs));
    if (day === undefined) throw new RangeError('a history has the days of its clicks');
    if (day.visit !== undefined) {
      // Clicks come by time, so this one is later.
      day.visit.lastCountedMs = lastCountedMs;
      return false;
    }
    day.visit = { day: day.day, visit: history.visit, lastCountedMs };
    const isFirst = day.storedMs === undefined && !isVisitBefore(history.key, day.day);
    (isFirst ? firstVisits : furtherVisits).push(day.visit);
    return isFirst;
  };
  for (const { click, history } of decided.toSorted((a, b) => a.click.linkNumber - b.click.linkNumber)) {
    const link = links.get(click.linkNumber);
    if (link === undefined) throw new RangeError('a decided click has its link');
    rows.add(clickRowText(click, link.rowText));
    const isUnique = history !== undefined && addVisit(click, history);
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
