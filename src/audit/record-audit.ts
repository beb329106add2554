import { isDeepStrictEqual } from 'node:util';
import { fenToJson } from '../core/money/money.ts';
import type { Tx } from '../infra/db.ts';
import { AUDIT_ACTIONS } from './actions.ts';
import type { AuditAction, AuditDetail } from './actions.ts';
import { insertAuditRow } from './queries.ts';

/** One deed of a person, a key or a command, for the audit log. */
export interface AuditEntry<Action extends AuditAction> {
  /** `actorOf(principal)`, or the name of the command that ran. */
  actor: string;
  action: Action;
  /** The id of the object that was changed. */
  objectId: string;
  /** The brand whose object it is. Absent for the operator's own objects: keys of other roles, payees, influencers, entry domains. */
  brandId?: string | null | undefined;
  detail: AuditDetail<Action>;
}

/**
 * Writes one entry of the audit log in the acting transaction, so that the change and its record stand or fall together.
 *
 * Amounts become JSON integers of fen and dates ISO texts, as everywhere in the API.
 *
 * @throws ZodError on a detail that the action does not list: a bug, which rolls the change back
 */
export async function recordAudit<Action extends AuditAction>(tx: Tx, entry: AuditEntry<Action>): Promise<void> {
  const { actor, action, objectId, brandId = null } = entry;
  const detail = JSON.stringify(AUDIT_ACTIONS[action].parse(entry.detail), (_name, value: unknown) =>
    typeof value === 'bigint' ? fenToJson(value) : value,
  );
  await insertAuditRow(tx, { actor, action, brandId, objectId, detail });
}

/**
 * The fields that a change sets to another value, as details of the audit log show them.
 *
 * @param after  undefined for a field that was not given and so stays
 * @returns undefined where nothing differs, so that a change without effect leaves no entry
 */
export function changesBetween<Fields extends object>(
  before: Fields,
  after: { [Name in keyof Fields]?: Fields[Name] | undefined },
): { before: Partial<Fields>; after: Partial<Fields> } | undefined {
  const names = (Object.keys(after) as (keyof Fields)[]).filter(
    (name) => after[name] !== undefined && !isDeepStrictEqual(before[name], after[name]),
  );
  if (names.length === 0) return undefined;
  const pick = (from: { [Name in keyof Fields]?: Fields[Name] | undefined }): Partial<Fields> =>
    Object.fromEntries(names.map((name) => [name, from[name]])) as Partial<Fields>;
  return { before: pick(before), after: pick(after) };
}
