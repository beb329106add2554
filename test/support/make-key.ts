import { createKey } from '../../src/access/keys.ts';
import type { KeyInput } from '../../src/access/keys.ts';
import type { KeyRow } from '../../src/access/queries.ts';
import type { Tx } from '../../src/infra/db.ts';

/** An API key of an owner that exists. */
export async function makeKey(tx: Tx, input: KeyInput): Promise<KeyRow & { key: string }> {
  const created = await createKey(tx, input);
  if (!created.ok) throw new Error(`the key was refused: ${created.reason}`);
  return { ...created.row, key: created.key };
}
