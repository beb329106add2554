import type { Queryable } from '../../../infra/db.ts';

export interface ProductKey {
  brandId: string;
  productId: string;
}

// Served by product_pictures_pkey.
const FIND_PICTURE_SOURCE = `
select pp.source_url as "sourceUrl" from product_pictures pp where pp.brand_id = $1 and pp.product_id = $2`;

/** The product's `image_url`; undefined where it has none. */
export async function findPictureSource(
  db: Queryable,
  { brandId, productId }: ProductKey,
): Promise<string | undefined> {
  const { rows } = await db.query<{ sourceUrl: string }>({
    name: 'find_picture_source',
    text: FIND_PICTURE_SOURCE,
    values: [brandId, productId],
  });
  return rows[0]?.sourceUrl;
}

export interface FetchedPicture extends ProductKey {
  sourceUrl: string;
  sha256: string;
  bytes: Buffer;
  width: number;
  height: number;
  mediaType: string;
}

// Changes nothing where the product has another image_url by now. Served by product_pictures_pkey.
const STORE_PICTURE = `
update product_pictures
set sha256 = $4, bytes = $5, width = $6, height = $7, media_type = $8, fetched_at = now(), problem = null
where product_pictures.brand_id = $1 and product_pictures.product_id = $2 and product_pictures.source_url = $3`;

export async function storePicture(db: Queryable, picture: FetchedPicture): Promise<void> {
  const { brandId, productId, sourceUrl, sha256, bytes, width, height, mediaType } = picture;
  const values = [brandId, productId, sourceUrl, sha256, bytes, width, height, mediaType];
  await db.query({ name: 'store_picture', text: STORE_PICTURE, values });
}

// Changes nothing where the product has another image_url by now. Served by product_pictures_pkey.
const STORE_PICTURE_PROBLEM = `
update product_pictures
set problem = $4
where product_pictures.brand_id = $1 and product_pictures.product_id = $2 and product_pictures.source_url = $3`;

export async function storePictureProblem(
  db: Queryable,
  { brandId, productId, sourceUrl, problem }: ProductKey & { sourceUrl: string; problem: string },
): Promise<void> {
  const values = [brandId, productId, sourceUrl, problem];
  await db.query({ name: 'store_picture_problem', text: STORE_PICTURE_PROBLEM, values });
}

export interface PictureFile {
  bytes: Buffer;
  mediaType: string;
}

// Rows of the same hash hold the same bytes. Served by product_pictures_sha256_idx.
const FIND_PICTURE_FILE = `
select pp.bytes, pp.media_type as "mediaType" from product_pictures pp where pp.sha256 = $1 limit 1`;

/** @param sha256  64 lower-case hex digits */
export async function findPictureFile(db: Queryable, sha256: string): Promise<PictureFile | undefined> {
  const { rows } = await db.query<PictureFile>({
    name: 'find_picture_file',
    text: FIND_PICTURE_FILE,
    values: [sha256],
  });
  return rows[0];
}
