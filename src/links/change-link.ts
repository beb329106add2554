import { actorOf, brandScope, influencerScope } from '../access/principal.ts';
import type { Principal } from '../access/principal.ts';
import { problems } from '../http/problem.ts';
import { recordAudit } from '../audit/record-audit.ts';
import { inTransaction } from '../infra/db.ts';
import type { Db } from '../infra/db.ts';
import type { LinkChangeInput } from './link-fields.ts';
import { setLinkStatus } from './queries.ts';
import { setLinkPage } from './landing-modes/queries.ts';

/**
 * Changes a link, all or nothing: its status is the influencer's to change, what its visitors are shown the brand's; an admin may do both.
 *
 * @param code  in canonical spelling
 * @throws Problem forbidden (a field that is not the caller's to change), not_found (no such link of the caller's)
 */
export async function changeLink(db: Db, principal: Principal, code: string, input: LinkChangeInput): Promise<void> {
  const { status, way, taoCode } = input;
  const changesPage = way !== undefined || taoCode !== undefined;
  if (changesPage && principal.role === 'influencer') throw problems.forbidden();
  if (status !== undefined && principal.role === 'brand') throw problems.forbidden();
  await inTransaction(db, async (tx) => {
    const actor = actorOf(principal);
    if (status !== undefined) {
      const link = await setLinkStatus(tx, { code, status, scope: influencerScope(principal) });
      if (link === undefined) throw problems.notFound();
      const action = status === 'paused' ? 'link.paused' : 'link.resumed';
      if (link.isChanged)
        await recordAudit(tx, { actor, action, brandId: link.brandId, objectId: link.id, detail: {} });
    }
    if (!changesPage) return;
    const link = await setLinkPage(tx, { code, scope: brandScope(principal), change: { way, taoCode } });
    if (link === undefined) throw problems.notFound();
    await recordAudit(tx, {
      actor,
      action: 'link.page_changed',
      brandId: link.brandId,
      objectId: link.id,
      detail: { landingMode: way, taoCode },
    });
  });
}
