/** The address of a product's picture on our own host, from `product_pictures.sha256`. */
export function picturePath(sha256: string): string {
  return `/-/pictures/${sha256}.webp`;
}
