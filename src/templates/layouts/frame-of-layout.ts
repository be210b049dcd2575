import type { StoredInlineImage } from '../../db/tables/templates.ts';
import type { Frame } from './frame.ts';
import type { LayoutRow } from './store.ts';

/** Content id of a picture (RFC 2392): made of its bytes' hash, so that the HTML that names it says which it is. */
const contentIdOf = (sha256: string) => `${sha256.slice(0, 32)}@layout`;

/** The pictures that a layout puts into mails. */
export function imagesOf({ logo }: Pick<LayoutRow, 'logo'>): StoredInlineImage[] {
  if (logo === null) return [];
  const { filename, mediaType, sha256 } = logo;
  return [{ contentId: contentIdOf(sha256), filename, mediaType, sha256 }];
}

/** The frame of a layout. */
export function frameOf(layout: LayoutRow): Frame {
  const { logoText, academicYear, identity, css, html } = layout;
  const [image] = imagesOf(layout);
  return { logo: image?.contentId ?? null, logoText, academicYear, identity, css, html };
}
