import { PLATFORMS, type Platform } from '../core/vocabulary.ts';
import { checkDestination } from './platform.ts';
import type { RefusedDestination } from './platform.ts';
import { locationOf, splitDestination } from './destination.ts';

/** Where a page that carries no click id leads, by the same rules as every destination; undefined where it is not allowed. */
export function plainLocation(page: { platform: Platform; url: string }): string | undefined {
  const checked = checkDestination(page);
  return checked.ok ? locationOf(splitDestination(checked.destination), undefined) : undefined;
}

/** Whether a URL may be a brand's own page: a destination of any marketplace we serve. @returns it normalised, or the first refusal */
export function checkBrandPage(url: string): { ok: true; href: string } | RefusedDestination {
  let refusal: RefusedDestination | undefined;
  for (const platform of PLATFORMS) {
    const checked = checkDestination({ platform, url });
    if (checked.ok) return { ok: true, href: checked.destination.href };
    refusal ??= checked;
    // A marketplace that we refuse by name is refused on every platform, and by that name.
    if (checked.code === 'platform_not_supported') return checked;
  }
  if (refusal === undefined) throw new Error('there is no platform');
  return { ...refusal, detail: 'The address is not one of a marketplace that is served (Taobao, Tmall, Youzan).' };
}

/** Where a brand's own page leads; undefined where it is not allowed (any more). */
export function brandPageLocation(url: string): string | undefined {
  for (const platform of PLATFORMS) {
    const location = plainLocation({ platform, url });
    if (location !== undefined) return location;
  }
  return undefined;
}
