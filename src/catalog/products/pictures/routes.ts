import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Server } from '../../../http/server.ts';
import type { Db } from '../../../infra/db.ts';
import { findPictureFile, type PictureFile } from './queries.ts';

/** The name is a hash of the content, so what it stands for can never change. */
const FOR_EVER = 'public, max-age=31536000, immutable';
const FILE_NAME = /^([0-9a-f]{64})\.webp$/;
/** The pictures of some 200 products that are seen now; each would be 60 KB from Postgres for every visitor. */
const CACHE_BYTES = 8 * 1024 * 1024;

const params = z.object({ file: z.string().max(128) });

/** `GET /-/pictures/<sha256>.webp` (`picturePath`): pictures of products, for anyone; any other name gets the visitors' 404 page. */
export async function pictureRoutes(app: Server, { db }: { db: Db }): Promise<void> {
  const cache = new LRUCache<string, PictureFile>({
    maxSize: CACHE_BYTES,
    sizeCalculation: ({ bytes }) => bytes.length,
    // Visitors who ask for the same picture at once share one look into Postgres.
    fetchMethod: async (sha256) => findPictureFile(db, sha256),
  });

  app.get(
    '/-/pictures/:file',
    { schema: { params, summary: 'The picture of a product, as middle pages show it', tags: ['Visitors'] } },
    async (request, reply) => {
      const sha256 = FILE_NAME.exec(request.params.file)?.[1];
      const picture = sha256 === undefined ? undefined : await cache.fetch(sha256);
      if (picture === undefined) {
        reply.callNotFound();
        return reply;
      }
      return reply.type(picture.mediaType).header('cache-control', FOR_EVER).send(picture.bytes);
    },
  );
}
