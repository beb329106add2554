import type { Queryable } from '../../../infra/db.ts';

export interface DuePicture {
  productId: string;
  /** The product's `image_url`. */
  sourceUrl: string;
  /** This one included. */
  tries: number;
}

// The longest due first. Whoever takes a row pushes it $2 ms into the future, and others skip what is being taken: no picture is fetched twice
// at a time, and one whose worker died comes again. Served by product_pictures_due_idx.
const TAKE_DUE_PICTURES = `
update product_pictures
set tries = tries + 1, next_try_at = now() + $2 * interval '1 millisecond'
where (product_pictures.brand_id, product_pictures.product_id) in (
  select pp.brand_id, pp.product_id from product_pictures pp
  where pp.next_try_at <= now()
  order by pp.next_try_at
  limit $1
  for update skip locked)
returning product_pictures.product_id as "productId", product_pictures.source_url as "sourceUrl", product_pictures.tries`;

/** Takes pictures to fetch; they are this caller's for `leaseMs`. */
export async function takeDuePictures(
  db: Queryable,
  { limit, leaseMs }: { limit: number; leaseMs: number },
): Promise<DuePicture[]> {
  const { rows } = await db.query<DuePicture>({
    name: 'take_due_pictures',
    text: TAKE_DUE_PICTURES,
    values: [limit, leaseMs],
  });
  return rows;
}

export interface FetchedPicture {
  productId: string;
  sourceUrl: string;
  sha256: string;
  bytes: Buffer;
  width: number;
  height: number;
  mediaType: string;
}

// Changes nothing where the product has another image_url by now; products gives the brand. Served by products_id_idx and
// product_pictures_pkey.
const STORE_PICTURE = `
update product_pictures
set sha256 = $3, bytes = $4, width = $5, height = $6, media_type = $7, fetched_at = now(), next_try_at = null, problem = null
from products p
where p.id = $1 and product_pictures.brand_id = p.brand_id and product_pictures.product_id = p.id and product_pictures.source_url = $2`;

export async function storePicture(db: Queryable, picture: FetchedPicture): Promise<void> {
  const { productId, sourceUrl, sha256, bytes, width, height, mediaType } = picture;
  const values = [productId, sourceUrl, sha256, bytes, width, height, mediaType];
  await db.query({ name: 'store_picture', text: STORE_PICTURE, values });
}

// $4 null: never again, unless image_url changes. Served by products_id_idx and product_pictures_pkey.
const STORE_PICTURE_PROBLEM = `
update product_pictures
set problem = $3, next_try_at = now() + $4::float8 * interval '1 millisecond'
from products p
where p.id = $1 and product_pictures.brand_id = p.brand_id and product_pictures.product_id = p.id and product_pictures.source_url = $2`;

/** @param retryAfterMs  undefined: it is given up */
export async function storePictureProblem(
  db: Queryable,
  {
    productId,
    sourceUrl,
    problem,
    retryAfterMs,
  }: Pick<DuePicture, 'productId' | 'sourceUrl'> & {
    problem: string;
    retryAfterMs: number | undefined;
  },
): Promise<void> {
  const values = [productId, sourceUrl, problem, retryAfterMs ?? null];
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
