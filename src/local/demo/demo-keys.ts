import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writePrivateFile } from '../placement.ts';

const demoKeysShape = z.object({
  /** Where the server of this home was last reached, without a trailing slash. */
  address: z.string().optional(),
  keys: z.object({
    admin: z.string(),
    influencer: z.string().optional(),
    brand: z.string().optional(),
    finance: z.string().optional(),
  }),
  /** Absent until the demo data are complete. */
  data: z
    .object({
      brandId: z.string(),
      influencerId: z.string(),
      linkCode: z.string(),
      stores: z.array(z.object({ id: z.string(), platform: z.string(), webhookSecret: z.string() })),
    })
    .optional(),
});

/** What `start` made for the demo in its private database, and keeps for the person and for `daihuo demo`. */
export type DemoKeys = z.infer<typeof demoKeysShape>;

function fileIn(home: string): string {
  return path.join(home, 'demo-keys.json');
}

/** @returns undefined where there is no such file, or none that can be understood: then new keys are made */
export async function readDemoKeys(home: string): Promise<DemoKeys | undefined> {
  try {
    const parsed = demoKeysShape.safeParse(JSON.parse(await readFile(fileIn(home), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Only its owner may read it, and nobody ever sees half of it. */
export async function writeDemoKeys(home: string, keys: DemoKeys): Promise<void> {
  await writePrivateFile(fileIn(home), `${JSON.stringify(keys, undefined, 2)}\n`);
}
