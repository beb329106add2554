import assert from 'node:assert/strict';
import { actorOf, brandScope, influencerScope } from '../access/principal.ts';
import type { Principal } from '../access/principal.ts';
import { recordAudit } from '../audit/record-audit.ts';
import { inTransaction } from '../infra/db.ts';
import type { Db } from '../infra/db.ts';
import { setLinkPage } from './landing-modes/queries.ts';
import type { LinkChangeInput } from './link-fields.ts';
import { setLinkStatus } from './queries.ts';

/** `forbidden`: a field that the caller's role may not change; `not_found`: no such link, or the caller may not see it. */
export type ChangeLinkOutcome = 'changed' | 'forbidden' | 'not_found';

/**
 * Changes a link, all or nothing. An influencer may change its status, a brand what its visitors see, an admin both.
 *
 * @param code  in canonical spelling
 */
export async function changeLink(
  db: Db,
  principal: Principal,
  code: string,
  input: LinkChangeInput,
): Promise<ChangeLinkOutcome> {
  const { status, landingMode, taoCode } = input;
  const changesPage = landingMode !== undefined || taoCode !== undefined;
  if (changesPage && principal.role === 'influencer') return 'forbidden';
  if (status !== undefined && principal.role === 'brand') return 'forbidden';
  return inTransaction(db, async (tx) => {
    const actor = actorOf(principal);
    if (status !== undefined) {
      const link = await setLinkStatus(tx, { code, status, scope: influencerScope(principal) });
      if (link === undefined) return 'not_found';
      const action = status === 'paused' ? 'link.paused' : 'link.resumed';
      if (link.isChanged) {
        await recordAudit(tx, { actor, action, brandId: link.brandId, objectId: link.id, detail: {} });
      }
    }
    if (!changesPage) return 'changed';
    const link = await setLinkPage(tx, { code, scope: brandScope(principal), change: { landingMode, taoCode } });
    if (link === undefined) {
      assert(status === undefined, 'only an admin changes both, and an admin sees every link');
      return 'not_found';
    }
    await recordAudit(tx, {
      actor,
      action: 'link.page_changed',
      brandId: link.brandId,
      objectId: link.id,
      detail: { landingMode, taoCode },
    });
    return 'changed';
  });
}
